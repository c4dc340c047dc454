# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node has, as a state file: nested as decK nests it, short, and the same text for the same entities.

    rows ─▶ those with the tags ─▶ references by name ─▶ without defaults ─▶ without secrets ─▶ nested ─▶ text

Ids are written where nothing else names an entity, as decK does. Of basic-auth passwords and some OAuth2 secrets a node
has hashes only: a file with secrets that holds one says `_transform: false`, Kong's own word for that. Then kong_sync
and Kong itself take them as they are, and decK refuses the file instead of hashing them again.

Source: go-database-reconciler's `pkg/file/writer.go`, Kong's `kong/db/declarative/export.lua`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._kong.hashes import hashed_fields
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.inventory import Schemas, subtype
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.kinds import (
    KEPT_BY_NODE,
    KINDS,
    MEMBER,
    MEMBERS,
    Kind,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.naming import Names, Row, Rows, name_rows
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.placeholders import (
    templated,
    text_of,
    variables,
    without,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.schemas import Record, named_secrets
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Path

#: In the order in which one reads them; what is not named comes last.
_ORDER = (
    *("service", "route", "plugin", "consumer_group", "consumer", "acl", "key-auth", "basic-auth", "hmac-auth", "jwt"),
    *("oauth2", "upstream", "target", "certificate", "sni", "ca_certificate", "vault", "key_set", "key"),
)
#: What has its list at the top of decK's files only.
_NEVER_NESTED = ("key",)
#: Kinds whose references decK writes as text.
_TEXT_REFERENCES = frozenset(
    ("service", "plugin", "target", "acl", "key-auth", "basic-auth", "jwt", "hmac-auth", "oauth2")
)


@dataclass(frozen=True)
class Options:
    """tags: of which an entity has all that is exported; none are all entities. workspace: whose they are."""

    tags: tuple[str, ...] = ()
    secrets: bool = False
    with_ids: bool = False
    workspace: str = ""


@dataclass(frozen=True)
class Export:
    """environment: the variables that the file refers to. outside: what it refers to and does not hold.

    hashed: secrets that it has as hashes. fading: keys that end by themselves, so that the file is never the same.
    """

    text: str
    kinds: Mapping[str, int]
    environment: Sequence[str]
    outside: Sequence[str]
    hashed: Sequence[str]
    fading: Sequence[str]


def export(rows: Rows, schemas: Schemas, options: Options) -> Export:
    """Schemas of what there is are asked for."""
    return _Exporter(rows, schemas, options).run()


class _Exporter:
    def __init__(self, rows: Rows, schemas: Schemas, options: Options) -> None:
        self.rows, self.schemas, self.options = rows, schemas, options
        mark = set(options.tags)
        self.chosen = {
            kind: {key: row for key, row in found.items() if mark <= set(row.get("tags") or ())}
            for kind, found in rows.items()
        }
        self.names = _numbered(rows, name_rows(rows, (), options.tags))
        credentials = self.chosen.get("basic-auth", {}) if options.secrets else {}
        #: Consumers whose ids are in hashes.
        self.hashing = {str((row.get("consumer") or {}).get("id")) for row in credentials.values()}
        self.outside: set[str] = set()
        self.hashed: list[str] = []
        self.fading: list[str] = []

    def run(self) -> Export:
        entities: dict[tuple[str, str], dict[str, Any]] = {}
        for name in dict.fromkeys((*_ORDER, *self.chosen)):
            if name != MEMBER:
                found = self.chosen.get(name, {})
                for key in sorted(found, key=lambda key: self.order(KINDS[name], key)):
                    entities[name, key] = self.entity(KINDS[name], key, found[key])
        data: dict[str, Any] = {}
        for (name, key), entity in entities.items():
            holder = entities.get(self.parent(KINDS[name], self.chosen[name][key]) or ("", ""), data)
            holder.setdefault(KINDS[name].plural, []).append(entity)
        for key in sorted(self.chosen.get(MEMBER, ())):
            self.put_member(self.chosen[MEMBER][key], entities)
        whole = {**self.head(), **data}
        names = variables(whole)
        return Export(
            text_of(whole, names),
            {name: len(found) for name, found in sorted(self.chosen.items()) if found},
            sorted(names.values()),
            sorted(self.outside),
            self.hashed,
            self.fading,
        )

    def head(self) -> dict[str, Any]:
        options = self.options
        return {
            "_format_version": "3.0",
            **({"_workspace": options.workspace} if options.workspace else {}),
            **({"_info": {"select_tags": list(options.tags)}} if options.tags else {}),
            **({"_transform": False} if self.hashed else {}),
        }

    def order(self, kind: Kind, key: str) -> tuple[Any, ...]:
        """Keys by their age: their order must not tell what they are, and a new one comes last."""
        if kind.name == "key-auth":
            return self.chosen[kind.name][key].get("created_at") or 0, key
        return (self.names.names[kind.name, key],)

    def parent(self, kind: Kind, row: Row) -> Optional[tuple[str, str]]:
        """In whose entry it stands; None at the top."""
        links = [(kind.refs[link], str(row[link]["id"])) for link in kind.refs if row.get(link)]
        if len(links) != 1 or kind.name in _NEVER_NESTED or links[0][0] not in kind.nested_in:
            return None
        return links[0] if links[0][1] in self.chosen.get(links[0][0], {}) else None

    def put_member(self, row: Row, entities: Mapping[tuple[str, str], dict[str, Any]]) -> None:
        """At the consumer, as decK has it, or at its group if the consumer is another's."""
        kind = next(kind for kind in ("consumer", "consumer_group") if (kind, row[kind]["id"]) in entities)
        members, other = MEMBERS[kind]
        key = str(row[other]["id"])
        label = self.label(other, key)
        found = entities[kind, row[kind]["id"]].setdefault(members, [])
        found.append({KINDS[other].label: label} if label else {"id": key})

    # -- one entity -----------------------------------------------------------------------------------------------

    def entity(self, kind: Kind, key: str, row: Row) -> dict[str, Any]:
        """An entity without the lists in it."""
        name = self.names.names[kind.name, key]
        data = {field: value for field, value in row.items() if field not in KEPT_BY_NODE and field not in kind.refs}
        if kind.name == "certificate":
            data.pop("snis", None)
        tags = sorted(set(data.pop("tags", None) or ()) - set(self.options.tags))
        record = self.schemas.load(kind.name, subtype(kind.name, row)) or Record({})
        data = record.tidy(data)
        short = {**record.without_defaults(data), **{field: data[field] for field in _told_always(kind.name, data)}}
        if tags:
            short["tags"] = tags
        if kind.name == "key-auth" and data.get("ttl") is not None:
            self.fading.append(f"{kind.name} {name!r}")
        if self.options.secrets and hashed_fields(kind.name, data):
            self.hashed.append(f"{kind.name} {name!r}")
        of = (kind.name, name)
        for path in () if self.options.secrets else self.secrets(kind.name, data):
            short = without(short, path, of)
        short = templated(short, of)
        if self.needs_id(kind, key, row):
            short["id"] = key
        short.update(self.references(kind, row))
        first = (kind.label, "name", "instance_name", "id")
        fields = sorted(short, key=lambda field: (first.index(field) if field in first else len(first), field))
        return {field: short[field] for field in fields}

    def secrets(self, kind: str, data: Mapping[str, Any]) -> Sequence[Path]:
        if kind not in ("plugin", "vault"):
            return KINDS[kind].secrets
        return (*self.schemas.config_secrets(kind, data), *named_secrets(data.get("config"), ("config",)))

    def needs_id(self, kind: Kind, key: str, row: Row) -> bool:
        if self.options.with_ids or kind.name in ("certificate", "ca_certificate"):
            return True
        if kind.name == "consumer" and key in self.hashing:
            return True
        return bool(kind.label) and not row.get(kind.label)

    def references(self, kind: Kind, row: Row) -> dict[str, Any]:
        parent = self.parent(kind, row)
        found: dict[str, Any] = {}
        for link, referred in kind.refs.items():
            if row.get(link) and parent is None:
                key = str(row[link]["id"])
                label = self.label(referred, key)
                if kind.name in _TEXT_REFERENCES:
                    found[link] = label or key
                else:
                    found[link] = {KINDS[referred].label: label} if label else {"id": key}
        if kind.name == "service" and row.get("ca_certificates"):
            for key in row["ca_certificates"]:
                self.label("ca_certificate", key)
        return found

    def label(self, kind: str, key: str) -> str:
        """What a reference names it by; empty if only its id does."""
        if key not in self.chosen.get(kind, {}):
            self.outside.add(f"{kind} {self.names.name(kind, key)!r}")
        field = KINDS[kind].label
        return str(self.rows.get(kind, {}).get(key, {}).get(field) or "") if field else ""


def _told_always(kind: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """Fields whose default is another where something else is set, or that decK wants to be told."""
    if kind == "route" and {"grpc", "grpcs"} & set(data.get("protocols") or ()):
        return ("strip_path",)
    if kind == "upstream" and data.get("hash_on") not in (None, "none"):
        return ("algorithm",)
    return ("algorithm",) if kind == "jwt" and data.get("algorithm") else ()


def _numbered(rows: Rows, names: Names) -> Names:
    """Keys are the n-th of their consumer, the oldest first, as they will stand in the file."""
    counts: dict[str, int] = {}
    found = rows.get("key-auth", {})
    for key in sorted(found, key=lambda key: (found[key].get("created_at") or 0, key)):
        owner = names.name("consumer", str((found[key].get("consumer") or {}).get("id")))
        counts[owner] = counts.get(owner, 0) + 1
        names.set("key-auth", key, f"{owner}/{counts[owner]}")
    return names
