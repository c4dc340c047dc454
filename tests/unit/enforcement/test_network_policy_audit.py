# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkPolicies as they are judged, whoever wrote them."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import (
    network_policy,
    network_policy_audit,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import TCP, UDP, compare
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import Request
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World

GRAPH = graph_of(
    {
        "name": "shop",
        "trust_domain": "example.org",
        "cluster": {"pod_cidrs": ["10.244.0.0/16"], "service_cidrs": ["10.96.0.0/12"]},
        "callers": {
            "office": {"cidrs": ["203.0.113.0/24"], "calls": [{"to": "web", "port": "http"}]},
            "prometheus": {"namespace": "monitoring", "scrapes": True},
        },
        "services": {
            "web": {
                "ports": [{"port": 8080}, {"port": 8443, "protocol": "tls"}],
                "labels": {"app": "web", "tier": "front"},
                "calls": [{"to": "api", "port": 3000}],
            },
            "api": {
                "port": 3000,
                "labels": {"app": "api", "tier": "back"},
                "metrics": True,
                "calls": ["db"],
                "egress": [{"hosts": ["api.openai.com"]}],
            },
            "db": {"namespace": "data", "port": 5432, "protocol": "tcp"},
        },
    }
)


def policies(text):
    """Documents from YAML; kind, version, and the namespace shop are filled in."""
    documents = []
    for number, spec in enumerate(yaml.safe_load_all(text)):
        about = {"name": f"p{number}", "namespace": spec.pop("in", "shop")}
        documents.append(
            {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": about, "spec": spec}
        )
    return [Sourced(document, "p.yml") for document in documents]


def judged(documents, graph=GRAPH):
    seen = network_policy_audit.mentions(documents)
    world = World(graph, seen.cidrs, seen.namespaces)
    return world, network_policy_audit.flows(documents, world)


def admits(text, caller, callee, port, protocol=TCP, graph=GRAPH):
    """Whether the flow surely passes."""
    _world, flows = judged(policies(text), graph)
    return any(
        caller in grant.callers and port in grant.ports and grant.protocol == protocol and not grant.conditional
        for grant in flows.allows.get(callee, ())
    )


def findings(documents, graph=GRAPH):
    world, flows = judged(documents, graph)
    return compare("network_policy", network_policy.expected(graph, world), flows, world.services)


DENY = "podSelector: {}\npolicyTypes: [Ingress, Egress]\n"


def test_without_policies_everything_is_open():
    for callee in ("web", "db", "platform:dns", "ip:0.0.0.0/0", "prometheus"):
        assert admits("", "api", callee, 22)
    assert admits("", "ip:203.0.113.0/24", "db", 53, UDP)
    assert admits("", "stranger:*", "db", 5432)


def test_no_policy_of_one_namespace_touches_another():
    assert not admits(DENY, "web", "api", 3000)
    assert not admits(DENY, "api", "db", 5432)
    assert admits(DENY, "prometheus", "db", 5432)
    assert admits("in: data\n" + DENY, "web", "api", 3000)


@pytest.mark.parametrize(
    ("types", "enters", "leaves"),
    [
        ("podSelector: {}", False, True),
        ("podSelector: {}\npolicyTypes: []", False, True),
        ("podSelector: {}\negress: []", False, True),
        ("podSelector: {}\negress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}]}]", False, False),
        ("podSelector: {}\npolicyTypes: [Egress]", True, False),
        ("podSelector: {}\npolicyTypes: [Egress]\ningress: []", True, False),
        ("podSelector: {}\npolicyTypes: [Ingress]\negress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}]}]", False, True),
        ("policyTypes: [Ingress]", False, True),
        ("podSelector: null\ningress: null", False, True),
        ("podSelector: {}\ningress: [{}]", True, True),
    ],
)
def test_policy_types_and_their_defaults(types, enters, leaves):
    """As SetDefaults_NetworkPolicy of the API server: Egress only where there is an egress rule."""
    assert admits(types, "stranger:*", "web", 8080) is enters
    assert admits(types, "web", "stranger:*", 8080) is leaves


def test_both_sides_must_allow():
    """Mistake 3: the callee's ingress alone opens nothing under a default deny of egress."""
    ingress = "podSelector: {matchLabels: {app: api}}\ningress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]\n"
    egress = (
        "podSelector: {matchLabels: {app: web}}\npolicyTypes: [Egress]\n"
        "egress: [{to: [{podSelector: {matchLabels: {app: api}}}]}]\n"
    )
    assert not admits(f"{DENY}---\n{ingress}", "web", "api", 3000)
    assert not admits(f"{DENY}---\n{egress}", "web", "api", 3000)
    assert admits(f"{DENY}---\n{ingress}---\n{egress}", "web", "api", 3000)
    assert not admits(f"{DENY}---\n{ingress}---\n{egress}", "api", "web", 8080)


def test_policies_add_up():
    text = (
        "podSelector: {matchLabels: {app: api}}\ningress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]\n---\n"
        "podSelector: {matchLabels: {tier: back}}\ningress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]"
    )
    assert admits(text, "web", "api", 3000)
    assert admits(text, "ip:203.0.113.0/24", "api", 3000)
    assert not admits(text, "ip:0.0.0.0/0", "api", 3000)
    assert not admits(text, "prometheus", "api", 3000)


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ("[]", ()),
        ("[{}]", ("web", "db", "prometheus", "stranger:shop", "stranger:*", "ip:0.0.0.0/0")),
        ("[{from: []}]", ("web", "db", "prometheus", "stranger:shop", "stranger:*", "ip:0.0.0.0/0")),
        ("[{from: [{podSelector: {}}]}]", ("web", "stranger:shop")),
        ("[{from: [{podSelector: {matchLabels: {app: web}}}]}]", ("web",)),
        (
            "[{from: [{namespaceSelector: {}}]}]",
            ("web", "db", "prometheus", "stranger:shop", "stranger:*"),
        ),
        (
            "[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]}]",
            ("prometheus",),
        ),
        (
            "[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}},"
            " podSelector: {matchLabels: {app: web}}}]}]",
            (),
        ),
        (
            "[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}},"
            " {podSelector: {matchLabels: {app: web}}}]}]",
            ("web", "prometheus"),
        ),
        (
            "[{from: [{namespaceSelector: {matchExpressions:"
            " [{key: kubernetes.io/metadata.name, operator: NotIn, values: [shop]}]}}]}]",
            ("db", "prometheus", "stranger:*"),
        ),
        ("[{from: [{podSelector: {matchExpressions: [{key: tier, operator: Exists}]}}]}]", ("web",)),
        ("[{from: [{podSelector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}}]}]", ("stranger:shop",)),
        ("[{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [web, db]}]}}]}]", ("web",)),
        ("[{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]", ("ip:0.0.0.0/0",)),
    ],
)
def test_who_a_peer_is(rule, allowed):
    """Mistake 2 and T21: an empty selector selects everything; two selectors in one peer are an and, in two an or."""
    text = f"podSelector: {{matchLabels: {{app: api}}}}\ningress: {rule}"
    asked = ("web", "db", "prometheus", "stranger:shop", "stranger:*", "ip:0.0.0.0/0")
    assert tuple(caller for caller in asked if admits(text, caller, "api", 3000)) == allowed


