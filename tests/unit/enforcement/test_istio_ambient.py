# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ambient mode: render then audit finds nothing; one mutation, and the audit finds exactly what it changed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._audit.audit import audit
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.validate import validate
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.points import POINTS, render
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import Finding
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph, Service
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.enforcement.test_istio_mutations import POLICY, Change, Documents, add, drop, put, remove
from tests.unit.strategies import generated, graphs

REPO = Path(__file__).resolve().parents[3]
AMBIENT = {"mesh": {"mode": "ambient"}}


def ambient(data: dict[str, Any]) -> Graph:
    return graph_of({**data, "mesh": {**data.get("mesh", {}), "mode": "ambient"}})


def rendered(graph: Graph, point: str = "istio") -> Documents:
    return [copy.deepcopy(dict(one)) for documents in render(graph, [point]).values() for one in documents]


def findings(graph: Graph, documents: Documents, point: str = "istio") -> list[Finding]:
    return list(audit(graph, [Sourced(document) for document in documents], [point]).findings)


@given(graphs())
def test_render_then_audit_finds_nothing(data: dict[str, Any]) -> None:
    graph = ambient(data)
    for point in ("istio", "network_policy"):
        assert findings(graph, rendered(graph, point), point) == []


def test_a_generated_graph_audits_clean() -> None:
    graph = ambient(generated(200))
    assert findings(graph, rendered(graph)) == []


@pytest.mark.parametrize("name", ["local", "production", "online_boutique"])
def test_the_examples_audit_clean_in_ambient_mode(name: str) -> None:
    graph = read_graph(str(REPO / "inventories" / name / "service_graph.yml"), AMBIENT)
    documents = [Sourced(one) for found in render(graph).values() for one in found]
    assert audit(graph, documents).findings == []


def test_the_documents_fit_the_schemas() -> None:
    found = validate(sourced(render(ambient(generated(30)))))
    assert found.problems == ()
    assert found.counts["AuthorizationPolicy"] > 30


SHOP = ambient(
    {
        "name": "shop",
        "trust_domain": "example.org",
        "cluster": {"name": "c1", "pod_cidrs": ["10.244.0.0/16"]},
        "callers": {
            "office": {"cidrs": ["203.0.113.0/24"], "calls": [{"to": "web", "methods": ["GET"]}]},
            "prometheus": {"namespace": "monitoring", "scrapes": True},
        },
        "services": {
            "web": {
                "port": 80,
                "target_port": 8080,
                "calls": [{"to": "api", "methods": ["GET"], "paths": ["/api/*"]}, "cache"],
            },
            "api": {
                "port": 80,
                "target_port": 3000,
                "metrics": True,
                "calls": ["db"],
                "egress": [{"hosts": ["api.openai.com"]}],
            },
            "cache": {"port": 6379, "protocol": "tcp"},
            "db": {"namespace": "data", "port": 5432, "protocol": "tcp"},
            "spare": {"namespace": "data", "port": 6379, "protocol": "tcp"},
        },
    }
)


class Found(NamedTuple):
    kind: str
    callers: tuple[str, ...]
    callee: str
    ports: str
    requests: tuple[str, ...] = ()
    conditional: bool = False


def found(documents: Documents) -> list[Found]:
    return [
        Found(
            one.kind,
            tuple(sorted(one.callers)),
            one.callee,
            str(one.ports),
            tuple(sorted(map(str, one.requests))),
            one.conditional,
        )
        for one in findings(SHOP, documents)
    ]


