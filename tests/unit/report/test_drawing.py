# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn of a graph: nodes for services or namespaces, one edge for all flows between two."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as Xml

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._report.drawing import (
    MOST_NAMESPACES,
    Drawing,
    drawing,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._report.matrix import matrix
from ansible_collections.zerotrust.platform.plugins.module_utils._report.svg import svg
from hypothesis import given

from tests.unit.strategies import generated, parsed_graphs

SHOP: dict[str, Any] = {
    "name": "shop",
    "trust_domain": "example.org",
    "gateways": {"istio": {}},
    "callers": {
        "office": {"cidrs": ["203.0.113.0/24"], "calls": ["web"]},
        "prometheus": {"namespace": "monitoring", "scrapes": True},
    },
    "services": {
        "web": {"port": 80, "calls": ["api"], "exposes": [{"path": "/a"}, {"path": "/b"}]},
        "api": {"port": 3000, "metrics": True, "egress": [{"hosts": ["a.example.com", "b.example.com"]}]},
    },
}


def rows(graph: Graph, **marks: str) -> list[dict[str, Any]]:
    """The audit's rows as data, with every flow allowed but those named."""
    found = []
    for flow in graph.flows:
        kind = "expose" if ".exposes[" in flow.place else "scrape" if flow.place.endswith(".metrics") else "call"
        mark = marks.get(f"{flow.caller}_{flow.callee}", "allowed")
        found.append(row(flow.caller, flow.callee, flow.port.number, flow.port.protocol, kind, mark))
    for service in graph.services.values():
        for egress in service.egress:
            callee = ", ".join(egress.hosts or egress.cidrs)
            found.append(row(service.name, callee, egress.port, egress.protocol, "egress", "allowed"))
    return found


def row(caller: str, callee: str, port: int, protocol: str, kind: str, mark: str) -> dict[str, Any]:
    return {
        "caller": caller,
        "callee": callee,
        "port": port,
        "protocol": protocol,
        "methods": [],
        "paths": [],
        "kind": kind,
        "place": "",
        "points": {"istio": mark},
    }


def drawn(data: dict[str, Any], *findings: dict[str, Any], **marks: str) -> Drawing:
    graph = graph_of(data)
    return drawing(graph, rows(graph, **marks), findings)


def test_each_end_of_a_flow_is_a_node() -> None:
    nodes = {node.name: node.kind for node in drawn(SHOP).nodes}
    assert nodes == {
        "istio": "gateway",
        "office": "caller",
        "prometheus": "caller",
        "web": "service",
        "api": "service",
        "a.example.com": "outside",
        "b.example.com": "outside",
    }


def test_flows_between_two_are_one_edge_that_names_them_all() -> None:
    edges = {(edge.source, edge.target): edge for edge in drawn(SHOP).edges}
    assert set(edges) == {
        ("istio", "web"),
        ("office", "web"),
        ("prometheus", "api"),
        ("web", "api"),
        ("api", "/a.example.com"),
        ("api", "/b.example.com"),
    }
    assert edges["istio", "web"].count == 2
    assert edges["istio", "web"].kind == "expose"
    assert edges["api", "/b.example.com"].titles == ("api → b.example.com :443 tls",)


def test_what_is_missing_and_what_a_finding_is_about_is_marked() -> None:
    found = drawn(SHOP, {"callee": "api"}, {"callee": "somebody else"}, web_api="missing")
    assert [(edge.source, edge.target) for edge in found.edges if edge.bad] == [("web", "api")]
    assert [node.name for node in found.nodes if node.bad] == ["api"]


def test_a_large_graph_is_drawn_by_namespaces() -> None:
    found = drawn(generated(500))
    services = [node for node in found.nodes if node.kind == "namespace"]
    assert [node.name for node in services] == [f"ns-{number:04d}" for number in range(10)]
    assert all(node.detail.startswith("50 services, ") for node in services)
    assert found.caption.startswith("500 services are shown as their 10 namespaces.")
    assert sum(edge.count for edge in found.edges) < 500 * 5


def test_of_very_many_namespaces_the_busiest_are_drawn() -> None:
    """So the picture of 5,000 services is no larger than that of 2,000, and every flow is still counted."""
    found = drawn(generated(5000))
    assert len([node for node in found.nodes if node.kind == "namespace"]) == MOST_NAMESPACES + 1
    assert [node.name for node in found.nodes if node.id == "/rest"] == ["60 more namespaces"]
    assert found.is_dense
    assert len(matrix(found)) < 1_000_000


@given(parsed_graphs())
def test_any_graph_makes_well_formed_pictures(graph: Graph) -> None:
    found = drawing(graph, rows(graph), [])
    for picture in (svg(found), matrix(found)):
        Xml.fromstring(picture)
    counted = sum(edge.count for edge in found.edges)
    assert counted == sum(len(one["callee"].split(", ")) for one in rows(graph))