def test_labels_of_namespace_objects_are_known():
    documents = [
        *policies(
            "podSelector: {matchLabels: {app: api}}\n"
            "ingress: [{from: [{namespaceSelector: {matchLabels: {team: watch}}}]}]"
        ),
        Sourced(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring", "labels": {"team": "watch"}}}
        ),
    ]
    _world, flows = judged(documents)
    (callers,) = {grant.callers for grant in flows.allows["api"]}
    assert callers == {"prometheus", "stranger:monitoring"}


@pytest.mark.parametrize(
    ("peer", "ident"),
    [
        ("podSelector: {matchLabels: {app: ghost}}", "pods:app=ghost in namespace shop"),
        (
            "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}},"
            " podSelector: {matchLabels: {app: cron}}",
            "pods:app=cron in namespace ops",
        ),
        ("namespaceSelector: {}, podSelector: {matchLabels: {app: db}}", "pods:app=db in any other namespace"),
        ("namespaceSelector: {matchLabels: {team: ops}}", "pods:* in namespaces team=ops"),
    ],
)
def test_a_peer_that_nobody_declared_is_still_somebody(peer, ident):
    """Whoever may make such a pod gets in: it is an open flow of its own."""
    text = f"podSelector: {{matchLabels: {{app: api}}}}\ningress: [{{from: [{{{peer}}}]}}]"
    assert admits(text, ident, "api", 3000)
    found = [item for item in findings(policies(text)) if item.callee == "api" and ident in item.callers]
    assert {(item.kind, item.causes) for item in found} == {("open", ("NetworkPolicy shop/p0 (p.yml)",))}
    assert {item.protocol for item in found} == {TCP, UDP, "SCTP"}


