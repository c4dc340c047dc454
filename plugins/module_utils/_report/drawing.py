# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to draw of a graph: which nodes, and one edge for all flows from one to another.

Up to ``MOST_SERVICES`` services each has a node of its own. A larger graph is drawn by namespaces, and where there are
many of them, the busiest; the rest is one node. The table of flows has everything in both cases.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._report.data import FLOW_KINDS

MOST_SERVICES = 60
MOST_NAMESPACES = 40
MOST_EDGES_A_NODE = 3
MOST_TITLES = 12
REST = "/rest"
"""Ids that no service, caller or gateway can have."""
INTERNET = "/internet"


@dataclass(frozen=True)
class Node:
    id: str
    kind: str
    """service, gateway, caller, outside or namespace."""
    name: str
    detail: str
    bad: bool = False
    """Whether a finding is about it."""


@dataclass(frozen=True)
class Edge:
    source: str
    target: str
    kind: str
    titles: tuple[str, ...]
    """One line for each flow, some of them if they are many."""
    count: int = 1
    bad: bool = False
    """Whether an enforcement point does not let a flow of it pass."""


@dataclass(frozen=True)
class Drawing:
    nodes: Sequence[Node]
    edges: Sequence[Edge]
    caption: str

    @property
    def is_dense(self) -> bool:
        """Whether lines would hide each other."""
        return len(self.edges) > MOST_EDGES_A_NODE * len(self.nodes)


def drawing(graph: Graph, flows: Sequence[Mapping[str, Any]], findings: Sequence[Mapping[str, Any]]) -> Drawing:
    """Of a graph, the audit's rows and its findings."""
    places = _places(graph, flows)
    bad = {places.get(str(finding["callee"]), "") for finding in findings}
    titles: dict[tuple[str, str], list[str]] = defaultdict(list)
    counts: Counter[tuple[str, str]] = Counter()
    kinds: dict[tuple[str, str], set[str]] = defaultdict(set)
    missing: set[tuple[str, str]] = set()
    inside: Counter[str] = Counter()
    for flow in flows:
        source = places[flow["caller"]]
        for callee in _callees(flow):
            target = places[callee]
            if source == target:
                inside[source] += 1
                continue
            counts[source, target] += 1
            kinds[source, target].add(flow["kind"])
            if len(titles[source, target]) < MOST_TITLES:
                titles[source, target].append(describe(flow, callee))
            if "missing" in flow["points"].values():
                missing.add((source, target))
    edges = [
        Edge(*ends, _kind(kinds[ends]), tuple(lines), counts[ends], ends in missing)
        for ends, lines in sorted(titles.items())
    ]
    found = Drawing(_nodes(graph, places, flows, bad, inside), edges, "")
    return replace(found, caption=_caption(graph, found.is_dense, REST in places.values()))


def describe(flow: Mapping[str, Any], callee: str) -> str:
    """A flow in one line."""
    return " ".join(
        [f"{flow['caller']} → {callee} :{flow['port']} {flow['protocol']}", *flow["methods"], *flow["paths"]]
    )


def titles_of(edge: Edge) -> str:
    """The flows of an edge, one a line."""
    more = [f"… and {edge.count - len(edge.titles)} more"] if edge.count > len(edge.titles) else []
    return "\n".join([*edge.titles, *more])


def _callees(flow: Mapping[str, Any]) -> Sequence[str]:
    return flow["callee"].split(", ") if flow["kind"] == "egress" else [flow["callee"]]


def _kind(kinds: Iterable[str]) -> str:
    """An edge of several kinds is drawn as the first of them."""
    return min(kinds, key=FLOW_KINDS.index)


def _is_small(graph: Graph) -> bool:
    return len(graph.services) <= MOST_SERVICES


def _places(graph: Graph, flows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """By name of a service, caller, gateway or destination outside: the id of the node that stands for it."""
    places = {name: name for name in (*graph.callers, *graph.gateways)}
    outside = [callee for flow in flows if flow["kind"] == "egress" for callee in _callees(flow)]
    if _is_small(graph):
        places.update((name, name) for name in graph.services)
        places.update((name, f"/{name}") for name in outside)
        return places
    busy: Counter[str] = Counter()
    for flow in flows:
        for end in (flow["caller"], flow["callee"]):
            if end in graph.services:
                busy[graph.services[end].namespace] += 1
    ranked = sorted(graph.namespaces, key=lambda name: (-busy[name], name))
    drawn = set(ranked[:MOST_NAMESPACES])
    places.update(
        (name, f"/{service.namespace}/" if service.namespace in drawn else REST)
        for name, service in graph.services.items()
    )
    places.update((name, INTERNET) for name in outside)
    return places


def _nodes(
    graph: Graph,
    places: Mapping[str, str],
    flows: Sequence[Mapping[str, Any]],
    bad: set[str],
    inside: Mapping[str, int],
) -> list[Node]:
    found = [
        Node(name, "gateway", name, f"{'Istio' if gateway.kind == 'istio' else 'Kong'} gateway", name in bad)
        for name, gateway in graph.gateways.items()
    ]
    for name, caller in graph.callers.items():
        detail = ", ".join(caller.cidrs) if caller.is_network else f"in {caller.namespace}"
        found.append(Node(name, "caller", name, detail))
    ports = {callee: (flow["port"], flow["protocol"]) for flow in flows for callee in _callees(flow)}
    if _is_small(graph):
        many = len(graph.namespaces) > 1
        for name, service in graph.services.items():
            listed = ", ".join(f":{port.number} {port.protocol}" for port in service.ports) or "calls only"
            found.append(Node(name, "service", name, f"{service.namespace} {listed}" if many else listed, name in bad))
        outside = sorted({callee for flow in flows if flow["kind"] == "egress" for callee in _callees(flow)})
        found.extend(Node(f"/{name}", "outside", name, f":{ports[name][0]} {ports[name][1]}") for name in outside)
        return found
    sizes = Counter(places[name] for name in graph.services)
    for place, size in sorted(sizes.items()):
        namespaces = {service.namespace for service in graph.services.values() if places[service.name] == place}
        name = f"{len(namespaces)} more namespaces" if place == REST else place.strip("/")
        within = f", {inside[place]} flows inside" if inside.get(place) else ""
        found.append(Node(place, "namespace", name, f"{size} services{within}", place in bad))
    hosts = {callee for flow in flows if flow["kind"] == "egress" for callee in _callees(flow)}
    if hosts:
        found.append(Node(INTERNET, "outside", "outside", f"{len(hosts)} destinations"))
    return found


def _caption(graph: Graph, dense: bool, rest: bool) -> str:
    shape = "A cell stands for the flows from its row to its column" if dense else "A line goes from caller to callee"
    if _is_small(graph):
        return f"{shape}."
    busiest = " The busiest have a place of their own." if rest else ""
    return (
        f"{len(graph.services):,} services are shown as their {len(graph.namespaces):,} namespaces. {shape}.{busiest}"
    )
