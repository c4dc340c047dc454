# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which entity of a node is which of the declaration. Pure.

    rows by kind, declared ─▶ name_rows ─▶ Names: (kind, id) ⇄ (kind, name)

A row is what is declared if it has the declared id; else its natural name; else the id under which we would have made
it, so that a hand that renamed it is seen as that, and not as one entity gone and another come. Keys are told by their
value, certificates by one of their SNIs or by their content. What is not declared is named by its natural name, or by
its id where it has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import Declared
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.identity import digest_name, natural, stable_id
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.kinds import KEPT_BY_NODE, KINDS, Kind
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Ref

Row = Mapping[str, Any]
#: By kind: the rows by their ids.
Rows = Mapping[str, Mapping[str, Row]]


@dataclass
class Names:
    """names: by (kind, id). ids: by (kind, name)."""

    names: dict[Ref, str] = field(default_factory=dict)
    ids: dict[Ref, str] = field(default_factory=dict)

    def name(self, kind: str, key: str) -> str:
        """The name of an entity by its id, or the id if it is not known."""
        return self.names.get((kind, key), key)

    def set(self, kind: str, key: str, name: str) -> None:
        self.names[kind, key] = name
        self.ids[kind, name] = key

    def data(self, kind: Kind, row: Row) -> dict[str, Any]:
        """A row as data: references by name, without what the node keeps for itself."""
        data = {key: value for key, value in row.items() if key not in KEPT_BY_NODE}
        for link, referred in kind.refs.items():
            value = data.get(link)
            if isinstance(value, dict):
                data[link] = self.name(referred, str(value.get("id")))
        tags = data.get("tags")
        if not kind.tagged:
            data.pop("tags", None)
        elif tags:
            data["tags"] = sorted(tags)
        if kind.name == "service" and data.get("ca_certificates"):
            data["ca_certificates"] = [self.name("ca_certificate", key) for key in data["ca_certificates"]]
        elif kind.name == "certificate":
            data.pop("snis", None)
        return data


def name_rows(rows: Rows, declared: Iterable[Declared], tags: Sequence[str]) -> Names:
    """Names for all rows."""
    by_kind: dict[str, dict[str, Declared]] = {name: {} for name in KINDS}
    for item in declared:
        by_kind[item.kind].setdefault(item.name, item)
    names = Names()
    for kind in KINDS.values():
        found = rows.get(kind.name)
        if found:
            _Namer(kind, found, by_kind, names, tags).run()
    return names


class _Namer:
    def __init__(
        self,
        kind: Kind,
        rows: Mapping[str, Row],
        declared: Mapping[str, Mapping[str, Declared]],
        names: Names,
        tags: Sequence[str],
    ) -> None:
        self.kind, self.rows, self.names, self.tags = kind, rows, names, tags
        self.wanted = declared[kind.name]
        self.taken: set[str] = set()
        self.by_value: dict[str, str] = {}
        if kind.name == "key-auth":
            self.by_value = {item.data["key"]: item.name for item in self.wanted.values()}
        elif kind.name == "certificate":
            self.by_value = {digest_name(item.data.get("cert")): item.name for item in self.wanted.values()}
            self.by_value.update(
                (item.data["name"], item.data["certificate"])
                for item in declared["sni"].values()
                if item.data["certificate"] in self.wanted
            )

    def take(self, key: str, name: str) -> None:
        self.taken.add(name)
        self.names.set(self.kind.name, key, name)

    def run(self) -> None:
        open_ = dict(self.rows)
        for item in self.wanted.values():
            if item.id and item.id in open_:
                self.take(item.id, item.name)
                del open_[item.id]
        left: dict[str, str] = {}
        for key, row in open_.items():
            name = self.name(row)
            if name in self.wanted and name not in self.taken:
                self.take(key, name)
            else:
                left[key] = name
        for name in self.wanted if left else ():
            if name not in self.taken:
                key = stable_id(self.kind.name, name, self.tags)
                if key in left:
                    self.take(key, name)
                    del left[key]
        for key, name in left.items():
            self.take(key, self.free(key, name))

    def free(self, key: str, name: str) -> str:
        if not name:
            owner = self.rows[key].get("consumer") if self.kind.name == "key-auth" else None
            return f"{self.names.name('consumer', owner['id'])}/{key}" if owner else key
        return f"{name} [{key}]" if name in self.taken else name

    def name(self, row: Row) -> str:
        kind = self.kind.name
        if kind == "key-auth":
            return self.by_value.get(row["key"], "")
        if kind == "certificate":
            return self.certificate(row)
        refs = self.kind.refs
        if refs:
            row = {**row, **{link: self.link(row, link) for link in refs}}
        return natural(kind, row)

    def link(self, row: Row, link: str) -> Optional[str]:
        value = row.get(link)
        return self.names.name(self.kind.refs[link], str(value.get("id"))) if isinstance(value, dict) else None

    def certificate(self, row: Row) -> str:
        snis = sorted(row.get("snis") or ())
        digest = digest_name(row.get("cert"))
        for value in (*snis, digest):
            name = self.by_value.get(value)
            if name is not None and name not in self.taken:
                return name
        return snis[0] if snis else digest