def test_a_peer_that_can_be_nobody_is_nobody():
    expressions = "[{key: a, operator: In, values: [x]}, {key: a, operator: NotIn, values: [x]}]"
    text = (
        "podSelector: {matchLabels: {app: api}}\n"
        f"ingress: [{{from: [{{podSelector: {{matchExpressions: {expressions}}}}}]}}]"
    )
    assert judged(policies(text))[1].allows.get("api") is None


@pytest.mark.parametrize(
    ("ports", "open_ports"),
    [
        ("[]", {(TCP, 80), (TCP, 8080), (TCP, 8443), (UDP, 80)}),
        ("[{port: 80}]", {(TCP, 80)}),
        ("[{protocol: UDP, port: 80}]", {(UDP, 80)}),
        ("[{protocol: TCP}]", {(TCP, 80), (TCP, 8080), (TCP, 8443)}),
        ("[{}]", {(TCP, 80), (TCP, 8080), (TCP, 8443)}),
        ("[{port: 8000, endPort: 8100}]", {(TCP, 8080)}),
        ("[{port: 8080, endPort: 8080}, {port: 80}]", {(TCP, 80), (TCP, 8080)}),
        ("[{port: http}]", {(TCP, 8080)}),
        ("[{port: tls}]", {(TCP, 8443)}),
        ("[{protocol: UDP, port: http}]", set()),
        ("[{port: admin}]", set()),
        ("[{protocol: SCTP, port: 80}]", set()),
    ],
)
def test_which_ports_a_rule_opens(ports, open_ports):
    text = f"podSelector: {{matchLabels: {{app: web}}}}\ningress: [{{ports: {ports}}}]"
    asked = {(TCP, 80), (TCP, 8080), (TCP, 8443), (UDP, 80)}
    assert {(protocol, port) for protocol, port in asked if admits(text, "api", "web", port, protocol)} == open_ports


def test_a_named_port_of_egress_is_each_callees_own():
    text = (
        "podSelector: {matchLabels: {app: web}}\npolicyTypes: [Egress]\negress: [{ports: [{port: http}, {port: tcp}]}]"
    )
    assert admits(text, "web", "api", 3000)
    assert admits(text, "web", "db", 5432)
    assert not admits(text, "web", "api", 5432)
    assert not admits(text, "web", "ip:0.0.0.0/0", 80)


def test_a_named_port_of_an_undeclared_pod_may_be_any():
    text = "podSelector: {matchLabels: {app: web}}\npolicyTypes: [Egress]\negress: [{ports: [{port: http}]}]"
    assert not admits(text, "web", "stranger:*", 80)
    _world, flows = judged(policies(text))
    assert [
        (grant.conditional, str(grant.ports)) for grant in flows.allows["stranger:*"] if "web" in grant.callers
    ] == [(True, "1-65535")]


def test_named_ports_of_the_clusters_dns():
    text = (
        "podSelector: {matchLabels: {app: web}}\npolicyTypes: [Egress]\n"
        "egress: [{to: [{namespaceSelector: {}}], ports: [{protocol: UDP, port: dns}, {port: dns-tcp}]}]"
    )
    assert admits(text, "web", "platform:dns", 53, UDP)
    assert admits(text, "web", "platform:dns", 53, TCP)
    assert not admits(text, "web", "platform:dns", 54, TCP)


