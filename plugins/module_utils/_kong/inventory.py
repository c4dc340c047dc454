# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node has beside what is declared, in one form.

    rows, declared ─▶ names ─▶ schemas, where they are needed ─▶ desired(), actual(), normalise()

A schema is asked for where something has to be made, or where the node shows a value that is not declared and may be a
default. So a run that finds nothing to do asks for few.

Values that are never equal as they stand have a rule each: a basic-auth password is compared through the hash that the
node keeps, an OAuth2 secret too, a key's time to live by whether it has one.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import refuse
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import Declared
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.hashes import (
    hashed_fields,
    is_oauth2_hash_of,
    is_password_hash,
    password_hash,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.identity import is_uuid, stable_id
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.kinds import KEPT_BY_NODE, KINDS, Kind
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.naming import Row, Rows, name_rows
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.schemas import Record, named_secrets
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import AdminError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import (
    Actual,
    Claim,
    Desired,
    Item,
    Path,
    Ref,
)

#: What stands for the time to live of a key that has one: what is left of it is never the same.
RUNNING = "running"

_TRANSIENT = KEPT_BY_NODE | {"snis"}
#: What schemas do not tell: a plugin's own tells little of the plugin, and a time to live is no field.
_MORE_FIELDS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "plugin": ({"enabled": {"type": "boolean", "default": True}}, {"tags": {"type": "set"}}),
    "key-auth": ({"ttl": {"type": "integer"}},),
}


@dataclass(frozen=True)
class Handle:
    """What is needed to write to an entity. Two are equal if they are of the same entity."""

    id: str
    row: Row = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.id


