# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkPolicies as they are rendered."""

from __future__ import annotations

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import network_policy
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from hypothesis import given

from tests.unit.strategies import parsed_graphs

SHOP = {
    "name": "shop",
    "trust_domain": "example.org",
    "cluster": {"name": "c1", "pod_cidrs": ["10.244.0.0/16"], "service_cidrs": ["203.0.114.0/24"]},
    "gateways": {"istio": {}},
    "callers": {
        "office": {"cidrs": ["203.0.113.0/24", "2001:db8::/32"], "calls": ["web"]},
        "prometheus": {"namespace": "monitoring", "scrapes": True},
    },
    "services": {
        "web": {
            "port": 80,
            "target_port": 8080,
            "calls": [
                {"to": "api", "port": 3000, "methods": ["GET"], "paths": ["/api/*"]},
                {"to": "api", "port": "grpc"},
            ],
            "exposes": [{"host": "shop.example.com"}],
        },
        "api": {
            "namespace": "backend",
            "labels": {"tier": "api", "app": "api"},
            "ports": [{"port": 3000}, {"port": 9000, "protocol": "grpc"}],
            "metrics": {"port": 3000},
            "calls": ["db"],
            "egress": [{"hosts": ["api.openai.com"]}, {"cidrs": ["198.51.100.0/24"], "port": 5432, "protocol": "tcp"}],
        },
        "db": {"namespace": "backend", "port": 5432, "protocol": "tcp"},
    },
}


def policy(name, namespace, spec):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "zerotrust.platform", "app.kubernetes.io/part-of": "shop"},
        },
        "spec": spec,
    }


def pods(namespace, **labels):
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "podSelector": {"matchLabels": labels},
    }


def tcp(*ports):
    return [{"protocol": "TCP", "port": port} for port in ports]


BOTH = ["Ingress", "Egress"]


def shared(namespace):
    """What every namespace begins with. Mistake 1: each protocol has its own entry, and DNS is the cluster's only."""
    dns = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    dns["podSelector"] = {"matchLabels": {"k8s-app": "kube-dns"}}
    both = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
    istiod = pods("istio-system", app="istiod")
    return [
        policy("default-deny", namespace, {"podSelector": {}, "policyTypes": BOTH}),
        policy(
            "allow-dns",
            namespace,
            {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [dns], "ports": both}]},
        ),
        policy(
            "allow-istiod",
            namespace,
            {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [istiod], "ports": tcp(15012)}]},
        ),
    ]