def test_an_ip_block_is_addresses_without_the_excepted_ones():
    text = (
        "podSelector: {matchLabels: {app: web}}\npolicyTypes: [Egress]\n"
        "egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.96.0.0/12, 10.1.2.0/24]}},"
        " {ipBlock: {cidr: 'fc00::/7'}}]}]"
    )
    assert admits(text, "web", "ip:10.0.0.0/8", 443)
    assert admits(text, "web", "ip:10.244.0.0/16", 443)
    assert admits(text, "web", "ip:fc00::/7", 443)
    assert not admits(text, "web", "ip:10.96.0.0/12", 443)
    assert not admits(text, "web", "ip:10.1.2.0/24", 443)
    assert not admits(text, "web", "ip:0.0.0.0/0", 443)
    assert not admits(text, "web", "api", 3000), "an address is no pod"


def test_other_kinds_are_passed_over():
    other = [
        {
            "apiVersion": "projectcalico.org/v3",
            "kind": "NetworkPolicy",
            "metadata": {"name": "x"},
            "spec": {"order": 1},
        },
        {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "spec": 7},
        {"apiVersion": "v1", "kind": "Service", "metadata": None},
        {"kind": "NetworkPolicy"},
    ]
    _world, flows = judged([Sourced(document) for document in other])
    assert any("stranger:*" in grant.callers for grant in flows.allows["db"])


def test_the_default_namespace_is_default():
    document = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "x"}, "spec": {}}
    world, flows = judged([Sourced(document)])
    assert "stranger:default" in world.workloads
    assert "stranger:default" not in flows.allows


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("[]", "spec: [] is not a mapping"),
        ("{podselector: {}}", "is not a field of the API (did you mean 'podSelector'?)"),
        ("{policyTypes: [ingress]}", "is not Ingress or Egress"),
        ("{ingress: {}}", "spec.ingress: {} is not a list"),
        ("{ingress: [{to: []}]}", "is not a field of the API"),
        (
            "{ingress: [{from: [{}]}]}",
            "spec.ingress[0].from[0]: names nobody; give podSelector, namespaceSelector or ipBlock",
        ),
        (
            "{egress: [{to: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]}",
            "spec.egress[0].to[0]: has ipBlock beside a selector; make two peers of it",
        ),
        (
            "{egress: [{}, {to: [{ipBlock: {cidr: 10.0.0.0/33}}]}]}",
            "is not a network in CIDR notation",
        ),
        (
            "{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/8]}}]}]}",
            "spec.egress[0].to[0].ipBlock.except: 11.0.0.0/8 is not a part of 10.0.0.0/8",
        ),
        ("{ingress: [{ports: [{port: 0}]}]}", "spec.ingress[0].ports[0].port: 0 is not a port from 1 to 65535"),
        ("{ingress: [{ports: [{port: true}]}]}", "is not a port from 1 to 65535"),
        (
            "{ingress: [{ports: [{port: 9, endPort: 8}]}]}",
            "spec.ingress[0].ports[0].endPort: 8 is not a port from 9 to 65535",
        ),
        ("{ingress: [{ports: [{endPort: 8}]}]}", "spec.ingress[0].ports[0].endPort: has no port to begin with"),
        (
            "{ingress: [{ports: [{port: http, endPort: 8}]}]}",
            "spec.ingress[0].ports[0].endPort: stands beside a port name",
        ),
        ("{ingress: [{ports: [{port: '80'}]}]}", "is not a port name"),
        (
            "{ingress: [{ports: [{protocol: tcp}]}]}",
            "is not one of TCP, UDP, SCTP",
        ),
        ("{ingress: [{from: [{podSelector: {matchLabels: {a: 1}}}]}]}", "podSelector.matchLabels.a: 1 is not text"),
    ],
)
def test_what_the_api_server_refuses_is_an_error_with_its_place(spec, complaint):
    """T07, T08, T09 and T22, in documents that nobody here wrote."""
    document = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "x", "namespace": "shop"},
        "spec": yaml.safe_load(spec),
    }
    with pytest.raises(PlatformError) as error:
        judged([Sourced(document, "x.yml")])
    assert error.value.message.startswith("NetworkPolicy shop/x (x.yml): spec")
    assert complaint in error.value.message