def labelled(kind: str, name: str, labels: dict[str, str], **place: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": labels, **place}}


NO_WAY_TO_API = [
    Found("missing", ("prometheus",), "api", "3000", ("GET /metrics",)),
    Found("missing", ("web",), "api", "3000", ("GET /api/…",)),
]
OTHERS = ("POST /api/…", "POST /metrics", "POST /…")
NO_WAYPOINT_TO_API = [
    Found("missing", ("prometheus", "waypoint:shop"), "api", "3000", ("GET /metrics",)),
    Found("missing", ("waypoint:shop",), "api", "3000", ("GET /…", *OTHERS)),
    Found("missing", ("waypoint:shop", "web"), "api", "3000", ("GET /api/…",)),
]
WEB = "example.org/ns/shop/sa/web"
FIRST = ("rules", 0, "to", 0, "operation")
PRINCIPALS = ("rules", 0, "from", 0, "source", "principals")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(Change(POLICY, "shop/api.waypoint", drop), NO_WAY_TO_API, id="drop the waypoint's policy"),
        pytest.param(
            Change(POLICY, "shop/api", drop),
            NO_WAYPOINT_TO_API,
            id="ztunnel no longer lets the waypoint in",
        ),
        pytest.param(
            Change(POLICY, "shop/api", add(WEB, *PRINCIPALS)),
            [Found("open", ("web",), "api", "3000", ("GET /metrics", "GET /…", *OTHERS), True)],
            id="a caller may go around the waypoint",
        ),
        pytest.param(
            Change(POLICY, "shop/api", put(*FIRST, "ports", ["3001"])),
            [*NO_WAYPOINT_TO_API, Found("open", ("waypoint:shop",), "api", "3001")],
            id="ztunnel lets the waypoint in at another port",
        ),
        pytest.param(
            Change(POLICY, "shop/api.waypoint", put(*FIRST, "ports", ["3000"])),
            [NO_WAY_TO_API[1]],
            id="the workload's port in place of the Service's at a waypoint",
        ),
        pytest.param(
            Change(POLICY, "shop/api.waypoint", remove(*FIRST, "methods")),
            [Found("open", ("web",), "api", "3000", ("POST /api/…",))],
            id="drop the methods",
        ),
        pytest.param(
            Change(POLICY, "data/db", put(*FIRST, "methods", ["GET"])),
            [Found("missing", ("api",), "db", "5432")],
            id="ztunnel leaves out a rule with an HTTP field",
        ),
        pytest.param(
            Change(POLICY, "data/db", remove("selector")),
            [Found("open", ("api",), "spare", "5432")],
            id="drop the selector",
        ),
        pytest.param(
            Change(POLICY, "data/db", put(*PRINCIPALS, ["cluster.local/ns/shop/sa/api"])),
            [
                Found("missing", ("api",), "db", "5432"),
                # Somebody of a trust domain of that name.
                Found("open", ("stranger:shop",), "db", "5432", (), True),
            ],
            id="ztunnel knows no other name of the trust domain",
        ),
        pytest.param(
            Change(POLICY, "shop/cache.waypoint", put(*PRINCIPALS, ["example.org/ns/shop/sa/api"])),
            [
                Found("missing", ("web",), "cache", "6379"),
                Found("open", ("api",), "cache", "6379"),
            ],
            id="another caller at the waypoint",
        ),
        pytest.param(
            Change(POLICY, "shop/cache", put(*PRINCIPALS, ["example.org/ns/shop/sa/api"])),
            [Found("open", ("api",), "cache", "6379", (), True)],
            id="another caller beside the waypoint",
        ),
        pytest.param(
            Change("Gateway", "shop/waypoint", drop),
            [
                *NO_WAY_TO_API,
                Found("open", ("cache", "web"), "host:api.openai.com", "443"),
            ],
            id="drop the waypoint: the direct way is closed, and the way out open",
        ),
        pytest.param(
            Change(POLICY, "shop/api.openai.com.waypoint-egress", drop),
            [Found("missing", ("api",), "host:api.openai.com", "443")],
            id="drop the policy of a way out: the waypoint's own allows nothing",
        ),
        pytest.param(
            Change(POLICY, "shop/api.openai.com.waypoint-egress", add(WEB, *PRINCIPALS)),
            [Found("open", ("web",), "host:api.openai.com", "443")],
            id="another caller of a way out",
        ),
        pytest.param(
            Change("ServiceEntry", "shop/api.openai.com", drop),
            [Found("open", ("cache", "web"), "host:api.openai.com", "443")],
            id="drop a ServiceEntry: ztunnel lets through what it does not know",
        ),
        pytest.param(
            Change("PeerAuthentication", "shop/web", drop),
            [Found("missing", ("ip:203.0.113.0/24",), "web", "8080")],
            id="drop the PERMISSIVE port",
        ),
    ],
)
def test_one_mutation_is_found_exactly(change: Change, expected: list[Found]) -> None:
    documents = rendered(SHOP)
    (target,) = [
        one
        for one in documents
        if (one["kind"], f"{one['metadata']['namespace']}/{one['metadata']['name']}") == (change.kind, change.name)
    ]
    if change.change(target):
        documents.remove(target)
    assert found(documents) == expected


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        (labelled("Namespace", "shop", {"istio.io/use-waypoint": "waypoint"}), []),
        (labelled("Namespace", "other", {}), []),
        (labelled("Service", "cache", {"istio.io/use-waypoint": "none"}, namespace="shop"), []),
        (labelled("Service", "api", {"istio.io/use-waypoint": "none"}, namespace="shop"), NO_WAY_TO_API),
        (labelled("Service", "api", {"istio.io/use-waypoint": "mine"}, namespace="shop"), NO_WAY_TO_API),
    ],
)
def test_labels_say_who_uses_the_waypoint(beside: dict[str, Any], expected: list[Found]) -> None:
    assert found([*rendered(SHOP), beside]) == expected


