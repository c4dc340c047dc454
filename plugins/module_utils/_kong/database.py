# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node with a database, entity by entity: the engine's provider.

    lists (declared kinds, kinds with something of ours) ─▶ Inventory ─▶ Actual ─▶ engine ─▶ PUT, PATCH, POST, DELETE

Each write is safe to repeat. What is made has an id made from its name, so a lost answer makes no second one. An update
or a delete first looks whether the entity still is what was planned on: Kong has no ETag, so somebody else's change
between that look and the write is lost; the window is one round trip.

Kong's ways that shaped it:

- PUT replaces the whole entity, resets `created_at` unless it is sent, and deletes a certificate's SNIs unless they are
  sent. So `created_at` is sent, and certificates are updated by PATCH with all their fields.
- A target is never made by PUT. POST takes an id, and a second one is refused by it.
- Who is in a consumer group is written by itself, and a group is read with its members around it.
- basic-auth passwords are hashed with the consumer's id, OAuth2 client secrets with `hash_secret` with a salt. PATCH
  without it leaves an unchanged one alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional
from urllib.parse import quote

from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.hashes import hashed_fields
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.inventory import Inventory
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.kinds import KINDS, MEMBER, Kind
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.naming import Row
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.reading import Reader
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import AdminError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Actual, Claim, Desired, Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import CREATE, DELETE
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import (
    CONFLICT,
    ApplyError,
    Provider,
)


