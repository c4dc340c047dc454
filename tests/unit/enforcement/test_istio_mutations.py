# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render then audit finds nothing; one mutation of the documents, and the audit finds exactly what it changed.

For one graph the findings are written out by hand; ``test_istio_random.py`` does the same for random ones.
"""

from __future__ import annotations

import copy
from typing import Any, Callable, NamedTuple, Optional

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import istio, istio_audit
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import Finding, compare
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World
from hypothesis import given

from tests.unit.strategies import generated, graphs

Documents = list[dict[str, Any]]


def rendered(graph: Graph) -> Documents:
    return [copy.deepcopy(dict(document)) for documents in istio.render(graph).values() for document in documents]


def audit(graph: Graph, documents: Documents) -> tuple[World, list[Finding]]:
    found = [Sourced(document) for document in documents]
    mentioned = istio_audit.mentions(found)
    world = World(graph, mentioned.cidrs, mentioned.namespaces)
    return world, compare("istio", istio.expected(graph, world), istio_audit.flows(found, world), world.services)


@given(graphs())
def test_render_then_audit_finds_nothing(data: dict[str, Any]) -> None:
    graph = graph_of(data)
    assert audit(graph, rendered(graph))[1] == []


def test_a_generated_graph_audits_clean() -> None:
    graph = graph_of(generated(200))
    assert audit(graph, rendered(graph))[1] == []


# One graph, one mutation, the findings by hand.

SHOP = graph_of(
    {
        "name": "shop",
        "trust_domain": "example.org",
        "cluster": {"name": "c1", "pod_cidrs": ["10.244.0.0/16"]},
        "callers": {
            "office": {"cidrs": ["203.0.113.0/24"], "calls": ["web"]},
            "prometheus": {"namespace": "monitoring", "scrapes": True},
        },
        "services": {
            "web": {"port": 80, "calls": [{"to": "api", "methods": ["GET"], "paths": ["/api/*"]}]},
            "api": {"port": 3000, "metrics": True, "calls": ["db"], "egress": [{"hosts": ["api.openai.com"]}]},
            "db": {"namespace": "data", "port": 5432, "protocol": "tcp"},
            "spare": {"namespace": "data", "port": 6379, "protocol": "tcp"},
        },
    }
)


class Change(NamedTuple):
    """A document by kind and namespace/name, and what happens to it."""

    kind: str
    name: str
    change: Callable[[dict[str, Any]], Optional[bool]]


def drop(_document: dict[str, Any]) -> bool:
    return True


def put(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Sets the value at a path; the last item is the value."""

    def change(document: dict[str, Any]) -> None:
        place: Any = document["spec"]
        for key in path[:-2]:
            place = place[key]
        place[path[-2]] = path[-1]

    return change


def remove(*path: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document["spec"]
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]

    return change


