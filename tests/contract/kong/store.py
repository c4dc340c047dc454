# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node with a database stores: entities, their unique values and references, and the rules for writes.

A write: input -> defaults filled in -> names of other entities resolved -> checked -> secrets hashed -> id, unique
values and references held against what is there. Everything is in memory: dicts by id and by unique value, and for each
kind a sorted list of ids, for a page is a range of ids. `rows` holds what is stored; `show` gives what a read answers.
Units: seconds since the epoch. Errors: `KongError`. Source: `recorded/kong-3.9.1.jsonl`, the Admin API reference.
"""

from __future__ import annotations

import base64
import bisect
import hashlib
import json
import secrets
from typing import Any, Callable, Optional

from tests.contract.kong import errors
from tests.contract.kong.entities import SNI_NAMES
from tests.contract.kong.kinds import Kind, kinds
from tests.contract.kong.notation import Entity, Errors, reference_error
from tests.contract.kong.values import certificate_digest, format_target, is_uuid

_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def to_json(value: Any) -> bytes:
    return _dumps(value).encode()


class Store:
    """The entities of one node, or of one workspace of it."""

    def __init__(self, clock: Callable[[], float], new_id: Callable[[], str], enterprise: bool = False) -> None:
        self.clock = clock
        self.new_id = new_id
        self.enterprise = enterprise
        self.kinds = kinds(enterprise)
        self.rows: dict[str, dict[str, Entity]] = {name: {} for name in self.kinds}
        self.order: dict[str, list[str]] = {name: [] for name in self.kinds}
        self._blobs: dict[str, dict[str, bytes]] = {name: {} for name in self.kinds}
        self._unique: dict[tuple[str, str], dict[Any, str]] = {
            (name, field): {} for name, kind in self.kinds.items() for field in kind.uniques
        }
        self._together: dict[str, dict[tuple[Any, ...], str]] = {name: {} for name in self.kinds}
        # (parent kind) -> (child kind, field); and (child kind, field) -> parent id -> child ids
        self._children: dict[str, list[tuple[Kind, str]]] = {name: [] for name in self.kinds}
        self._of: dict[tuple[str, str], dict[str, set[str]]] = {}
        for kind in self.kinds.values():
            for field, spec in kind.links.items():
                self._children[spec.target].append((kind, field))
                self._of[kind.name, field] = {}

    # -- reading ------------------------------------------------------------------------------------------------------

    def get(self, kind: Kind, key: str) -> Optional[Entity]:
        """The stored entity by id; an expired one is gone."""
        row = self.rows[kind.name].get(key)
        if row is not None and kind.ttl and row["ttl"] is not None and row["ttl"] <= self.clock():
            self._remove(kind, row)
            return None
        return row

    def by_unique(self, kind: Kind, field: str, value: Any) -> Optional[Entity]:
        if (kind.name, field) in self._unique:
            found = self._unique[kind.name, field].get(value)
            return None if found is None else self.get(kind, found)
        return next((row for row in self.rows[kind.name].values() if row.get(field) == value), None)

    def by_values(self, kind: Kind, *values: Any) -> Optional[Entity]:
        found = self._together[kind.name].get(values)
        return None if found is None else self.get(kind, found)

    def children(self, child: Kind, field: str, parent: str) -> list[str]:
        """Ids of the entities whose `field` refers to `parent`, sorted."""
        found = sorted(self._of[child.name, field].get(parent, ()))
        return [key for key in found if self.get(child, key) is not None] if child.ttl else found

    def expire(self, kind: Kind) -> None:
        now = self.clock()
        for row in [r for r in self.rows[kind.name].values() if r["ttl"] is not None and r["ttl"] <= now]:
            self._remove(kind, row)

    def show(self, kind: Kind, row: Entity) -> Entity:
        """The entity as a read answers it."""
        shown = kind.record.show(row)
        if kind.ttl and row["ttl"] is not None:
            return {**shown, "ttl": int(row["ttl"] - self.clock())}
        if kind.name == "certificates":
            keys = self.children(self.kinds["snis"], "certificate", row["id"])
            return {**shown, "snis": sorted(self.rows["snis"][key]["name"] for key in keys)}
        return shown

    def blob(self, kind: Kind, key: str) -> bytes:
        """`show` as JSON."""
        if kind.ttl or kind.name == "certificates":
            return to_json(self.show(kind, self.rows[kind.name][key]))
        blobs = self._blobs[kind.name]
        found = blobs.get(key)
        if found is None:
            found = blobs[key] = to_json(self.show(kind, self.rows[kind.name][key]))
        return found

    # -- writing ------------------------------------------------------------------------------------------------------

    def insert(self, kind: Kind, data: Entity) -> Entity:
        row, snis = self._complete(kind, self._stamp(kind, self._fill(kind, data)))
        if row.get("id") in self.rows[kind.name]:
            raise errors.id_taken(row["id"])
        return self._finish(kind, _hash_secrets(kind, row), snis)

    def upsert(self, kind: Kind, key: Entity, data: Entity) -> Entity:
        """PUT: replace the entity that `key` (an id or a unique value) names, or make it."""
        (field, value), *_rest = key.items()
        row, snis = self._complete(kind, self._stamp(kind, self._fill(kind, {**data, **key})))
        old = self.by_unique(kind, field, value) if field != "id" else self.get(kind, value)
        if old is not None:
            row["id"] = old["id"]
        return self._finish(kind, _hash_secrets(kind, row), snis)

    def update(self, kind: Kind, old: Entity, data: Entity) -> Entity:
        """PATCH: records are merged, everything else is replaced."""
        row = {**self._fill(kind, data, old), "id": old["id"]}
        if kind.has_updated_at:
            row["updated_at"] = self._now(kind)
        row, snis = self._complete(kind, row)
        return self._finish(kind, _hash_secrets(kind, row, old), snis)

    def delete(self, kind: Kind, row: Entity) -> None:
        if kind.name == "ca_certificates":
            user = next((s for s in self.rows["services"].values() if row["id"] in (s["ca_certificates"] or ())), None)
            if user:
                raise errors.referenced_by_others(f"the service '{user['id']}' still trusts this authority")
        cascade: list[tuple[Kind, str]] = []
        for child, field in self._children[kind.name]:
            found = self.children(child, field, row["id"])
            if found and not child.links[field].cascade:
                raise errors.referenced(kind.name, child.name)
            cascade += [(child, key) for key in found]
        for child, key in cascade:
            if key in self.rows[child.name]:
                self.delete(child, self.rows[child.name][key])
        self._remove(kind, row)

    # -- the stages of a write ----------------------------------------------------------------------------------------

    def _now(self, kind: Kind) -> Any:
        now = self.clock()
        return round(now, 3) if kind.milliseconds else int(now)

    def _fill(self, kind: Kind, data: Entity, old: Optional[Entity] = None) -> Entity:
        data = dict(data)
        ttl = data.pop("ttl", None) if kind.ttl else None
        if ttl is not None and (not isinstance(ttl, int) or ttl < 0):
            raise errors.invalid_option("ttl", "must be a number of seconds")
        if kind.name == "targets" and isinstance(data.get("target"), str):
            data["target"] = format_target(data["target"])
        row = kind.record.fill(data, old)
        if kind.ttl:
            row["ttl"] = self.clock() + ttl if ttl is not None else old["ttl"] if old else None
        return row

    def _stamp(self, kind: Kind, row: Entity) -> Entity:
        now = self._now(kind)
        if row.get("created_at") is None:
            row["created_at"] = now
        if kind.has_updated_at:
            row["updated_at"] = now
        return row

    def stored_form(self, kind: Kind, data: Entity, transforms: bool = True) -> Entity:
        """What would be stored of an entity that is known to be right and has its id and references."""
        row = self._stamp(kind, self._fill(kind, data))
        return _hash_secrets(kind, row) if transforms else row

    def _complete(self, kind: Kind, row: Entity) -> tuple[Entity, Optional[list[str]]]:
        """The row, all of it checked, with other entities' ids for their names; SNIs given with a certificate apart."""
        wrong: Errors = {}
        snis: Optional[list[str]] = None
        if kind.name == "certificates" and "snis" in row:
            snis = row.pop("snis")
            error = SNI_NAMES.check(snis)
            if error:
                wrong["snis"] = error
            else:
                self._check_snis(snis or [], row.get("id"))
        self._resolve(kind, row)
        known = {name: value for name, value in row.items() if name != "ttl"} if kind.ttl else row
        wrong.update(kind.record.check(known))
        if wrong:
            raise errors.schema_violation(wrong)
        if kind.name == "ca_certificates":
            row["cert_digest"] = certificate_digest(row["cert"])
        for field in kind.links:
            if row.get(field) is not None:
                row[field] = {"id": row[field]["id"]}
        return row, snis

    def _resolve(self, kind: Kind, row: Entity) -> None:
        """References by a unique value become references by id."""
        missing: dict[str, dict[str, str]] = {}
        for field, spec in kind.links.items():
            value = row.get(field)
            if not isinstance(value, dict) or reference_error(value) is None:
                continue
            parent = self.kinds[spec.target]
            wanted = {name: value[name] for name in parent.uniques if isinstance(value.get(name), str)}
            found = [self.by_unique(parent, name, text) for name, text in wanted.items()]
            entity = next((each for each in found if each is not None), None)
            if entity is not None:
                row[field] = {"id": entity["id"]}
            elif wanted:
                missing[field] = {n: errors.unresolved_text(n, text, parent.name) for n, text in wanted.items()}
        if missing:
            raise errors.unresolved(missing)

    def _check_snis(self, names: list[str], certificate: Optional[str]) -> None:
        for name in names:
            taken = self.by_unique(self.kinds["snis"], "name", name)
            owner = taken["certificate"]["id"] if taken else certificate
            if owner != certificate:
                text = f"{name} already associated with existing certificate '{owner}'"
                raise errors.schema_violation({"snis": text})

    def _finish(self, kind: Kind, row: Entity, snis: Optional[list[str]]) -> Entity:
        self._constraints(kind, row)
        if row.get("id") is None:
            row["id"] = self.new_id()
        old = self.rows[kind.name].get(row["id"])
        if old is not None:
            self._remove(kind, old)
        self._add(kind, row)
        if snis is not None:
            self._replace_snis(row["id"], snis)
        return row

    def _replace_snis(self, certificate: str, names: list[str]) -> None:
        kind = self.kinds["snis"]
        now = {self.rows["snis"][key]["name"]: key for key in self.children(kind, "certificate", certificate)}
        for name in sorted(set(names) - set(now)):
            self.insert(kind, {"name": name, "certificate": {"id": certificate}})
        for name in sorted(set(now) - set(names)):
            self._remove(kind, self.rows["snis"][now[name]])

    @staticmethod
    def _values(kind: Kind, row: Entity) -> tuple[Any, ...]:
        """What no other entity of the kind may have all of; empty where the kind has no such rule."""
        return tuple(v["id"] if isinstance(v, dict) else v for v in (row.get(field) for field in kind.together))

    def _constraints(self, kind: Kind, row: Entity) -> None:
        values = self._values(kind, row)
        if values and self._together[kind.name].get(values, row.get("id")) != row.get("id"):
            raise errors.unique_violation({field: row.get(field) for field in kind.together})
        for field in kind.uniques:
            value = row.get(field)
            if value is not None and self._unique[kind.name, field].get(value, row.get("id")) != row.get("id"):
                raise errors.unique_violation({field: value})
        for field, spec in kind.links.items():
            value = row.get(field)
            if value is not None and value["id"] not in self.rows[spec.target]:
                raise errors.dangling(field, value, spec.target)

    # -- the indexes --------------------------------------------------------------------------------------------------

    def _add(self, kind: Kind, row: Entity) -> None:
        key = row["id"]
        self.rows[kind.name][key] = row
        order = self.order[kind.name]
        if not order or order[-1] < key:
            order.append(key)
        else:
            bisect.insort(order, key)
        for field in kind.uniques:
            if row.get(field) is not None:
                self._unique[kind.name, field][row[field]] = key
        values = self._values(kind, row)
        if values:
            self._together[kind.name][values] = key
        for field in kind.links:
            if row.get(field) is not None:
                self._of[kind.name, field].setdefault(row[field]["id"], set()).add(key)

    def _remove(self, kind: Kind, row: Entity) -> None:
        key = row["id"]
        del self.rows[kind.name][key]
        order = self.order[kind.name]
        del order[bisect.bisect_left(order, key)]
        self._blobs[kind.name].pop(key, None)
        for field in kind.uniques:
            if row.get(field) is not None:
                del self._unique[kind.name, field][row[field]]
        values = self._values(kind, row)
        if values:
            del self._together[kind.name][values]
        for field in kind.links:
            if row.get(field) is not None:
                self._of[kind.name, field][row[field]["id"]].discard(key)

    def load(self, kind: Kind, row: Entity) -> None:
        """Take over an entity that is known to be right."""
        self._add(kind, row)


