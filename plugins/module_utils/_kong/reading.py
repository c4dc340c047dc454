# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which lists of a node are read, and reading them: few, whole, several at a time.

    declared kinds and those they refer to ─▶ whole lists, foreign entities too, so that a name somebody else has is
                                              found while planning
    /tags/{tag}                            ─▶ the other kinds that hold something of ours
    where something of ours may go         ─▶ all that could refer to it: Kong would delete it too, whosever it is

Targets and the members of consumer groups have no lists of their own; each upstream and group in question is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Optional
from urllib.parse import quote

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import Declared
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.kinds import KINDS, MEMBER, PLURALS, REFERRERS
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.naming import Row, Rows, name_rows
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.transport import AdminError

#: Lists that are read at a time. More does not help: reading them is the work of one processor, ours.
_AT_A_TIME = 4


class Reader:
    """Reads, and remembers what it has read so that `again` reads the same."""

    def __init__(
        self,
        client: Client,
        declared: Sequence[Declared],
        tags: Sequence[str],
        prunes: bool,
        rows: Optional[Rows] = None,
    ) -> None:
        self.client, self.declared, self.tags, self.prunes = client, declared, tags, prunes
        self.rows: dict[str, dict[str, Row]] = {kind: dict(found) for kind, found in (rows or {}).items()}
        self.whole = False

    def first(self) -> Rows:
        """All that the declaration can meet."""
        self._lists(_declared_kinds(self.declared))
        tagged = {PLURALS[plural].name for plural in self._tagged() if plural in PLURALS}
        self._lists(tagged)
        if self.prunes:
            going = self._going()
            self._lists(referrer for kind in going for referrer in REFERRERS[kind])
        if "target" in tagged or "target" in self.rows or any(item.kind == "target" for item in self.declared):
            self._targets()
        self._members()
        return self.rows

    def all(self) -> Rows:
        """Everything, whatever is declared."""
        self.whole = True
        self._lists(KINDS)
        self._targets()
        self._members()
        return self.rows

    def again(self) -> Rows:
        kinds = set(self.rows)
        self.rows = {}
        self._lists(kinds)
        if "target" in kinds:
            self._targets()
        self._members()
        return self.rows

    def _tagged(self) -> set[str]:
        path = f"/tags/{quote(self.tags[0], safe='')}"
        return {str(entry.get("entity_name")) for entry in self.client.pages(path)}

    def _lists(self, kinds: Iterable[str]) -> None:
        wanted = [kind for kind in dict.fromkeys(kinds) if kind not in self.rows and kind != MEMBER]
        if "target" in wanted:
            wanted.remove("target")
            self.rows["target"] = {}
            wanted += [kind for kind in ("upstream",) if kind not in self.rows and kind not in wanted]
        for kind, rows in zip(wanted, _several(self._list, wanted)):
            self.rows[kind] = rows

    def _targets(self) -> None:
        asked = {str(item.data.get("upstream")) for item in self.declared if item.kind == "target"}
        keys = [
            key
            for key, row in self.rows.get("upstream", {}).items()
            if self.whole or key in asked or row.get("name") in asked or set(self.tags) <= set(row.get("tags") or ())
        ]
        found = self.rows["target"] = {}
        for rows in _several(self._one, [f"/upstreams/{key}/targets" for key in keys]):
            found.update(rows)

    def _members(self) -> None:
        """Members have neither ids nor tags: those of a group are whose it is; of a declared group, ours."""
        if "consumer_group" not in self.rows:
            return
        asked = {one for item in self.declared if item.kind == "consumer_group" for one in (item.name, item.id)}
        marks = {
            key: list(self.tags) if key in asked or row["name"] in asked else row.get("tags") or []
            for key, row in self.rows["consumer_group"].items()
        }
        groups = [key for key, tags in marks.items() if self.whole or set(self.tags) <= set(tags)]
        found = self.rows[MEMBER] = {}
        for group, rows in zip(groups, _several(self._one, [f"/consumer_groups/{key}/consumers" for key in groups])):
            for consumer in rows:
                links = {"consumer_group": {"id": group}, "consumer": {"id": consumer}}
                found[f"{group}:{consumer}"] = {"id": f"{group}:{consumer}", "tags": marks[group], **links}

    def _list(self, kind: str) -> dict[str, Row]:
        path = f"/{KINDS[kind].path}"
        try:
            return self._one(path)
        except AdminError as error:
            if error.status != 404:
                raise
            # Other editions do not have some lists, and a plugin that is switched off brings none of its credentials.
            item = next((item for item in self.declared if item.kind == kind), None)
            if item is None:
                return {}
            why = "only the Enterprise edition does" if KINDS[kind].enterprise else "its plugin is not enabled there"
            raise PlatformError(
                f"{item.origin}: {kind} {item.name!r}: {self.client.where} has no {path}; {why}", "not_supported"
            ) from error

    def _one(self, path: str) -> dict[str, Row]:
        # By id: a page that shifts while others write gives some entity twice.
        return {row["id"]: row for row in self.client.pages(path)}

    def _going(self) -> set[str]:
        """Kinds of which something of ours is not declared."""
        names = name_rows(self.rows, self.declared, self.tags)
        wanted = {(item.kind, item.name) for item in self.declared}
        tags = set(self.tags)
        return {
            kind
            for kind, rows in self.rows.items()
            if any(
                (kind, names.names[kind, key]) not in wanted and tags <= set(row.get("tags") or ())
                for key, row in rows.items()
            )
        }


def _several(function: Callable[[str], dict[str, Row]], items: Sequence[str]) -> Iterable[dict[str, Row]]:
    if len(items) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(_AT_A_TIME, "read") as pool:
        return list(pool.map(function, items))


def _declared_kinds(declared: Iterable[Declared]) -> set[str]:
    found: set[str] = set()
    for item in declared:
        found.add(item.kind)
        found.update(referred for link, referred in KINDS[item.kind].refs.items() if item.data.get(link))
        if item.kind == "service" and item.data.get("ca_certificates"):
            found.add("ca_certificate")
    return found