def test_the_sources_dns_rule_opens_every_namespace_and_loses_tcp():
    """Mistakes 1 and 2: what those documents really say is found."""
    text = """
podSelector: {}
policyTypes: [Ingress, Egress]
ingress: [{}]
egress:
- to: [{namespaceSelector: {}}]
  ports: [{protocol: UDP, port: 53}]
"""
    found = findings(policies(text))
    opened = {
        (item.callee, item.protocol, str(item.ports)) for item in found if item.kind == "open" and "web" in item.callers
    }
    assert {("db", UDP, "53"), ("stranger:*", UDP, "53"), ("prometheus", UDP, "53")} <= opened
    missing = [
        (item.protocol, str(item.ports)) for item in found if item.kind == "missing" and item.callee == "platform:dns"
    ]
    assert missing == [(TCP, "53")]


def test_without_dns_egress_nothing_works():
    """T24: and the finding names the policy that isolates."""
    documents = [
        item for item in sourced(network_policy.render(GRAPH)) if item.document["metadata"]["name"] != "allow-dns"
    ]
    found = [(item.kind, item.callee, item.protocol, item.callers) for item in findings(documents)]
    assert ("missing", "platform:dns", UDP, frozenset({"db"})) in found
    assert ("missing", "platform:dns", TCP, frozenset({"web"})) in found
    assert {kind for kind, *_rest in found} == {"missing"}
    causes = {cause for item in findings(documents) if "web" in item.callers for cause in item.causes}
    assert causes == {
        "NetworkPolicy shop/default-deny (network_policy/shop.yml)",
        "NetworkPolicy shop/allow-istiod (network_policy/shop.yml)",
        "NetworkPolicy shop/web (network_policy/shop.yml)",
    }


def test_the_internet_without_the_metadata_service_still_opens_private_networks():
    """T24: 0.0.0.0/0 except 169.254.169.254/32 is more than the internet."""
    text = """
podSelector: {matchLabels: {app: api}}
policyTypes: [Egress]
egress:
- to: [{ipBlock: {cidr: 0.0.0.0/0, except: [169.254.169.254/32]}}]
  ports: [{port: 443}]
"""
    opened = {item.callee for item in findings(policies(text)) if item.kind == "open" and item.callers == {"api"}}
    assert {"ip:10.0.0.0/8", "ip:10.244.0.0/16", "ip:10.96.0.0/12", "ip:169.254.0.0/16", "ip:192.168.0.0/16"} <= opened
    assert not {"ip:0.0.0.0/0", "ip:169.254.169.254/32"} & opened


def test_a_refusal_names_the_policies_of_the_side_that_refuses():
    documents = sourced(network_policy.render(GRAPH))
    _world, flows = judged(documents)
    web_to_db = flows.refused_by("web", "db", TCP, 5432, Request())
    assert [cause.split(" (")[0] for cause in web_to_db] == [
        "NetworkPolicy data/db",
        "NetworkPolicy data/default-deny",
        "NetworkPolicy shop/allow-dns",
        "NetworkPolicy shop/allow-istiod",
        "NetworkPolicy shop/default-deny",
        "NetworkPolicy shop/web",
    ]
    assert [cause.split(" (")[0] for cause in flows.refused_by("prometheus", "db", TCP, 5432, Request())] == [
        "NetworkPolicy data/db",
        "NetworkPolicy data/default-deny",
    ]


def test_an_open_flow_names_the_policies_of_both_sides():
    documents = [
        *sourced(network_policy.render(GRAPH)),
        *policies(
            "podSelector: {matchLabels: {app: web}}\npolicyTypes: [Egress]\negress: [{}]\n---\n"
            "in: data\npodSelector: {matchLabels: {app: db}}\ningress: [{ports: [{port: 22}]}]"
        ),
    ]
    (found,) = [item for item in findings(documents) if item.callee == "db" and "web" in item.callers]
    assert (found.kind, str(found.ports), found.protocol) == ("open", "22", TCP)
    assert found.causes == ("NetworkPolicy data/p1 (p.yml)", "NetworkPolicy shop/p0 (p.yml)")
