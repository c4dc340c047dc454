# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The enforcement points there are. Whoever adds one adds a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import (
    istio,
    istio_audit,
    kong,
    kong_audit,
    network_policy,
    network_policy_audit,
    security_group,
    security_group_audit,
    spire,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import (
    Document,
    Documents,
    Mentions,
    Rendered,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.network_policy_reader import (
    is_network_policy,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import FlowSet
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World


def _nothing(_graph: Graph) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Point:
    name: str
    title: str
    recognises: Callable[[Document], bool]
    """Whether a document is this point's own."""
    concerns: Callable[[Graph], bool]
    """Whether a graph has anything to say to this point."""
    render: Callable[[Graph], Rendered]
    expected: Callable[[Graph, World], FlowSet]
    flows: Callable[[Documents, World], FlowSet]
    mentions: Callable[[Documents], Mentions]
    notes: Callable[[Graph], Sequence[str]] = _nothing
    """What the point cannot tell apart in this graph, a sentence each."""


def _of_group(*groups: str) -> Callable[[Document], bool]:
    def recognises(document: Document) -> bool:
        version = document.get("apiVersion")
        return isinstance(version, str) and version.partition("/")[0] in groups

    return recognises


def _with_key(key: str, kind: type) -> Callable[[Document], bool]:
    def recognises(document: Document) -> bool:
        return isinstance(document.get(key), kind)

    return recognises


def _always(_graph: Graph) -> bool:
    return True


POINTS: Mapping[str, Point] = {
    point.name: point
    for point in (
        Point(
            "istio",
            "Istio",
            _of_group("security.istio.io", "networking.istio.io"),
            _always,
            istio.render,
            istio.expected,
            istio_audit.flows,
            istio_audit.mentions,
        ),
        Point(
            "network_policy",
            "NetworkPolicy",
            is_network_policy,
            _always,
            network_policy.render,
            network_policy.expected,
            network_policy_audit.flows,
            network_policy_audit.mentions,
        ),
        Point(
            "security_group",
            "AWS security groups",
            _with_key("SecurityGroups", list),
            lambda graph: graph.aws is not None,
            security_group.render,
            security_group.expected,
            security_group_audit.flows,
            security_group_audit.mentions,
            security_group.notes,
        ),
        Point(
            "kong",
            "Kong",
            _with_key("_format_version", str),
            lambda graph: any(gateway.kind == "kong" for gateway in graph.gateways.values()),
            kong.render,
            kong.expected,
            kong_audit.flows,
            kong_audit.mentions,
        ),
        Point(
            "spire",
            "SPIRE",
            _with_key("entries", list),
            _always,
            spire.render,
            spire.expected,
            spire.flows,
            spire.mentions,
        ),
    )
}


def concerned(graph: Graph, names: Optional[Iterable[str]] = None) -> list[Point]:
    """The points that a graph has something to say to, of those named or of all."""
    return [point for name, point in POINTS.items() if (names is None or name in names) and point.concerns(graph)]


def render(graph: Graph, names: Optional[Iterable[str]] = None) -> dict[str, Sequence[Document]]:
    """The documents of all points that the graph concerns, or of those among them that are named, by file name."""
    return {path: documents for point in concerned(graph, names) for path, documents in point.render(graph).items()}
