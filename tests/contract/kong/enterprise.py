# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the Enterprise edition has beside: consumer groups and their members, and `/kong` in each workspace.

No such node was recorded. This rests on Kong Gateway's documentation ("Consumer Groups Reference" of its Admin API) and
on how decK and Kong's ingress controller use it.
"""

from __future__ import annotations

from typing import Optional

from tests.contract.kong import errors
from tests.contract.kong.admin_api import AdminApi, Answer, Request, answer, not_allowed
from tests.contract.kong.kinds import Kind
from tests.contract.kong.notation import Entity
from tests.contract.kong.store import encode_offset


class EnterpriseApi(AdminApi):
    """The Admin API of one workspace."""

    def dispatch(self, request: Request) -> Answer:
        if request.parts == ["kong"]:
            return answer(200, self.node.information(self.store))
        return super().dispatch(request)

    def entity(self, kind: Kind, key: str, request: Request, extra: Optional[Entity] = None) -> Answer:
        if kind.name == "consumer_groups" and request.method == "GET":
            return self._group(self.must_find(kind, key))
        return super().entity(kind, key, request, extra)

    def below(self, kind: Kind, request: Request) -> Answer:
        if kind.name == "consumer_groups" and request.parts[2] == "consumers":
            return self._members(request)
        return super().below(kind, request)

    def _group(self, group: Entity, status: int = 200) -> Answer:
        consumers = [self.store.rows["consumers"][key] for key in self._member_ids(group)]
        return answer(status, {"consumer_group": group, "consumers": consumers})

    def _member_ids(self, group: Entity) -> list[str]:
        kind = self.store.kinds["consumer_group_consumers"]
        keys = self.store.children(kind, "consumer_group", group["id"])
        return sorted(self.store.rows[kind.name][key]["consumer"]["id"] for key in keys)

    def _members(self, request: Request) -> Answer:
        """`/consumer_groups/{group}/consumers[/{consumer}]`."""
        names = ("consumer_groups", "consumers", "consumer_group_consumers")
        groups, consumers, kind = (self.store.kinds[name] for name in names)
        group = self.must_find(groups, request.parts[1])
        if len(request.parts) == 3 and request.method == "GET":
            page, last = self.page(consumers, self._member_ids(group), request, None)
            offset = encode_offset(last) if last else ""
            path = f"/consumer_groups/{group['id']}/consumers?offset={offset} {offset}"
            return self.list_(consumers, page, path if last else None)
        self.writable("create" if request.method == "POST" else "remove", kind)
        if len(request.parts) == 3 and request.method == "POST":
            consumer = self.must_find(consumers, str(request.json().get("consumer")))
            self.store.insert(kind, {"consumer_group": {"id": group["id"]}, "consumer": {"id": consumer["id"]}})
            return self._group(group, 201)
        if len(request.parts) == 4 and request.method == "DELETE":
            consumer = self.must_find(consumers, request.parts[3])
            found = self.store.by_values(kind, group["id"], consumer["id"])
            if found is None:
                raise errors.plain(404, "Not found")
            self.store.delete(kind, found)
            return answer(204)
        return not_allowed()