def _hash_secrets(kind: Kind, row: Entity, old: Optional[Entity] = None) -> Entity:
    """The row with the secrets that are stored as hashes; what a change left as it was stays."""
    field = {"basicauth_credentials": "password", "oauth2_credentials": "client_secret"}.get(kind.name)
    if field is None or row[field] is None or (old is not None and row[field] == old[field]):
        return row
    if field == "password":
        row[field] = _basic_hash(row)
    elif row["hash_secret"]:
        row[field] = _oauth2_hash(row[field])
    return row


def _basic_hash(row: Entity) -> str:
    # Kong's own way of storing it: not a choice of ours.
    return hashlib.sha1((row["password"] + row["consumer"]["id"]).encode()).hexdigest()


def _oauth2_hash(secret: str) -> str:
    salt = secrets.token_bytes(16)
    digest = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, 10000, 32)
    texts = [base64.b64encode(part).decode().rstrip("=") for part in (salt, digest)]
    return f"$pbkdf2-sha512$i=10000,l=32${texts[0]}${texts[1]}"


def encode_offset(key: str) -> str:
    return base64.b64encode(f'["{key}"]'.encode()).decode().rstrip("=")


def decode_offset(text: str) -> str:
    try:
        (key,) = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (ValueError, TypeError):
        raise errors.invalid_offset(text) from None
    if not is_uuid(key):
        raise errors.invalid_offset(text)
    return str(key)


__all__ = ["Store", "decode_offset", "encode_offset", "to_json"]
