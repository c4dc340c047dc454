# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is on the server of what is declared, and of what was.

set's label ─▶ one list a kind ─▶ our objects
declared and not among them ─▶ a few: one by one; many: a list of the kind ─▶ foreign objects, or nothing
ours, but not surely as declared ─▶ dry run ─▶ what the server would make of it
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Optional, TypeVar

from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.apply_set import PART_OF
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.client import ApiError, Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kubernetes.objects import (
    Live,
    Resource,
    name_of,
    parted,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Ref

#: So many objects of a kind are looked up one by one; for more, the kind is listed.
SINGLE = 5
#: In so many namespaces a kind is listed by itself; for more, in all at once.
FEW_NAMESPACES = 3

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def parallel(run: Callable[[_In], _Out], items: Sequence[_In], concurrency: int) -> list[_Out]:
    """Each item's answer, in order; the first error ends it."""
    if len(items) < 2:
        return [run(item) for item in items]
    with ThreadPoolExecutor(min(concurrency, len(items)), "read") as pool:
        return list(pool.map(run, items))


class Reader:
    """Reads one set. kinds: what the server has of each kind that matters."""

    def __init__(self, client: Client, set_id: str, concurrency: int) -> None:
        self._client, self._id, self._concurrency = client, set_id, concurrency

    def members(self, kinds: Iterable[Resource], namespaces: Iterable[str]) -> dict[Ref, Live]:
        """The objects with our label. namespaces: where they may be, asked one by one if all at once is forbidden."""
        places = sorted(namespaces)

        def listed(resource: Resource) -> list[Live]:
            return self._list(resource, places, f"{PART_OF}={self._id}")

        wanted = list(kinds)
        found = parallel(listed, wanted, self._concurrency)
        return {(one.kind, name_of(live)): live for one, lives in zip(wanted, found) for live in lives}

    def _list(self, resource: Resource, namespaces: Sequence[str], selector: str = "") -> list[Live]:
        try:
            return self._listed(resource, "", selector)
        except ApiError as error:
            if error.status == 404:
                # The kind is gone, and what was of it.
                return []
            if error.status != 403 or not resource.namespaced:
                raise
        return [live for place in namespaces for live in self._listed(resource, place, selector)]

    def _listed(self, resource: Resource, namespace: str, selector: str = "") -> list[Live]:
        return [resource.named(live) for live in self._client.list(resource.url(namespace), selector)]

    def others(self, refs: Iterable[Ref], kinds: Mapping[str, Resource]) -> dict[Ref, Live]:
        """What is there under these names, whoever's it is."""
        by_kind: dict[str, set[str]] = defaultdict(set)
        for kind, name in refs:
            by_kind[kind].add(name)
        single = [(kind, name) for kind, names in by_kind.items() if len(names) <= SINGLE for name in names]
        whole = [kind for kind, names in by_kind.items() if len(names) > SINGLE]

        def look(ref: Ref) -> Optional[Live]:
            namespace, name = parted(ref[1])
            return self._client.find(kinds[ref[0]].url(namespace, name))

        def listed(kind: str) -> list[Live]:
            places = sorted({parted(name)[0] for name in by_kind[kind]})
            if kinds[kind].namespaced and len(places) <= FEW_NAMESPACES:
                return [live for place in places for live in self._listed(kinds[kind], place)]
            return self._list(kinds[kind], places)

        found = {ref: live for ref, live in zip(single, parallel(look, single, self._concurrency)) if live is not None}
        for kind, lives in zip(whole, parallel(listed, whole, self._concurrency)):
            found.update({(kind, name_of(live)): live for live in lives if name_of(live) in by_kind[kind]})
        return found