class Database(Provider):
    """The provider. `desired` is what is declared, in the engine's terms."""

    loaded = ""

    def __init__(self, client: Client, reader: Reader, inventory: Inventory) -> None:
        self.client, self.reader, self.inventory = client, reader, inventory
        self.fresh = True
        self.desired = inventory.desired()
        inventory.assign_ids()

    def read(self) -> list[Actual]:
        # What was read to find out what is declared is as fresh as can be.
        if not self.fresh:
            self.inventory.reread(self.reader.again())
        self.fresh = False
        return self.inventory.actual()

    @property
    def warnings(self) -> list[str]:
        return self.inventory.warnings

    def level(self, kind: str) -> int:
        return KINDS[kind].level

    def normalise(self, desired: Desired, actual: Actual) -> tuple[Any, Any]:
        return self.inventory.normalise(desired, actual)

    def vacate(self, actual: Actual, claims: Sequence[Claim]) -> Optional[Mapping[str, Any]]:
        kind = KINDS[actual.kind]
        fields = [what.split(" ", 1)[1] for what, _value in claims]
        data = {**actual.data, **dict.fromkeys(fields)}
        possible = all(field in kind.optional for field in fields)
        if kind.name == "consumer" and not (data.get("username") or data.get("custom_id")):
            possible = False
        return data if possible else None

    def apply(self, batch: Sequence[Step]) -> None:
        for step in batch:
            if step.item.kind == MEMBER:
                self._write_member(step)
            elif step.action == CREATE:
                self._create(step)
            elif step.action == DELETE:
                self._delete(step)
            else:
                self._update(step)

    # -- writes ---------------------------------------------------------------------------------------------------

    def _create(self, step: Step) -> None:
        desired = step.desired
        if desired is None:
            raise ValueError("a create of nothing")
        kind = KINDS[desired.kind]
        names = self.inventory.names
        body = self._body(kind, desired.data)
        if desired.restores is not None:
            self._refuse_hash(kind, desired)
            handle = desired.restores.handle
            names.set(kind.name, handle.id, desired.name)
            body["created_at"] = handle.row.get("created_at")
        key = names.ids[desired.ref]
        if kind.name == "target":
            self._create_target(key, body)
        else:
            self.client.call("PUT", self._path(kind, key, desired.data), body)
        names.set(kind.name, key, desired.name)

    def _write_member(self, step: Step) -> None:
        data, ids = step.item.data, self.inventory.names.ids
        group, consumer = (ids.get((referred, data[link]), data[link]) for link, referred in KINDS[MEMBER].refs.items())
        collection = f"/consumer_groups/{quote(group, safe='')}/consumers"
        try:
            if step.action == CREATE:
                self.client.call("POST", collection, {"consumer": consumer})
            elif step.action == DELETE:
                self.client.call("DELETE", f"{collection}/{quote(consumer, safe='')}")
            # What is adopted is so with its group.
        except AdminError as error:
            if error.status not in (400, 404, 409):
                raise
            # It may be so already: by a write whose answer was lost, or by somebody else.
            is_in = any(row["id"] == consumer for row in self.client.pages(collection))
            if is_in is (step.action == DELETE):
                raise

    def _create_target(self, key: str, body: dict[str, Any]) -> None:
        collection = f"/upstreams/{body.pop('upstream')['id']}/targets"
        try:
            self.client.call("POST", collection, {**body, "id": key})
        except AdminError as error:
            if error.status not in (400, 409):
                raise
            # An answer that was lost, or somebody else's.
            there = self._current(f"{collection}/{key}")
            if there is None or there.get("target") != body["target"] or there.get("weight") != body.get("weight", 100):
                raise

    def _update(self, step: Step) -> None:
        desired, actual = step.desired, step.actual
        if desired is None or actual is None:
            raise ValueError("an update of nothing")
        kind = KINDS[desired.kind]
        path = self._path(kind, actual.handle.id, actual.data)
        row = self._current(path)
        if row is None:
            raise ApplyError("it is gone since it was read", CONFLICT)
        now = self.inventory.data_of(kind, row)
        if now != actual.data:
            if now == self.inventory.stored(kind, step.after):
                return
            raise ApplyError("it is not what it was when it was read", CONFLICT)
        body = self._body(kind, step.after)
        hashed = hashed_fields(kind.name, step.after)
        if hashed:
            # Without a change the hash stands here, and would be hashed.
            if all(step.after[field] == actual.data.get(field) for field in (*hashed, "consumer")):
                self.client.call("PATCH", path, {key: value for key, value in body.items() if key not in hashed})
                return
            self._refuse_hash(kind, desired)
            body[hashed[0]] = desired.data.get(hashed[0], body[hashed[0]])
        if kind.name in ("certificate", "target"):
            body.pop("upstream", None)
            self.client.call("PATCH", path, body)
            return
        if body.get("ttl") == "running":
            body["ttl"] = row["ttl"]
        if kind.name == "upstream" and body.get("hash_on") == "none":
            # A shorthand that would choose the algorithm.
            del body["hash_on"]
        body["created_at"] = row.get("created_at")
        self.client.call("PUT", self._path(kind, actual.handle.id, desired.data), body)

    def _delete(self, step: Step) -> None:
        actual = step.actual
        if actual is None:
            raise ValueError("a delete of nothing")
        kind = KINDS[actual.kind]
        path = self._path(kind, actual.handle.id, actual.data)
        row = self._current(path)
        if row is None:
            return
        if self.inventory.data_of(kind, row) != actual.data:
            raise ApplyError("it is not what it was when it was read", CONFLICT)
        self.client.call("DELETE", path)

    def _refuse_hash(self, kind: Kind, desired: Desired) -> None:
        if desired.restores is not None and hashed_fields(kind.name, desired.data):
            raise ApplyError("it cannot be brought back: the node keeps only a hash of its secret", "not_restorable")

    def _current(self, path: str) -> Optional[Row]:
        try:
            found = self.client.call("GET", path)[1]
        except AdminError as error:
            if error.status == 404:
                return None
            raise
        group = found.get("consumer_group") if isinstance(found, dict) else None
        if isinstance(group, dict) and "name" in group:
            return group
        return found if isinstance(found, dict) else None

    def _path(self, kind: Kind, key: str, data: Mapping[str, Any]) -> str:
        names = self.inventory.names
        if kind.below:
            consumer = names.ids.get(("consumer", str(data["consumer"])), str(data["consumer"]))
            return f"/consumers/{quote(consumer, safe='')}/{kind.below}/{key}"
        if kind.name == "target":
            upstream = names.ids.get(("upstream", str(data["upstream"])), str(data["upstream"]))
            return f"/upstreams/{quote(upstream, safe='')}/targets/{key}"
        return f"/{kind.path}/{key}"

    def _body(self, kind: Kind, data: Mapping[str, Any]) -> dict[str, Any]:
        """Data as it is written: references by id."""
        ids = self.inventory.names.ids
        body = dict(data)
        for link, referred in kind.refs.items():
            name = body.get(link)
            if name is not None:
                body[link] = {"id": ids.get((referred, name), name)}
        if kind.name == "service" and body.get("ca_certificates"):
            body["ca_certificates"] = [ids.get(("ca_certificate", name), name) for name in body["ca_certificates"]]
        return body
