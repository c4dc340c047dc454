# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node without a database: the whole configuration comes in one `POST /config`.

Flow: the declarative input -> errors by place (nested as the input is) -> ids (UUIDv5 of what names an entity) ->
references resolved -> rows of a fresh `Store`, which replaces the old one whole. A refused configuration changes
nothing. Source: `recorded/kong-3.9.1.jsonl`, and the reference of the declarative format.
"""

from __future__ import annotations

import copy
import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any, Optional

import yaml

from tests.contract.kong import errors
from tests.contract.kong.kinds import Kind
from tests.contract.kong.node import Node
from tests.contract.kong.notation import REQUIRED, Entity, Errors
from tests.contract.kong.store import Store, to_json
from tests.contract.kong.values import certificate_digest, is_uuid

if TYPE_CHECKING:
    from tests.contract.kong.admin_api import AdminApi, Answer, Request

EMPTY_HASH = "0" * 32
_NAMESPACE = uuid.UUID("fd02801f-0957-4a15-a55a-c8d9606f30b5")
_PLACEHOLDER = {"id": "00000000-0000-0000-0000-000000000000"}
# `_info`, `_workspace` and the like are decK's: Kong itself refuses them.
_META = {"_format_version", "_transform", "_comment", "_ignore"}


class Dumper(yaml.SafeDumper):
    """YAML as the node writes it: null is `~`."""


Dumper.add_representer(type(None), lambda dumper, _value: dumper.represent_scalar("tag:yaml.org,2002:null", "~"))


def stable_id(kind: str, key: str) -> str:
    return str(uuid.uuid5(uuid.uuid5(_NAMESPACE, kind), key))


class DeclarativeNode(Node):
    """A node in DB-less mode."""

    dbless = True
    hash = EMPTY_HASH

    def status(self) -> dict[str, Any]:
        status = super().status()
        del status["database"]
        return {**status, "configuration_hash": self.hash}

    def check_tag_filter(self, store: Store, kind: Kind, tags: Optional[tuple[bool, list[str]]]) -> None:
        if tags and any(row["tags"] is None for row in store.rows[kind.name].values()):
            raise errors.plain(500, "An unexpected error occurred")

    def config(self, api: AdminApi, request: Request) -> Answer:
        if request.method == "GET":
            return 200, to_json({"config": export(api.store)})
        flatten = request.query.get("flatten_errors", "").lower() in ("1", "true", "on", "yes")
        if request.headers.get("content-type", "").startswith(("text/yaml", "application/yaml")):
            # Seen on a real node: accepted, and nothing is loaded.
            table, digest = {"_format_version": "3.0"}, None
        else:
            table, digest = self._read(request.json())
        if request.query.get("check_hash") == "1" and digest is not None and digest == self.hash:
            return 304, b""
        loader = Loader(api.store)
        try:
            store = loader.load(copy.deepcopy(table))
        except RefusedError as refused:
            raise _refusal(loader, refused.errors, table, flatten) from None
        self.hash = digest or hashlib.md5(to_json([_content(store)])).hexdigest()
        api.store = store
        return 201, to_json(_content(store))

    @staticmethod
    def _read(params: Entity) -> tuple[Entity, Optional[str]]:
        if params.get("_format_version"):
            return params, None
        text = params.get("config")
        if not isinstance(text, str) or not text:
            raise errors.plain(400, "expected a declarative configuration")
        try:
            table = json.loads(text)
        except ValueError:
            try:
                table = yaml.safe_load(text)
            except yaml.YAMLError as error:
                failed = f"failed parsing declarative configuration: {error}"
                raise errors.declarative({"error": failed}) from None
        if not isinstance(table, dict):
            raise errors.declarative({"error": "failed parsing declarative configuration: expected an object"})
        return table, hashlib.md5(text.encode()).hexdigest()


def _content(store: Store) -> dict[str, dict[str, Entity]]:
    """What was loaded, by kind and id, as `POST /config` answers it: without the deprecated names."""
    return {
        name: {key: {k: v for k, v in row.items() if k != "ttl" or v is not None} for key, row in rows.items()}
        for name, rows in store.rows.items()
        if rows
    }


def export(store: Store) -> str:
    """The configuration as YAML, as `GET /config` answers it."""
    out: dict[str, Any] = {"_format_version": "3.0", "_transform": False}
    for name, kind in store.kinds.items():
        rows = []
        for row in store.rows[name].values():
            shown = kind.record.show(row)
            rows.append(
                {k: v["id"] if k in kind.links and v else v for k, v in shown.items() if k != "ttl" or v is not None}
            )
        if rows:
            out[name] = rows
    return yaml.dump(out, Dumper=Dumper, sort_keys=False, default_flow_style=False)


class RefusedError(Exception):
    """The configuration has errors; by place."""

    def __init__(self, found: Errors) -> None:
        super().__init__(found)
        self.errors = found


class Loader:
    """Turns one declarative input into a store."""

    def __init__(self, template: Store) -> None:
        self.template = template
        self.kinds = template.kinds
        self.children = {
            parent: [(k, name) for k in self.kinds.values() for name, f in k.links.items() if f.target == parent]
            for parent in self.kinds
        }
        self.found: list[tuple[Kind, Entity]] = []
        self.transforms = True
        self._seen: set[tuple[str, str, Any]] = set()

    def load(self, table: Entity) -> Store:
        wrong = self._check(table)
        if wrong:
            raise RefusedError(wrong)
        self.transforms = table.get("_transform") is not False
        self._identify(table, None)
        self._collect(table, None, {})
        return self._resolve()

    # -- errors by place ----------------------------------------------------------------------------------------------

    def _check(self, table: Entity) -> Errors:
        wrong: Errors = {}
        version = table.get("_format_version")
        if version is None:
            wrong["_format_version"] = REQUIRED
        elif version not in ("1.1", "2.1", "3.0"):
            wrong["_format_version"] = "expected one of: 1.1, 2.1, 3.0"
        for name, items in table.items():
            if name in _META:
                continue
            if name not in self.kinds:
                wrong[name] = "unknown field"
                continue
            found = self._check_list(self.kinds[name], items, None)
            if found:
                wrong[name] = found
        return wrong

    def _check_list(self, kind: Kind, items: Any, parent: Optional[str]) -> Any:
        if not isinstance(items, list):
            return None if items is None else "expected an array"
        found = {
            position: self._check_item(kind, item, parent) if isinstance(item, dict) else "expected a record"
            for position, item in enumerate(items, 1)
        }
        return {position: error for position, error in found.items() if error}

    def _check_item(self, kind: Kind, item: Entity, parent: Optional[str]) -> Errors:
        below = {child.name for child, _link in self.children[kind.name]}
        own = {k: v for k, v in item.items() if k not in below and k not in ("_comment", "_ignore")}
        for name, field in kind.links.items():
            if isinstance(own.get(name), str) or (name not in own and field.target == parent):
                own[name] = _PLACEHOLDER
        if kind.ttl:
            own.pop("ttl", None)
        wrong = kind.record.check(kind.record.fill(own))
        for child, _link in self.children[kind.name]:
            if child.name in item:
                found = self._check_list(child, item[child.name], kind.name)
                if found:
                    wrong[child.name] = found
        return wrong

    # -- ids ----------------------------------------------------------------------------------------------------------

    def _identify(self, table: Entity, parent: Optional[tuple[str, str]]) -> None:
        for kind in self.kinds.values():
            for item in table.get(kind.name) or ():
                if not isinstance(item, dict):
                    continue
                if item.get("id") is None:
                    item.pop("id", None)
                    key = self._key(kind, item, parent)
                    item["id"] = self.template.new_id() if key is None else stable_id(kind.name, key)
                self._identify(item, (kind.name, item["id"]))

    @staticmethod
    def _key(kind: Kind, item: Entity, parent: Optional[tuple[str, str]]) -> Optional[str]:
        """What the id is made of: the same input gets the same id. None where the node makes one up."""
        if kind.together:
            above = {name: parent[1] for name, field in kind.links.items() if parent and field.target == parent[0]}
            return ":".join([kind.name, "*", *(str(item.get(name) or above.get(name, "")) for name in kind.together)])
        # A credential's key may be made up itself.
        if kind.key is None or kind.record.fields[kind.key].auto or item.get(kind.key) is None:
            return None
        return str(item[kind.key])

    # -- references ---------------------------------------------------------------------------------------------------

    def _collect(self, table: Entity, parent: Optional[tuple[Kind, int, str]], wrong: Errors) -> None:
        """Entities in the order of the input, children before their parent's next sibling; doubles are refused."""
        top = parent is None
        for kind in self.kinds.values():
            for position, item in enumerate(table.get(kind.name) or (), 1):
                if not isinstance(item, dict):
                    continue
                self._collect(item, (kind, position, item["id"]), wrong)
                for child, _link in self.children[kind.name]:
                    item.pop(child.name, None)
                if parent:
                    names = [name for name, field in kind.links.items() if field.target == parent[0].name]
                    item[names[0]] = {"id": parent[2]}
                double = self._double(kind, item)
                if double:
                    at = wrong
                    if parent:
                        at = wrong.setdefault(parent[0].name, {}).setdefault(parent[1], {})
                    at.setdefault(kind.name, {})[position] = double
                self.found.append((kind, item))
        if top and wrong:
            raise RefusedError(wrong)

    def _double(self, kind: Kind, item: Entity) -> Optional[str]:
        for name in (*kind.uniques, "id"):
            value = item.get(name)
            if value is None:
                continue
            if (kind.name, name, value) in self._seen:
                label = "primary key" if name == "id" else name
                return f"uniqueness violation: '{kind.name}' entity with {label} set to '{value}' already declared"
            self._seen.add((kind.name, name, value))
        return None

    def _resolve(self) -> Store:
        by_id = {(kind.name, row["id"]) for kind, row in self.found}
        by_key = {(k.name, row[k.key]): row["id"] for k, row in self.found if k.key and row.get(k.key)}
        wrong: Errors = {}
        for kind, row in self.found:
            for name, field in kind.links.items():
                value = row.get(name)
                if value is None:
                    continue
                text = value["id"] if isinstance(value, dict) else value
                target = by_key.get((field.target, text)) or (text if (field.target, text) in by_id else None)
                if target is None:
                    at = row.get(kind.key or "") or row["id"]
                    shown = text if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
                    message = f"invalid reference '{name}: {shown}' (no such entry in '{field.target}')"
                    texts = wrong.setdefault(kind.name, {}).setdefault(at, {})
                    texts[len(texts) + 1] = message
                row[name] = {"id": target}
        if wrong:
            raise RefusedError(wrong)
        store = Store(self.template.clock, self.template.new_id, self.template.enterprise)
        for kind, row in self.found:
            store.load(kind, self._complete(kind, row))
        return store

    def _complete(self, kind: Kind, row: Entity) -> Entity:
        row = {key: value for key, value in row.items() if key not in ("_comment", "_ignore")}
        if kind.name == "certificates":
            row.pop("snis", None)
        if kind.name == "ca_certificates":
            row["cert_digest"] = certificate_digest(row["cert"])
        return self.template.stored_form(kind, row, self.transforms)


