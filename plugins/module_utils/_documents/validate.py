# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents against the schemas of the tools that will read them, before they do.

``documents -> Report``: each document is told by its keys, judged by its schema (compiled once), and then by what a
schema cannot say: two things of one name, references that lead nowhere. Every mistake of every document is reported in
one run, as ``file: Kind namespace/name: path: what``.

A custom resource of which no schema is at hand is counted as unchecked, not as good.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.objects import Objects, compiled
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.schemas_ec2 import SECURITY_GROUPS
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.schemas_kong import KONG
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.schemas_kubernetes import (
    ISTIO_KINDS,
    ISTIO_MODELS,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.schemas_spire import SPIRE
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import kong_audit
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Document, Documents, Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

KONG_CONFIGURATION = "Kong configuration"
SPIRE_ENTRY = "SPIRE entry"
AWS_SECURITY_GROUP = "AWS security group"
COMPOSE_FILE = "Compose file"
"""Judged by Docker Compose itself (``docker compose config``), as its schema comes in no library."""
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Report:
    counts: Mapping[str, int]
    """Of what was checked: objects of each kind, SPIRE entries, security groups, Kong configurations."""
    unchecked: Mapping[str, int]
    """Documents of which no schema is at hand, by ``apiVersion Kind``."""
    problems: tuple[str, ...]


def missing_libraries(documents: Documents) -> list[str]:
    """The PyPI names of the libraries that these documents need and that are not installed."""
    needed = {"jsonschema_rs": "jsonschema-rs"}
    groups = {_group(item.document) for item in documents if _is_object(item.document)}
    if groups & ISTIO_KINDS.keys():
        needed[ISTIO_MODELS] = "cloudcoil-models-istio"
    if groups - ISTIO_KINDS.keys():
        needed["kubernetes_validate"] = "kubernetes-validate"
    return [distribution for module, distribution in needed.items() if not _is_installed(module)]


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def refuse_invalid(documents: Documents, kubernetes_version: str = "") -> None:
    """Raises :class:`PlatformError` with every mistake, before anything is written."""
    problems = validate(documents, kubernetes_version).problems
    if problems:
        more = f" (and {len(problems) - 1} more, see errors)" if len(problems) > 1 else ""
        raise PlatformError(f"Nothing was written: {problems[0]}{more}", "invalid_document", problems)


def validate(documents: Documents, kubernetes_version: str = "") -> Report:
    """Raises :class:`PlatformError` for a version of Kubernetes whose schemas are not installed."""
    counts: Counter[str] = Counter()
    unchecked: Counter[str] = Counter()
    problems: list[str] = []
    objects, names = Objects(kubernetes_version), _Names()
    kong = compiled(KONG)
    for item in documents:
        document = item.document
        if _is_object(document):
            texts = objects.check(document)
            if texts is None:
                unchecked[f"{document['apiVersion']} {document['kind']}"] += 1
                continue
            counts[str(document.get("kind"))] += 1
            problems += _told(item, _title(document), texts or names.met_before(item))
        elif isinstance(document.get("_format_version"), str):
            counts[KONG_CONFIGURATION] += 1
            texts = kong.complaints(document) or kong_audit.mistakes(document)
            problems += _told(item, KONG_CONFIGURATION, texts)
        elif (lists := next((each for each in LISTS if isinstance(document.get(each[0]), list)), None)) is not None:
            key, what, schema, twins = lists
            counts[what] += len(document[key])
            problems += _told(item, what, compiled(schema).complaints(document) or twins(document[key]))
        elif isinstance(document.get("services"), Mapping):
            unchecked[COMPOSE_FILE] += 1
        else:
            unchecked[UNKNOWN] += 1
    return Report(dict(sorted(counts.items())), dict(sorted(unchecked.items())), tuple(problems))


def _told(item: Sourced, what: str, texts: Iterable[str]) -> Iterator[str]:
    return (f"{item.source}: {what}: {text}" for text in texts)


def _is_object(document: Document) -> bool:
    return "kind" in document or "apiVersion" in document


def _group(document: Document) -> str:
    return str(document.get("apiVersion")).rpartition("/")[0]


def _title(document: Document) -> str:
    meta = document.get("metadata")
    meta = meta if isinstance(meta, Mapping) else {}
    name = "/".join(str(part) for part in (meta.get("namespace"), meta.get("name")) if part)
    return f"{document.get('kind') or 'object'} {name or 'without a name'}"


class _Names:
    """The objects that were met: of two of one name, a tool would keep the one that comes last."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, ...], str] = {}

    def met_before(self, item: Sourced) -> list[str]:
        meta = item.document["metadata"]
        if not meta.get("name"):
            return []
        key = (_group(item.document), item.document["kind"], str(meta.get("namespace") or ""), meta["name"])
        if key in self._first:
            return [f"is there already, in {self._first[key]}"]
        self._first[key] = item.source
        return []


def _twins(what: str, keys: Iterable[tuple[str, Any]]) -> list[str]:
    """A complaint for each key that was there before. A key comes with the name of its thing."""
    first: dict[Any, str] = {}
    return [
        f"{name}: has the same {what} as {first[key]}" for name, key in keys if first.setdefault(key, name) is not name
    ]


def _spire_twins(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """The server takes an id once, and a triple of ID, parent and selectors (in any order) once."""
    named = [(f"entries[{entry.get('entry_id') or index}]", entry) for index, entry in enumerate(entries)]
    triples = (
        (
            name,
            (
                entry["spiffe_id"],
                entry["parent_id"],
                frozenset((selector["type"], selector["value"]) for selector in entry["selectors"]),
            ),
        )
        for name, entry in named
    )
    foreign = [
        f"{name}.parent_id: is of another trust domain than spiffe_id"
        for name, entry in named
        if entry["spiffe_id"].split("/")[2] != entry["parent_id"].split("/")[2]
    ]
    ids = (
        (f"entries[{index}]", entry["entry_id"]) for index, (_name, entry) in enumerate(named) if entry.get("entry_id")
    )
    return [*_twins("entry_id", ids), *_twins("spiffe_id, parent_id and selectors", triples), *foreign]


def _group_twins(groups: Iterable[Mapping[str, Any]]) -> list[str]:
    return _twins(
        "GroupName and VpcId",
        ((f"SecurityGroups[{index}]", (group["GroupName"], group.get("VpcId"))) for index, group in enumerate(groups)),
    )


LISTS: tuple[tuple[str, str, Any, Callable[[Any], list[str]]], ...] = (
    ("entries", SPIRE_ENTRY, SPIRE, _spire_twins),
    ("SecurityGroups", AWS_SECURITY_GROUP, SECURITY_GROUPS, _group_twins),
)
"""Files that are one list: its key, what an item is, its schema, and what is there twice."""