def test_a_denial_with_http_fields_refuses_the_connection_at_ztunnel() -> None:
    spec = {"action": "DENY", "rules": [{"to": [{"operation": {"methods": ["DELETE"], "ports": ["5432"]}}]}]}
    meta = {"name": "no-deletes", "namespace": "data"}
    policy = {"apiVersion": "security.istio.io/v1", "kind": POLICY, "metadata": meta, "spec": spec}
    assert found([*rendered(SHOP), policy]) == [Found("missing", ("api",), "db", "5432")]


def test_a_denial_at_the_waypoint_does_not_hold_for_who_goes_around_it() -> None:
    target = {"group": "", "kind": "Service", "name": "cache"}
    spec = {"action": "DENY", "targetRefs": [target], "rules": [{"from": [{"source": {"principals": ["*"]}}]}]}
    meta = {"name": "nobody", "namespace": "shop"}
    policy = {"apiVersion": "security.istio.io/v1", "kind": POLICY, "metadata": meta, "spec": spec}
    assert found([*rendered(SHOP), policy]) == [Found("missing", ("web",), "cache", "6379")]
    world_open = [*rendered(SHOP), policy]
    (own,) = [one for one in world_open if one["kind"] == POLICY and one["metadata"]["name"] == "cache"]
    add("example.org/ns/shop/sa/api", *PRINCIPALS)(own)
    assert Found("open", ("api",), "cache", "6379", (), True) in found(world_open)


@given(graphs(min_services=2), st.data())
def test_a_caller_taken_out_of_a_policy_is_missing(data: dict[str, Any], choice: st.DataObject) -> None:
    graph = ambient(data)
    networks = {name for name, one in graph.callers.items() if one.is_network}
    flows = [flow for flow in graph.flows if flow.caller not in networks]
    assume(flows)
    flow = choice.draw(st.sampled_from(flows))
    service = graph.services[flow.callee]
    principal = graph.principal({**graph.services, **graph.callers, **graph.gateways}[flow.caller])
    through = service.namespace in graph.waypoints
    documents = rendered(graph)
    (spec,) = [one["spec"] for one in documents if guards(one, service, through)]
    port = str(flow.port.number if through else flow.port.target)
    for rule in spec["rules"]:
        sources = [one["source"] for one in rule["from"] if principal in one["source"].get("principals", ())]
        if sources and rule["to"][0]["operation"]["ports"] == [port]:
            sources[0]["principals"] = [one for one in sources[0]["principals"] if one != principal] or ["nobody/x"]
    told = findings(graph, documents)
    assert {(one.kind, *sorted(one.callers), one.callee, str(one.ports)) for one in told if one.kind == "missing"} == {
        ("missing", flow.caller, flow.callee, str(flow.port.target))
    }