# -- errors by entity -------------------------------------------------------------------------------------------------


def _refusal(loader: Loader, wrong: Errors, table: Entity, flatten: bool) -> errors.KongError:
    if not flatten:
        return errors.declarative(wrong)
    told: list[dict[str, Any]] = []
    rest = _by_entity(loader, wrong, copy.deepcopy(table), told)
    # Errors that name no entity by its position are not told at all, and no errors are an object, not a list: as seen.
    rest = {name: error for name, error in rest.items() if not isinstance(table.get(name), list)}
    refusal = errors.declarative(rest)
    return errors.KongError(refusal.status, {**refusal.body, "flattened_errors": told or {}})


def _by_entity(loader: Loader, wrong: Errors, table: Entity, told: list[dict[str, Any]]) -> Errors:
    """Takes from `wrong`, the errors of `table`, those of the entities listed in it; what is inside comes first."""
    rest = dict(wrong)
    for name in sorted(set(loader.kinds) & set(table), reverse=True):
        items, found = table[name], wrong.get(name)
        if not isinstance(items, list) or not isinstance(found, dict):
            continue
        for position in sorted(key for key in found if isinstance(key, int)):
            item, error = items[position - 1], found[position]
            if not isinstance(item, dict):
                continue
            own = _by_entity(loader, error if isinstance(error, dict) else {"@entity": {1: error}}, item, told)
            for child, _link in loader.children[name]:
                item.pop(child.name, None)
            if own:
                told.append(_told(name, item, own))
        rest.pop(name)
    return rest


def _told(name: str, item: Entity, wrong: Errors) -> dict[str, Any]:
    entry: dict[str, Any] = {"entity_type": name.removesuffix("s"), "entity": item}
    if isinstance(item.get("name"), str):
        entry["entity_name"] = item["name"]
    if is_uuid(item.get("id")):
        entry["entity_id"] = item["id"]
    if isinstance(item.get("tags"), list):
        entry["entity_tags"] = item["tags"]
    of_field = [{"type": "field", "field": path, "message": text} for path, text in errors.by_path(wrong) if path]
    of_entity = [{"type": "entity", "message": text} for path, text in errors.by_path(wrong) if not path]
    # The last by name comes first: as recorded.
    entry["errors"] = [*reversed(of_field), *of_entity]
    return entry
