# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The enforcement points there are. Whoever adds one adds a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Callable

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
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import FlowSet
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World


@dataclass(frozen=True)
class Point:
    name: str
    title: str
    recognises: Callable[[Document], bool]
    """Whether a document is this point's own."""
    render: Callable[[Graph], Rendered]
    expected: Callable[[Graph, World], FlowSet]
    flows: Callable[[Documents, World], FlowSet]
    mentions: Callable[[Documents], Mentions]


def _of_group(*groups: str) -> Callable[[Document], bool]:
    def recognises(document: Document) -> bool:
        version = document.get("apiVersion")
        return isinstance(version, str) and version.partition("/")[0] in groups

    return recognises


def _with_key(key: str, kind: type) -> Callable[[Document], bool]:
    def recognises(document: Document) -> bool:
        return isinstance(document.get(key), kind)

    return recognises


def _is_network_policy(document: Document) -> bool:
    return document.get("kind") == "NetworkPolicy" and _of_group("networking.k8s.io")(document)


POINTS: Mapping[str, Point] = {
    point.name: point
    for point in (
        Point(
            "istio",
            "Istio",
            _of_group("security.istio.io", "networking.istio.io"),
            istio.render,
            istio.expected,
            istio_audit.flows,
            istio_audit.mentions,
        ),
        Point(
            "network_policy",
            "NetworkPolicy",
            _is_network_policy,
            network_policy.render,
            network_policy.expected,
            network_policy_audit.flows,
            network_policy_audit.mentions,
        ),
        Point(
            "security_group",
            "AWS security groups",
            _with_key("SecurityGroups", list),
            security_group.render,
            security_group.expected,
            security_group_audit.flows,
            security_group_audit.mentions,
        ),
        Point(
            "kong",
            "Kong",
            _with_key("_format_version", str),
            kong.render,
            kong.expected,
            kong_audit.flows,
            kong_audit.mentions,
        ),
        Point("spire", "SPIRE", _with_key("entries", list), spire.render, spire.expected, spire.flows, spire.mentions),
    )
}


def render(graph: Graph, names: Iterable[str] = POINTS) -> dict[str, Sequence[Document]]:
    """The documents of several points, by relative file name."""
    return {path: documents for name in names for path, documents in POINTS[name].render(graph).items()}