def add(value: Any, *path: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document["spec"]
        for key in path:
            place = place[key]
        place.append(value)

    return change


def mutated(change: Change) -> Documents:
    documents = rendered(SHOP)
    (target,) = [
        document
        for document in documents
        if document["kind"] == change.kind
        and f"{document['metadata']['namespace']}/{document['metadata']['name']}" == change.name
    ]
    if change.change(target):
        documents.remove(target)
    return documents


class Found(NamedTuple):
    kind: str
    callers: tuple[str, ...]
    callee: str
    ports: str
    requests: tuple[str, ...] = ()


POLICY, PEERS, SIDECAR, ENTRY = "AuthorizationPolicy", "PeerAuthentication", "Sidecar", "ServiceEntry"
TO_API = ("rules", 0, "to", 0, "operation")


def everyone(*but: str) -> tuple[str, ...]:
    world = World(SHOP)
    return tuple(sorted(world.everyone - set(but)))


def plain(*but: str) -> tuple[str, ...]:
    world = World(SHOP)
    return tuple(sorted(world.addresses.everywhere - set(but)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            Change(POLICY, "shop/api", drop),
            [
                Found("missing", ("prometheus",), "api", "3000", ("GET /metrics",)),
                Found("missing", ("web",), "api", "3000", ("GET /api/…",)),
            ],
            id="drop a policy: allow-nothing holds",
        ),
        pytest.param(
            Change(POLICY, "data/allow-nothing", drop),
            [Found("open", everyone(), "spare", "1-65535")],
            id="drop allow-nothing: who has no policy of its own is open",
        ),
        pytest.param(
            Change(POLICY, "data/db", remove("selector")),
            [Found("open", ("api",), "spare", "5432")],
            id="drop the selector: the neighbours are open too (mistake 4)",
        ),
        pytest.param(
            Change(POLICY, "data/db", add("example.org/ns/shop/sa/web", "rules", 0, "from", 0, "source", "principals")),
            [Found("open", ("web",), "db", "5432")],
            id="add a principal",
        ),
        pytest.param(
            Change(POLICY, "data/db", put("rules", 0, "from", 0, "source", {"namespaces": ["shop"]})),
            [Found("open", ("stranger:shop", "web"), "db", "5432")],
            id="a namespace in place of a principal",
        ),
        pytest.param(
            Change(POLICY, "data/db", put("rules", 0, "from", 0, "source", {"principals": ["*"]})),
            [Found("open", everyone("api"), "db", "5432")],
            id="any principal",
        ),
        pytest.param(
            Change(POLICY, "data/db", remove("rules", 0, "from")),
            [Found("open", everyone("api"), "db", "5432")],
            id="no source at all",
        ),
        pytest.param(
            Change(POLICY, "data/db", remove("rules", 0, "to", 0, "operation", "ports")),
            [Found("open", ("api",), "db", "1-5431,5433-65535")],
            id="drop the ports",
        ),
        pytest.param(
            Change(POLICY, "data/db", put("rules", 0, "to", 0, "operation", "ports", ["5433"])),
            [Found("missing", ("api",), "db", "5432"), Found("open", ("api",), "db", "5433")],
            id="another port",
        ),
        pytest.param(
            Change(POLICY, "data/db", put("rules", 0, "to", 0, "operation", "methods", ["GET"])),
            [Found("missing", ("api",), "db", "5432")],
            id="HTTP fields on a TCP port never match (mistake 5)",
        ),
        pytest.param(
            Change(POLICY, "shop/api", put(*TO_API, "paths", ["/*"])),
            [Found("open", ("web",), "api", "3000", ("GET /metrics", "GET /…"))],
            id="widen a path",
        ),
        pytest.param(
            Change(POLICY, "shop/api", put(*TO_API, "paths", ["/api/v1/*"])),
            [Found("missing", ("web",), "api", "3000", ("GET /api/…",))],
            id="narrow a path",
        ),
        pytest.param(
            Change(POLICY, "shop/api", remove(*TO_API, "methods")),
            [Found("open", ("web",), "api", "3000", ("POST /api/…",))],
            id="drop the methods",
        ),
        pytest.param(
            Change(POLICY, "shop/api", add("DELETE", *TO_API, "methods")),
            [Found("open", ("web",), "api", "3000", ("DELETE /api/…",))],
            id="add a method",
        ),
        pytest.param(
            Change(POLICY, "shop/api", put("action", "DENY")),
            [
                Found("missing", ("prometheus",), "api", "3000", ("GET /metrics",)),
                Found("missing", ("web",), "api", "3000", ("GET /api/…",)),
            ],
            id="DENY in place of ALLOW",
        ),
        pytest.param(
            Change(PEERS, "istio-system/default", drop), [], id="the mesh's PeerAuthentication: the namespaces' hold"
        ),
        pytest.param(
            Change(PEERS, "data/default", put("mtls", "mode", "PERMISSIVE")),
            [],
            id="PERMISSIVE alone: policies still want a principal",
        ),
        pytest.param(
            Change(PEERS, "data/default", put("mtls", "mode", "DISABLE")),
            [Found("missing", ("api",), "db", "5432")],
            id="DISABLE: nobody has the principal that the policy wants",
        ),
        pytest.param(
            Change(PEERS, "shop/web", drop),
            [Found("missing", ("ip:203.0.113.0/24",), "web", "80")],
            id="drop the PERMISSIVE port: the network caller is kept out",
        ),
        pytest.param(
            Change(POLICY, "shop/web", put("rules", 0, "from", 0, "source", {"notIpBlocks": ["203.0.113.0/24"]})),
            [
                Found("missing", ("ip:203.0.113.0/24",), "web", "80"),
                Found("open", tuple(sorted((*everyone(), *plain("ip:203.0.113.0/24")))), "web", "80"),
            ],
            id="every address but the declared ones",
        ),
        pytest.param(
            Change(SIDECAR, "shop/api", remove("egress", 0, "hosts", 1)),
            [Found("missing", ("api",), "host:api.openai.com", "443")],
            id="drop a host of a Sidecar",
        ),
        pytest.param(
            Change(SIDECAR, "shop/api", remove("egress", 0, "hosts", 0)),
            [Found("missing", ("api",), "db", "5432")],
            id="drop a service of a Sidecar",
        ),
        pytest.param(
            Change(SIDECAR, "shop/api", drop),
            [
                Found("missing", ("api",), "db", "5432"),
                Found("missing", ("api",), "host:api.openai.com", "443"),
            ],
            id="drop a Sidecar: the namespace's shows nothing",
        ),
        pytest.param(
            Change(SIDECAR, "shop/web", add("shop/api.openai.com", "egress", 0, "hosts")),
            [Found("open", ("web",), "host:api.openai.com", "443")],
            id="add a host to a Sidecar",
        ),
        pytest.param(
            Change(ENTRY, "shop/api.openai.com", drop),
            [Found("missing", ("api",), "host:api.openai.com", "443")],
            id="drop a ServiceEntry",
        ),
        pytest.param(
            Change(ENTRY, "shop/api.openai.com", add({"number": 80, "protocol": "HTTP", "name": "h"}, "ports")),
            [Found("open", ("api",), "host:api.openai.com", "80")],
            id="add a port to a ServiceEntry",
        ),
        pytest.param(
            Change(ENTRY, "shop/api.openai.com", add("x.org", "hosts")),
            [],
            id="add a host to a ServiceEntry that no Sidecar imports",
        ),
        pytest.param(
            Change(SIDECAR, "shop/api", put("egress", 0, "hosts", ["*/*"])), [], id="import all: there is no more"
        ),
    ],
)
def test_one_mutation_is_found_exactly(change: Change, expected: list[Found]) -> None:
    _world, findings = audit(SHOP, mutated(change))
    assert [
        Found(
            finding.kind,
            tuple(sorted(finding.callers)),
            finding.callee,
            str(finding.ports),
            tuple(sorted(map(str, finding.requests))),
        )
        for finding in findings
    ] == expected
    assert not any(finding.conditional for finding in findings)