@given(graphs(min_services=2), st.data())
def test_a_caller_put_into_a_policy_is_open(data: dict[str, Any], choice: st.DataObject) -> None:
    graph = ambient(data)
    caller, callee = choice.draw(st.permutations(sorted(graph.services)))[:2]
    assume(not any((flow.caller, flow.callee) == (caller, callee) for flow in graph.flows))
    service = graph.services[callee]
    documents = rendered(graph)
    policies = [one["spec"] for one in documents if guards(one, service, False)]
    assume(policies)
    source = {"source": {"principals": [graph.principal(graph.services[caller])]}}
    policies[0]["rules"].append({"from": [source], "to": [{"operation": {"ports": ["22"]}}]})
    bound = service.namespace in graph.waypoints
    assert [
        (one.kind, *one.callers, one.callee, str(one.ports), one.conditional) for one in findings(graph, documents)
    ] == [("open", caller, callee, "22", bound)]


def guards(document: dict[str, Any], service: Service, through: bool) -> bool:
    """Whether this is the policy in front of the service, at the waypoint or at ztunnel."""
    meta, spec = document["metadata"], document["spec"]
    if document["kind"] != POLICY or meta["namespace"] != service.namespace:
        return False
    if through:
        return bool(spec.get("targetRefs") == [{"group": "", "kind": "Service", "name": service.name}])
    return bool(spec.get("selector", {}).get("matchLabels") == service.labels)


def test_an_account_of_the_waypoints_name_is_refused() -> None:
    with pytest.raises(PlatformError) as refused:
        ambient({"name": "shop", "trust_domain": "example.org", "services": {"waypoint": {"port": 80}}})
    assert "'waypoint' in namespace 'shop' is the waypoint's identity already" in str(refused.value)


def test_network_policies_let_the_tunnels_through_and_no_plain_text() -> None:
    """Who is in the mesh comes by HBONE, and api, whose callers name paths, is reached from its waypoint only."""
    documents = {
        f"{one['metadata']['namespace']}/{one['metadata']['name']}": one["spec"]
        for one in rendered(SHOP, "network_policy")
    }

    def entering(name: str) -> set[tuple[str, int]]:
        return {
            (
                peer.get("ipBlock", {}).get("cidr") or next(iter(peer["podSelector"]["matchLabels"].values())),
                port["port"],
            )
            for rule in documents[name]["ingress"]
            for peer in rule["from"]
            for port in rule["ports"]
        }

    assert entering("shop/api") == {("waypoint", 15008)}
    assert entering("shop/cache") == {("waypoint", 15008), ("web", 15008)}
    assert entering("data/db") == {("api", 15008)}
    assert entering("shop/web") == {("203.0.113.0/24", 8080)}
    assert entering("shop/allow-waypoint") == {("web", 15008), ("prometheus", 15008), ("api", 15008)}
    assert documents["shop/allow-probes"]["ingress"][0]["from"] == [{"ipBlock": {"cidr": "169.254.7.127/32"}}]
    assert "data/allow-waypoint" not in documents
    assert "shop/allow-istiod" not in documents


def test_who_leaves_by_the_waypoint_leaves_by_no_other_way() -> None:
    documents = rendered(SHOP, "network_policy")
    assert findings(SHOP, documents, "network_policy") == []
    (own,) = [one["spec"] for one in documents if one["metadata"]["name"] == "api"]
    own["egress"].append(
        {"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}], "ports": [{"port": 443, "protocol": "TCP"}]}
    )
    assert [
        (one.kind, *one.callers, one.callee, str(one.ports)) for one in findings(SHOP, documents, "network_policy")
    ] == [("open", "api", "ip:198.51.100.0/24", "443")]


def test_what_ambient_mode_cannot_enforce_is_said() -> None:
    first, second = POINTS["istio"].notes(SHOP)
    assert "what office sends to web" in first
    assert "Enforce NetworkPolicies too" in second
