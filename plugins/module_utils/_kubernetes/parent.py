# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parent of an ApplySet on the server: read, planned, written. It goes with the last member."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes import apply_set
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.apply_set import ApplySet
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.client import APPLY, ApiError, Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.objects import Live, parted
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Ref
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import CREATE, DELETE, UPDATE, Change


class Parent:
    """One set's. `live` is what `read` found."""

    def __init__(self, client: Client, members: ApplySet, manager: str) -> None:
        self._client, self._set, self._manager = client, members, manager
        self._path = f"/api/v1/namespaces/{members.namespace}/secrets/{members.name}"
        self.live: Optional[Live] = None

    def read(self) -> tuple[frozenset[str], frozenset[str]]:
        """The kinds and namespaces that may hold members. Raises PlatformError if it is another tool's."""
        self.live = self._client.find(self._path)
        if self.live is None:
            return frozenset(), frozenset()
        metadata = self.live["metadata"]
        told = (metadata.get("annotations") or {}).get(apply_set.TOOLING, "")
        if (metadata.get("labels") or {}).get(apply_set.ID) != self._set.id or told != apply_set.OUR_TOOLING:
            whose = f"is the set of {told!r}" if told else "is no set's parent"
            raise PlatformError(
                f"apply_set: the Secret {self._set.namespace}/{self._set.name} {whose}; choose another name",
                "foreign_owner",
            )
        return apply_set.scope(self.live)

    def change(self, refs: Iterable[Ref]) -> tuple[Change, ...]:
        """What it has to become for these members."""
        members = list(refs)
        if not members and self.live is None:
            return ()
        after = self._wanted(members)["metadata"]["annotations"]
        if self.live is None:
            return (Change(CREATE, "ApplySet", self._set.name, ("declared",), None, after),)
        annotations = self.live["metadata"].get("annotations") or {}
        before = {key: text for key, text in annotations.items() if key in after}
        if not members:
            return (Change(DELETE, "ApplySet", self._set.name, ("no_members",), before, None),)
        return () if before == after else (Change(UPDATE, "ApplySet", self._set.name, ("members",), before, after),)

    def write(self, refs: Iterable[Ref]) -> None:
        # What others have written into it is theirs no longer: the account of a set is its tool's.
        query = {"fieldManager": self._manager, "force": "true"}
        members = list(refs)
        if not members:
            self._remove()
        elif self.change(members):
            self.live = self._client.ask("PATCH", self._path, self._wanted(members), query, APPLY)

    def _remove(self) -> None:
        if self.live is None:
            return
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": self.live["metadata"]["uid"]},
        }
        try:
            self._client.ask("DELETE", self._path, body)
        except ApiError as error:
            if error.status != 404:
                raise
        self.live = None

    def _wanted(self, refs: Iterable[Ref]) -> dict[str, Any]:
        found = list(refs)
        return self._set.parent({kind for kind, _name in found}, {parted(name)[0] for _kind, name in found})