class Schemas:
    """The node's schemas, each asked for once. None is kept where the node has none of this name."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._records: dict[tuple[str, str], Optional[Record]] = {}
        self._secrets: dict[str, tuple[Path, ...]] = {}

    def load(self, kind: str, name: str = "") -> Optional[Record]:
        if (kind, name) not in self._records:
            path = f"/schemas/{KINDS[kind].plural}" + (f"/{name}" if name else "")
            try:
                definition = self._client.get(path)
            except AdminError as error:
                if error.status != 404:
                    raise
                self._records[kind, name] = None
            else:
                fields: list[Mapping[str, Any]] = [
                    {key: spec for key, spec in item.items() if key not in _TRANSIENT}
                    for item in definition.get("fields") or ()
                ]
                fields.extend(_MORE_FIELDS.get(kind, ()))
                self._records[kind, name] = Record({**definition, "fields": fields})
        return self._records[kind, name]

    def of(self, kind: str, data: Mapping[str, Any]) -> Optional[Record]:
        """The schema of an entity, if it has been asked for."""
        return self._records.get((kind, subtype(kind, data)))

    def config_secrets(self, kind: str, data: Mapping[str, Any]) -> tuple[Path, ...]:
        name = subtype(kind, data)
        found = self._secrets.get(name)
        if found is None:
            record = self._records.get((kind, name))
            config = record.fields.get("config") if record else None
            found = tuple(config.record.secrets(("config",))) if config and config.record else ()
            self._secrets[name] = found
        return found


def subtype(kind: str, data: Mapping[str, Any]) -> str:
    return str(data.get("name")) if kind in ("plugin", "vault") else ""


class Inventory:
    """Both sides. Rows may be read again (`reread`), for a rollback.

    ask: whether schemas are asked for. whole: whether what is foreign is written again too.
    """

    def __init__(
        self,
        declared: Sequence[Declared],
        tags: Sequence[str],
        rows: Rows,
        schemas: Schemas,
        ask: bool = True,
        whole: bool = False,
    ) -> None:
        self.whole = whole
        self.tags, self.schemas, self.rows = tuple(tags), schemas, rows
        self.names = name_rows(rows, declared, tags)
        self.declared = [self._resolved(item) for item in declared]
        self._mark = set(tags)
        self._hashed = {(item.kind, item.name) for item in self.declared if item.hashed}
        self.warnings: list[str] = []
        if ask:
            self._load_schemas()
            refuse(list(self._unusable_hashes()), "hashed_secret")

    def _is_shown(self, row: Row) -> bool:
        return self.whole or self._mark <= set(row.get("tags") or ())

    def assign_ids(self) -> None:
        """Ids for what is to be made, before anything refers to it."""
        names = self.names
        for item in self.declared:
            ref = item.kind, item.name
            if ref in names.ids:
                continue
            key, attempt = item.id, 1
            while not key or (item.kind, key) in names.names:
                key = stable_id(item.kind, item.name, self.tags, attempt)
                attempt += 1
            names.ids[ref] = key

    def row(self, ref: Ref) -> Optional[Row]:
        return self.rows.get(ref[0], {}).get(self.names.ids.get(ref, ""))

    def reread(self, rows: Rows) -> None:
        ids = self.names.ids
        self.rows = rows
        self.names = name_rows(rows, self.declared, self.tags)
        # What is gone is made again under its own id.
        self.names.ids = {**ids, **self.names.ids}

    # -- what is declared -----------------------------------------------------------------------------------------

    def _resolved(self, item: Declared) -> Declared:
        """References by id to what is not declared, as names."""
        changes: dict[str, Any] = {}
        for link, referred in KINDS[item.kind].refs.items():
            value = item.data.get(link)
            if isinstance(value, str) and is_uuid(value):
                changes[link] = self.names.name(referred, value.lower())
        trusted = item.data.get("ca_certificates") if item.kind == "service" else None
        if trusted:
            changes["ca_certificates"] = [self.names.name("ca_certificate", str(one)) for one in trusted]
        return replace(item, data={**item.data, **changes}) if changes else item

    def _load_schemas(self) -> None:
        by_kind: dict[str, list[Declared]] = {}
        for item in self.declared:
            by_kind.setdefault(item.kind, []).append(item)
        problems: list[str] = []
        for kind, items in by_kind.items():
            if kind in ("plugin", "vault"):
                for name in sorted({subtype(kind, item.data) for item in items}):
                    if self.schemas.load(kind, name) is None:
                        origin = next(item.origin for item in items if subtype(kind, item.data) == name)
                        problems.append(f"{origin}: {kind} {name!r} is not installed or not enabled on this node")
            elif KINDS[kind].tagged and any(self._in_doubt(item) for item in items):
                self.schemas.load(kind)
            problems.extend(self._unknown(kind, items))
        # What may go is shown too, and its schema knows best what of it is secret.
        for name in {str(row["name"]) for row in self.rows.get("plugin", {}).values() if self._is_shown(row)}:
            self.schemas.load("plugin", name)
        refuse(problems, "schema_violation")

    def _in_doubt(self, item: Declared) -> bool:
        """Whether a schema may say more than the row beside the declaration."""
        key = self.names.ids.get((item.kind, item.name))
        if key is None:
            return True
        row = self.rows[item.kind][key]
        data = item.data
        return any(
            name not in row or (isinstance(value, dict) and value != row[name]) for name, value in data.items()
        ) or any(value is not None and name not in data and name not in _TRANSIENT for name, value in row.items())

    def _unknown(self, kind: str, items: Sequence[Declared]) -> Iterator[str]:
        for item in items:
            record = self.schemas.of(kind, item.data)
            if record is None:
                continue
            data = item.data
            if kind in ("plugin", "vault"):
                data = {"config": data.get("config")}
            for sentence in record.unknown(data):
                yield f"{item.origin}: {kind} {item.name!r}: {sentence}"

    def _unusable_hashes(self) -> Iterator[str]:
        """A sentence for each hash that would have to be written and cannot be."""
        ids = {item.name: item.id for item in self.declared if item.kind == "consumer"} if self._hashed else {}
        for item in self.declared:
            if not item.hashed:
                continue
            field = hashed_fields(item.kind, item.data)[0]
            row = self.row((item.kind, item.name))
            if row is not None and row.get(field) == item.data.get(field):
                continue
            owner = str(item.data.get("consumer"))
            own = ids.get(owner)
            what = f"{item.origin}: {item.kind} {item.name!r}: its {field} is a hash (_transform: false)"
            if not self.whole:
                yield f"{what}, which a node with a database would hash again; declare the {field} itself"
            elif item.kind == "basic-auth" and (not own or self.names.ids.get(("consumer", owner), own) != own):
                yield f"{what}, made with the id of its consumer; declare that id, and no other than is on the node"

    def desired(self) -> list[Desired]:
        return [
            Desired(
                item.kind,
                item.name,
                item.data,
                self._needs(KINDS[item.kind], item.data),
                _claims(KINDS[item.kind], item.data),
                (*self._secrets(item.kind, item.data), *item.secrets),
                item.origin,
                generated=KINDS[item.kind].secrets if item.generated else (),
            )
            for item in self.declared
        ]

    # -- what is there --------------------------------------------------------------------------------------------

    def data_of(self, kind: Kind, row: Row) -> dict[str, Any]:
        """A row in the form in which it is compared and shown."""
        data = self.names.data(kind, row)
        record = self.schemas.of(kind.name, data)
        if record is not None:
            data = record.tidy(data)
        if kind.name == "key-auth" and data.get("ttl") is not None:
            data["ttl"] = RUNNING
        return data

    def actual(self) -> list[Actual]:
        return [self.actual_of(KINDS[kind], key, row) for kind, rows in self.rows.items() for key, row in rows.items()]

    def actual_of(self, kind: Kind, key: str, row: Row) -> Actual:
        data = self.data_of(kind, row)
        tags = sorted(row.get("tags") or ())
        return Actual(
            kind.name,
            self.names.names[kind.name, key],
            data,
            self._needs(kind, data),
            _claims(kind, data),
            self._secrets(kind.name, data),
            Handle(key, row),
            self._mark <= set(tags),
            ", ".join(tags),
        )

    def _needs(self, kind: Kind, data: Mapping[str, Any]) -> tuple[Ref, ...]:
        needs = [(referred, data[link]) for link, referred in kind.refs.items() if data.get(link)]
        if kind.name == "service" and data.get("ca_certificates"):
            needs += [("ca_certificate", name) for name in data["ca_certificates"]]
        return tuple(needs)

    def _secrets(self, kind: str, data: Mapping[str, Any]) -> tuple[Path, ...]:
        if kind not in ("plugin", "vault"):
            return KINDS[kind].secrets
        return (*self.schemas.config_secrets(kind, data), *named_secrets(data.get("config"), ("config",)))

    # -- both -----------------------------------------------------------------------------------------------------

    def normalise(self, desired: Item, actual: Actual) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        data, before = desired.data, actual.data
        record = self.schemas.of(desired.kind, data)
        after = {**dict.fromkeys(before), **(record.fill(data) if record is not None else data)}
        for name in KINDS[desired.kind].auto:
            if name not in data:
                after[name] = before.get(name)
        if desired.ref in self._hashed:
            pass  # It is as it is kept.
        elif desired.kind == "basic-auth":
            after["password"] = self._password(data, before)
        elif desired.kind == "oauth2" and after.get("hash_secret"):
            stored = str(before.get("client_secret"))
            if data.get("client_secret") and is_oauth2_hash_of(stored, str(data["client_secret"])):
                after["client_secret"] = stored
        elif desired.kind == "key-auth" and after.get("ttl") is not None and before.get("ttl") is not None:
            after["ttl"] = RUNNING
        if len(after) != len(before):
            before = {**dict.fromkeys(after), **before}
        return after, before

    def _password(self, data: Mapping[str, Any], before: Mapping[str, Any]) -> str:
        """The stored hash if the declared password is that one, or is the hash itself (a dump); else the password."""
        declared, stored = str(data.get("password")), str(before.get("password"))
        consumer = self.names.ids.get(("consumer", str(data.get("consumer"))), "")
        if hmac.compare_digest(stored, password_hash(declared, consumer)) or hmac.compare_digest(
            stored.encode(), declared.encode()
        ):
            return stored
        if is_password_hash(declared):
            self.warnings.append(
                f"the password of basic-auth {data.get('username')!r} looks like a hash; Kong hashes it again"
            )
        return declared

    def stored(self, kind: Kind, after: Mapping[str, Any]) -> dict[str, Any]:
        """What a read shows after this was written."""
        data = dict(after)
        if kind.name == "basic-auth" and not is_password_hash(str(data["password"])):
            data["password"] = password_hash(
                str(data["password"]), self.names.ids.get(("consumer", str(data["consumer"])), "")
            )
        if kind.name == "key-auth" and data.get("ttl") is not None:
            data["ttl"] = RUNNING
        return data


def _claims(kind: Kind, data: Mapping[str, Any]) -> tuple[Claim, ...]:
    return tuple((f"{kind.name} {name}", str(data[name])) for name in kind.unique if data.get(name) is not None)