def test_a_small_graph_to_the_letter():
    """E1, T24, and mistakes 1 to 3: default deny both ways, DNS, and each flow at both of its ends."""
    web = policy(
        "web",
        "shop",
        {
            "podSelector": {"matchLabels": {"app": "web"}},
            "policyTypes": BOTH,
            "ingress": [
                {
                    "from": [
                        pods("istio-system", istio="ingressgateway"),
                        {"ipBlock": {"cidr": "203.0.113.0/24"}},
                        {"ipBlock": {"cidr": "2001:db8::/32"}},
                    ],
                    "ports": tcp(8080),
                }
            ],
            "egress": [{"to": [pods("backend", app="api", tier="api")], "ports": tcp(3000, 9000)}],
        },
    )
    api = policy(
        "api",
        "backend",
        {
            "podSelector": {"matchLabels": {"app": "api", "tier": "api"}},
            "policyTypes": BOTH,
            "ingress": [
                {"from": [pods("monitoring", app="prometheus"), pods("shop", app="web")], "ports": tcp(3000)},
                {"from": [pods("shop", app="web")], "ports": tcp(9000)},
            ],
            "egress": [
                {"to": [pods("backend", app="db")], "ports": tcp(5432)},
                {
                    "to": [
                        {
                            "ipBlock": {
                                "cidr": "0.0.0.0/0",
                                "except": [
                                    "0.0.0.0/8",
                                    "10.0.0.0/8",
                                    "100.64.0.0/10",
                                    "127.0.0.0/8",
                                    "169.254.0.0/16",
                                    "172.16.0.0/12",
                                    "192.0.0.0/24",
                                    "192.168.0.0/16",
                                    "198.18.0.0/15",
                                    "224.0.0.0/4",
                                    "240.0.0.0/4",
                                    "203.0.114.0/24",
                                ],
                            }
                        },
                        {
                            "ipBlock": {
                                "cidr": "::/0",
                                "except": ["::/128", "::1/128", "64:ff9b:1::/48", "fc00::/7", "fe80::/10", "ff00::/8"],
                            }
                        },
                    ],
                    "ports": tcp(443),
                },
                {"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}], "ports": tcp(5432)},
            ],
        },
    )
    db = policy(
        "db",
        "backend",
        {
            "podSelector": {"matchLabels": {"app": "db"}},
            "policyTypes": BOTH,
            "ingress": [{"from": [pods("backend", app="api", tier="api")], "ports": tcp(5432)}],
        },
    )
    assert network_policy.render(graph_of(SHOP)) == {
        "network_policy/backend.yml": [*shared("backend"), api, db],
        "network_policy/shop.yml": [*shared("shop"), web],
    }


def test_any_address_holds_neither_the_cluster_nor_the_metadata_service():
    """T07, T10, T24: allow_internet opens every address outside; what hands out credentials is not outside."""
    data = {
        "name": "g",
        "trust_domain": "example.org",
        "cluster": {"pod_cidrs": ["10.244.0.0/16", "fd00:10::/56"]},
        "services": {"job": {"egress": [{"cidrs": ["0.0.0.0/0", "::/0"], "allow_internet": True}]}},
    }
    (job,) = [
        item
        for item in network_policy.render(graph_of(data))["network_policy/g.yml"]
        if item["metadata"]["name"] == "job"
    ]
    assert job["spec"]["egress"] == [
        {
            "to": [
                {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16", "100.100.100.200/32", "10.244.0.0/16"]}},
                {"ipBlock": {"cidr": "::/0", "except": ["fd00:ec2::/32", "fe80::/10", "fd00:10::/56"]}},
            ],
            "ports": tcp(443),
        }
    ]


def test_a_gateway_and_a_caller_among_the_services_keep_their_flows():
    """They fall under the namespace's default deny like everybody else in it."""
    data = {
        "name": "shop",
        "trust_domain": "example.org",
        "gateways": {"edge": {"kind": "kong", "namespace": "shop", "labels": {"app": "edge"}}},
        "callers": {"batch": {"namespace": "shop", "calls": ["web"]}},
        "services": {"web": {"port": 8080, "exposes": [{"path": "/"}]}},
    }
    documents = {
        item["metadata"]["name"]: item["spec"]
        for item in network_policy.render(graph_of(data))["network_policy/shop.yml"]
    }
    to_web = [{"to": [pods("shop", app="web")], "ports": tcp(8080)}]
    assert documents["batch"] == {
        "podSelector": {"matchLabels": {"app": "batch"}},
        "policyTypes": BOTH,
        "egress": to_web,
    }
    assert documents["edge"] == {
        "podSelector": {"matchLabels": {"app": "edge"}},
        "policyTypes": BOTH,
        "ingress": [{}],
        "egress": to_web,
    }


@given(parsed_graphs())
def test_rendering_is_the_same_each_time_and_holds_none_of_the_known_mistakes(graph):
    """Mistakes 1 and 2, T21: one protocol a port entry, no empty namespace selector, no peer of every pod."""
    rendered = network_policy.render(graph)
    assert rendered == network_policy.render(graph)
    assert list(rendered) == [f"network_policy/{namespace}.yml" for namespace in graph.namespaces]
    for documents in rendered.values():
        names = [document["metadata"]["name"] for document in documents]
        assert len(names) == len(set(names))
        for document in documents:
            for rule in (*document["spec"].get("ingress", ()), *document["spec"].get("egress", ())):
                for peer in (*rule.get("from", ()), *rule.get("to", ())):
                    if "ipBlock" not in peer:
                        assert peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
                        assert peer["podSelector"]["matchLabels"]
                for port in rule.get("ports", ()):
                    assert set(port) == {"protocol", "port"}


def test_a_workload_named_like_a_shared_policy_stays_apart_from_it() -> None:
    services = {"default-deny": {"port": 80}, "allow-dns": {"port": 81, "calls": ["default-deny"]}}
    graph = graph_of({"name": "shop", "trust_domain": "example.org", "services": services})
    names = [item["metadata"]["name"] for item in network_policy.render(graph)["network_policy/shop.yml"]]
    assert sorted(names) == ["allow-dns", "allow-dns.service", "allow-istiod", "default-deny", "default-deny.service"]
