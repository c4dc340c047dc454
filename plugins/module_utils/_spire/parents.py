# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Under what an entry hangs: which agents get it. Pure.

A parent is the server (an entry of nodes), an agent, or what an entry of nodes gives to agents (a node alias). The
server takes any, and an entry whose parent is nothing reaches nobody, without a word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError, first_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import listed, suggestion
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile import policy
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Ref
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.declaration import Declared
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.entries import KIND, Row

_SERVER, _AGENT = "/spire/server", "/spire/agent/"


class Parents:
    """Which entries give which SPIFFE ID, as far as it is somebody's parent."""

    def __init__(self, declared: Iterable[Declared], rows: Iterable[Row]) -> None:
        declared = tuple(declared)
        self._used = {item.data["parent_id"] for item in declared}
        self._used.update(row.data["parent_id"] for row in rows)
        self._declared = self._givers((item.name, item.data["spiffe_id"]) for item in declared)
        self._there = self._givers((row.id, row.data["spiffe_id"]) for row in rows)
        aliases = (item.data for item in declared if item.data["parent_id"].endswith(_SERVER))
        self._aliases = sorted({data["spiffe_id"] for data in aliases})
        self._by_parent = {parent: sorted(names) for parent, names in self._first_children(declared).items()}

    def _givers(self, items: Iterable[tuple[str, str]]) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, spiffe_id in items:
            if spiffe_id in self._used:
                found.setdefault(spiffe_id, []).append(name)
        return found

    def _first_children(self, declared: Iterable[Declared]) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for item in declared:
            found.setdefault(item.data["parent_id"], []).append(item.name)
        return found

    def needs(self, parent: str) -> tuple[Ref, ...]:
        """What must be there before an entry under this parent, and cannot go before it.

        Where several give the ID, one of them may go.
        """
        names = self._declared.get(parent) or self._there.get(parent) or ()
        return ((KIND, min(names)),) if parent in self._declared or len(names) == 1 else ()

    def agents(self) -> frozenset[str]:
        """The agents that are parents of what is declared."""
        return frozenset(parent for parent in self._by_parent if _AGENT in parent)

    def check(self) -> None:
        """Refuse parents that are nothing. Raises PlatformError."""
        known = self._declared.keys() | self._there.keys()
        problems = [
            f"{parent} is the parent of {listed(names, 3)}, but no agent and no entry has this SPIFFE ID"
            f"{suggestion(parent, self._aliases)}; declare the node alias too"
            for parent, names in sorted(self._by_parent.items())
            if parent not in known and _AGENT not in parent and not parent.endswith(_SERVER)
        ]
        if problems:
            details = policy.listed(problems) if len(problems) > 1 else []
            raise PlatformError(first_of(problems), "no_parent", details)

    def absent(self, agents: Collection[str]) -> list[str]:
        """A warning for each agent that is a parent and has not attested."""
        return [
            f"no agent is attested as {parent}, the parent of {listed(self._by_parent[parent], 3)}; until one is, "
            "nobody gets these entries"
            for parent in sorted(self.agents() - set(agents))
        ]
