# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The enforcement points there are: what each renders and expects of a graph. ``judges.py`` is the other half.

Whoever adds a point adds a file beside this one, and a line here and there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import (
    istio,
    istio_ambient,
    kong,
    network_policy,
    security_group,
    spire,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Document, Rendered
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import FlowSet
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World


def _nothing(_graph: Graph) -> Sequence[str]:
    return ()


def _istio(graph: Graph) -> Any:
    return istio_ambient if graph.mesh.mode == "ambient" else istio


def _always(_graph: Graph) -> bool:
    return True


@dataclass(frozen=True)
class Point:
    name: str
    title: str
    render: Callable[[Graph], Rendered]
    expected: Callable[[Graph, World], FlowSet]
    concerns: Callable[[Graph], bool] = _always
    """Whether a graph has anything to say to this point."""
    notes: Callable[[Graph], Sequence[str]] = _nothing
    """What the point cannot tell apart in this graph, or cannot make true of it, a sentence each."""


POINTS: Mapping[str, Point] = {
    point.name: point
    for point in (
        Point(
            "istio",
            "Istio",
            lambda graph: _istio(graph).render(graph),
            lambda graph, world: _istio(graph).expected(graph, world),
            notes=lambda graph: _istio(graph).notes(graph),
        ),
        Point("network_policy", "NetworkPolicy", network_policy.render, network_policy.expected),
        Point(
            "security_group",
            "AWS security groups",
            security_group.render,
            security_group.expected,
            lambda graph: graph.aws is not None,
            security_group.notes,
        ),
        Point(
            "kong",
            "Kong",
            kong.render,
            kong.expected,
            lambda graph: any(gateway.kind == "kong" for gateway in graph.gateways.values()),
        ),
        Point("spire", "SPIRE", spire.render, spire.expected),
    )
}


def concerned(graph: Graph, names: Optional[Iterable[str]] = None) -> list[Point]:
    """The points that a graph has something to say to, of those named or of all."""
    return [point for name, point in POINTS.items() if (names is None or name in names) and point.concerns(graph)]


def render(graph: Graph, names: Optional[Iterable[str]] = None) -> dict[str, Sequence[Document]]:
    """The documents of all points that the graph concerns, or of those among them that are named, by file name."""
    return {path: documents for point in concerned(graph, names) for path, documents in point.render(graph).items()}