def test_allow_any_opens_every_host_and_address_to_that_workload() -> None:
    _world, findings = audit(
        SHOP, mutated(Change(SIDECAR, "shop/web", put("outboundTrafficPolicy", "mode", "ALLOW_ANY")))
    )
    assert {finding.kind for finding in findings} == {"open"}
    assert {tuple(finding.callers) for finding in findings} == {("web",)}
    assert {finding.causes for finding in findings} == {("Sidecar shop/web",)}
    assert {"host:*", "host:api.openai.com", "ip:0.0.0.0/0"} <= {finding.callee for finding in findings}


def test_a_denial_is_found_with_its_policy() -> None:
    spec = {"action": "DENY", "rules": [{"from": [{"source": {"notNamespaces": ["shop"]}}]}]}
    meta = {"name": "deny-others", "namespace": "shop"}
    policy = {"apiVersion": "security.istio.io/v1", "kind": POLICY, "metadata": meta, "spec": spec}
    _world, findings = audit(SHOP, [*rendered(SHOP), policy])
    assert {(finding.kind, *finding.callers, finding.callee) for finding in findings} == {
        ("missing", "prometheus", "api"),
        ("missing", "ip:203.0.113.0/24", "web"),
    }
    assert {finding.causes for finding in findings} == {("AuthorizationPolicy shop/deny-others",)}
