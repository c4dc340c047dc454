# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node without a database: its whole configuration in one call, planned entity by entity all the same.

    declaration ─▶ text ─▶ its hash is the node's ─▶ nothing to do, nothing read
                             else: all lists ─▶ Inventory ─▶ engine ─▶ text of what is to be ─▶ POST /config

The text is the same for the same declaration: ids are ours, order is by id, what the node makes up is left out. What is
foreign goes into it as it was read.

Kong's ways that shaped it:

- Only the form with the configuration as a string under `config` knows its hash, and answers 304 to the same.
- `_transform: false`, or passwords of others, which are read as hashes, would be hashed again. So ours are hashed here.
- A refused configuration changes nothing. `flatten_errors` tells of each entity; it is silent of a reference that leads
  nowhere, for which it is asked again without.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import Declared
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.hashes import (
    hashed_fields,
    is_oauth2_hash_of,
    oauth2_hash,
    password_hash,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.identity import stable_id
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.inventory import (
    RUNNING,
    Inventory,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.kinds import KINDS, MEMBER, PLURALS, Kind
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.naming import Row
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.reading import Reader
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.refusals import by_path, sentence
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import AdminError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Actual, Desired, Ref, Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import DELETE
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import (
    CONFLICT,
    ApplyError,
    Provider,
)

#: Lists in the YAML of `GET /config`; whatever is in them is indented.
_TOP_LEVEL = re.compile(r"^([a-z][a-z_]*):", re.MULTILINE)

#: Mistakes that one error names.
_SHOWN = 10


def configuration_hash(client: Client) -> str:
    status = client.get("/status")
    return str(status.get("configuration_hash") or "") if isinstance(status, dict) else ""


class Declarative(Provider):
    """The provider. `desired` is what is declared, in the engine's terms."""

    at_once = True

    def __init__(self, client: Client, reader: Reader, inventory: Inventory, hash_: str) -> None:
        self.client, self.reader, self.inventory, self.hash = client, reader, inventory, hash_
        self.fresh, self.tried = True, False
        #: The hash of what was loaded.
        self.loaded = ""
        self.desired = inventory.desired()
        inventory.assign_ids()

    @property
    def warnings(self) -> list[str]:
        return self.inventory.warnings

    def read(self) -> list[Actual]:
        if not self.fresh:
            self.hash, self.tried = configuration_hash(self.client), False
            self.inventory.reread(self.reader.again())
        self.fresh = False
        return self.inventory.actual()

    def normalise(self, desired: Desired, actual: Actual) -> tuple[Any, Any]:
        return self.inventory.normalise(desired, actual)

    def batches(self, stage: Sequence[Step]) -> Iterable[Sequence[Step]]:
        return [stage]

    def apply(self, batch: Sequence[Step]) -> None:
        text = self._text(batch)
        self.loaded = text_hash(text)
        now = configuration_hash(self.client)
        if now == self.loaded:
            return
        # After an answer that was lost, the hash may be another because of us.
        if now != self.hash and not self.tried:
            raise ApplyError("the configuration is not what it was when it was read", CONFLICT)
        self.tried = True
        try:
            self.client.call("POST", "/config?check_hash=1&flatten_errors=1", {"config": text})
        except AdminError as error:
            if error.status != 400:
                raise
            message = self._refusal(error, text)
            if message:
                raise ApplyError(message, error.reason) from error

    # -- the text -------------------------------------------------------------------------------------------------

    def _text(self, steps: Sequence[Step]) -> str:
        """The configuration as it is to be."""
        inventory = self.inventory
        by_ref = {step.ref: step for step in steps}
        entities: list[tuple[str, dict[str, Any]]] = []
        restored = {ref: step for ref, step in by_ref.items() if step.desired is not None and step.desired.restores}
        # What is not read from the node below.
        done: set[Ref] = {ref for ref, step in by_ref.items() if step.action == DELETE} | set(restored)
        for item in inventory.declared:
            ref = item.kind, item.name
            row = inventory.row(ref)
            if ref not in done and (ref in by_ref or (row is not None and self._is_as_declared(item, row))):
                done.add(ref)
                entities.append((item.kind, self._declared(item, row)))
        for kind, rows in inventory.rows.items():
            for key, row in rows.items():
                if (kind, inventory.names.names[kind, key]) not in done:
                    entities.append((kind, self._as_read(KINDS[kind], row)))
        for ref, step in restored.items():
            if step.desired is not None and step.desired.restores is not None:
                entities.append((ref[0], self._as_read(KINDS[ref[0]], step.desired.restores.handle.row)))
        return configuration(entities)

    def _is_as_declared(self, item: Declared, row: Row) -> bool:
        actual = self.inventory.actual_of(KINDS[item.kind], str(row["id"]), row)
        after, before = self.inventory.normalise(Desired(item.kind, item.name, item.data), actual)
        return after == before

    def _declared(self, item: Declared, row: Optional[Row]) -> dict[str, Any]:
        entity = as_written(item, self.inventory.names.ids)
        if row is None:
            return entity
        for name in KINDS[item.kind].auto:
            if name not in item.data:
                entity[name] = row.get(name)
        if item.kind == "key-auth" and row.get("ttl") is not None and entity.get("ttl") is not None:
            entity["ttl"] = row["ttl"]
        hashed = hashed_fields(item.kind, entity)
        if hashed:
            declared, stored = str(item.data.get(hashed[0])), str(row.get(hashed[0]))
            if declared == stored or is_oauth2_hash_of(stored, declared):
                entity[hashed[0]] = stored
        return entity

    def _as_read(self, kind: Kind, row: Row) -> dict[str, Any]:
        entity = {key: value for key, value in row.items() if key not in ("cert_digest", "ws_id")}
        if not kind.tagged:
            entity = {link: entity[link] for link in kind.refs}
        if kind.name == "certificate":
            entity.pop("snis", None)
        if kind.name == "upstream" and entity.get("hash_on") == "none":
            del entity["hash_on"]
        record = self.inventory.schemas.of(kind.name, row)
        if record is not None:
            entity = record.tidy(entity)
        for link in kind.refs:
            if isinstance(entity.get(link), Mapping):
                entity[link] = entity[link].get("id")
        if entity.get("ttl", 0) is None:
            del entity["ttl"]
        return entity

    # -- errors ---------------------------------------------------------------------------------------------------

    def _refusal(self, error: AdminError, text: str) -> str:
        """What is wrong; empty if nothing was, when the node was asked again."""
        found = error.body if isinstance(error.body, dict) else {}
        flattened = found.get("flattened_errors")
        ids = self.inventory.names.ids
        declared = {ids[item.kind, item.name]: item for item in self.inventory.declared}
        sentences: list[str] = []
        if isinstance(flattened, list):
            sentences = [sentence for entry in flattened for sentence in _flattened(entry, declared)]
        if not sentences:
            try:
                self.client.call("POST", "/config?check_hash=1", {"config": text})
            except AdminError as again:
                fields = again.body.get("fields") if isinstance(again.body, dict) else None
                sentences = list(_by_place(fields, json.loads(text), declared)) or [again.message]
            else:
                return ""
        more = f" (and {len(sentences) - _SHOWN} more)" if len(sentences) > _SHOWN else ""
        return f"Kong refuses the configuration as a whole, nothing was changed: {'; '.join(sentences[:_SHOWN])}{more}"


def _flattened(entry: Mapping[str, Any], declared: Mapping[str, Declared]) -> Iterator[str]:
    """Each mistake of an entity, with the place where it is declared."""
    item = declared.get(str(entry.get("entity_id")))
    name = entry.get("entity_name") or entry.get("entity_id")
    where = f"{item.origin}: {item.kind} {item.name!r}" if item else f"{entry.get('entity_type')} {name!r}"
    for one in entry.get("errors") or ():
        yield f"{where}: {sentence((one['field'],) if one.get('field') else (), str(one.get('message')))}"


def _by_place(fields: Any, table: Mapping[str, Any], declared: Mapping[str, Declared]) -> Iterator[str]:
    """The same of what is not flattened: by list, and by position in it or by what names the entity."""
    for path, text in by_path(fields):
        entities = table.get(path[0]) if path else None
        if not isinstance(entities, list) or len(path) < 2:
            yield sentence(path, text)
            continue
        at = int(path[1]) - 1 if path[1].isdigit() else -1
        named = [entity for entity in entities if path[1] in entity.values()]
        entity = entities[at] if 0 <= at < len(entities) else named[0] if named else {}
        item = declared.get(str(entity.get("id")))
        where = f"{item.origin}: {item.kind} {item.name!r}" if item else f"{path[0]} {entity.get('name') or path[1]!r}"
        # Where a reference is wrong, what follows only counts the mistakes.
        rest = path[2:] if 0 <= at < len(entities) else ()
        yield f"{where}: {sentence(rest, text)}"


def refuse_to_lose(client: Client) -> None:
    """Raises PlatformError if the node holds something that is not known here, and so would not be written again."""
    found = client.get("/config")
    text = str(found.get("config")) if isinstance(found, dict) else ""
    unknown = [kind for kind in _TOP_LEVEL.findall(text) if kind not in PLURALS]
    if unknown:
        raise PlatformError(
            f"{client.where}: its configuration holds {', '.join(unknown)}, which are not supported here and would be "
            "lost, as a node without a database takes its configuration as a whole",
            "would_be_lost",
        )


class Unchanged(Provider):
    """A node whose configuration is what is declared, to the letter: there is nothing to read."""

    at_once = True
    loaded = ""
    warnings: Sequence[str] = ()

    def __init__(self, desired: Sequence[Desired]) -> None:
        self.desired = list(desired)

    def read(self) -> list[Actual]:
        return [Actual(item.kind, item.name, item.data, item.needs, item.unique, item.secrets) for item in self.desired]

    def apply(self, batch: Sequence[Step]) -> None:
        raise ApplyError("the configuration is not what it was when it was read", CONFLICT)


def text_hash(text: str) -> str:
    """As the node computes it; it is no secret and no signature."""
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324


def declared_text(declared: Iterable[Declared], tags: Sequence[str]) -> str:
    """The configuration of a node that has nothing but what is declared."""
    items = list(declared)
    ids = {(item.kind, item.name): item.id or stable_id(item.kind, item.name, tags) for item in items}
    return configuration((item.kind, as_written(item, ids)) for item in items)


def as_written(item: Declared, ids: Mapping[Ref, str]) -> dict[str, Any]:
    """An entity as it stands in the text: references by id, secrets as they are kept."""
    kind = KINDS[item.kind]
    entity = {**item.data, "id": ids[item.kind, item.name]} if kind.tagged else dict(item.data)
    for link, referred in kind.refs.items():
        name = entity.get(link)
        if name is not None:
            entity[link] = ids.get((referred, name), name)
    if item.kind == "service" and entity.get("ca_certificates"):
        entity["ca_certificates"] = [ids.get(("ca_certificate", one), one) for one in entity["ca_certificates"]]
    if item.hashed:
        pass  # It is as it is kept.
    elif item.kind == "basic-auth":
        entity["password"] = password_hash(str(entity.get("password")), str(entity.get("consumer")))
    elif entity.get("hash_secret") and entity.get("client_secret"):
        entity["client_secret"] = oauth2_hash(str(entity["client_secret"]), entity["id"])
    if entity.get("ttl") == RUNNING:
        del entity["ttl"]
    return entity


def configuration(entities: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    lists: dict[str, list[Mapping[str, Any]]] = {}
    for kind, entity in entities:
        lists.setdefault(KINDS[kind].plural, []).append(entity)
    for found in lists.values():
        found.sort(key=lambda entity: [str(entity.get(name)) for name in ("id", *KINDS[MEMBER].refs)])
    whole = {"_format_version": "3.0", "_transform": False, **lists}
    # No \u escapes: what reads JSON as YAML takes a pair of them for two characters.
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
