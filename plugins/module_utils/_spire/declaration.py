# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of registration entries, as `spire-server entry create -data` reads them, to what is desired.

    files ─▶ documents ─▶ schema: shape, SPIFFE IDs, DNS names ─▶ _mistakes: prefix, trust domain, selectors ─▶ entries

All mistakes are told at once. The server would take most of them without a word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.files import scan
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.objects import compiled
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.schemas_spire import SPIRE
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import spire
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError, first_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import listed
from ansible_collections.zerotrust.platform.plugins.module_utils._spire import entries, selectors
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.entries import Data

#: (reason, sentence)
Problem = tuple[str, str]

#: At most so many names in one warning.
_SHOWN = 10


@dataclass(frozen=True)
class Rules:
    """What entries of ours are held to.

    prefix: with which each entry's id begins; it ends in ".".
    selector_types: types of selectors that plugins of others make.
    now: seconds since the epoch.
    """

    prefix: str
    selector_types: Collection[str]
    now: float

    def __post_init__(self) -> None:
        if not self.prefix.endswith(".") or not self.prefix.strip("."):
            raise PlatformError(
                f"entry_id_prefix: {self.prefix!r} does not end in '.'; all entries whose id begins with it are taken "
                "for ours, so it is to be a whole name, such as 'shop.'",
                "bad_option",
            )


class Declared(NamedTuple):
    """An entry that should be there. name: its id. origin: the file that declares it."""

    name: str
    data: Data
    origin: str


@dataclass(frozen=True)
class Declaration:
    """domain: the trust domain of all entries; empty if there are none."""

    entries: tuple[Declared, ...]
    domain: str = ""
    warnings: tuple[str, ...] = ()


def read_files(path: str, rules: Rules) -> Declaration:
    """A file, or all files below a directory. Raises PlatformError with every mistake."""
    documents, problems = scan(path)
    return _declaration(documents, [("bad_document", problem) for problem in problems], rules)


def read_inline(items: Sequence[Any], rules: Rules, graph: Optional[Graph] = None) -> Declaration:
    """graph: whose workloads are declared beside the items."""
    documents = [Sourced(each, "graph") for each in spire.render(graph)[spire.FILE]] if graph else []
    return _declaration([*documents, Sourced({"entries": list(items)}, "entries")], [], rules)


def _declaration(documents: Iterable[Sourced], problems: list[Problem], rules: Rules) -> Declaration:
    found: list[Declared] = []
    expired: list[str] = []
    domain = ""
    schema = compiled(SPIRE)
    for item in documents:
        if "entries" not in item.document:
            problems.append(("bad_document", f"{item.source}: lacks entries, so it is no file of registration entries"))
            continue
        texts = schema.complaints(item.document)
        if texts:
            problems.extend(("bad_document", f"{item.source}: {text}") for text in texts)
            continue
        for entry in item.document["entries"]:
            domain = domain or entries.trust_domain(entry["spiffe_id"])
            wrong = list(_mistakes(entry, domain, rules))
            if wrong:
                place = f"{item.source}: entry {entry.get('entry_id') or entry['spiffe_id']!r}"
                problems.extend((reason, f"{place}: {text}") for reason, text in wrong)
            elif 0 < (entry.get("entryExpiry") or 0) <= rules.now:
                expired.append(entry["entry_id"])
            else:
                found.append(Declared(entry["entry_id"], entries.declared(entry), item.source))
    if problems:
        sentences = [text for _reason, text in problems]
        raise PlatformError(first_of(sentences), problems[0][0], listed(sentences) if len(sentences) > 1 else [])
    return Declaration(tuple(found), domain, _expired(expired))


def _mistakes(entry: Mapping[str, Any], domain: str, rules: Rules) -> Iterator[Problem]:
    entry_id = entry.get("entry_id")
    if entry_id is None:
        yield (
            "no_entry_id",
            f"lacks entry_id; give it one that stays when the entry changes, such as '{rules.prefix}NAME'",
        )
    elif not entry_id.startswith(rules.prefix) or entry_id == rules.prefix:
        yield "not_ours", f"entry_id does not begin with {rules.prefix!r} (entry_id_prefix), so it would not be ours"
    for field in ("spiffe_id", "parent_id"):
        if entries.trust_domain(entry[field]) != domain:
            yield "foreign_trust_domain", f"{field}: {entry[field]} is of another trust domain than {domain!r}"
    if {domain, f"spiffe://{domain}"} & set(entry.get("federates_with") or ()):
        yield "bad_document", f"federates_with: {domain!r} is its own trust domain"
    for selector in entry["selectors"]:
        text = selectors.complaint(selector["type"], selector["value"], rules.selector_types)
        if text:
            yield "bad_selector", f"selectors: {text}"
    if entry.get("store_svid"):
        types = sorted({selector["type"] for selector in entry["selectors"]})
        if len(types) > 1:
            yield "bad_selector", f"selectors: of several types ({', '.join(types)}), which store_svid does not allow"
        if (entry.get("additional_attributes") or {}).get("disable_x509_svid_prefetch"):
            yield "bad_document", "disable_x509_svid_prefetch does not go with store_svid"


def _expired(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"entryExpiry of {', '.join(names[:_SHOWN])}{more} has passed. The server takes such entries away, so they "
        "count as not declared",
    )
