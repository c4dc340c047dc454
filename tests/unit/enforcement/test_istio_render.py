# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Istio resources that a service graph becomes, written out by hand."""

from __future__ import annotations

import copy
import json
import random
import re
from typing import Any

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import istio
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.strategies import graphs

SMALL: dict[str, Any] = {
    "name": "shop",
    "trust_domain": "example.org",
    "cluster": {"name": "c1", "pod_cidrs": ["10.244.0.0/16"]},
    "callers": {
        "office": {"cidrs": ["203.0.113.0/24"], "calls": [{"to": "web", "port": 80}]},
        "prometheus": {"namespace": "monitoring", "scrapes": True},
        "partner": {
            "namespace": "outside", "service_account": "caller", "trust_domain": "partner.example.net",
            "calls": [{"to": "web", "methods": ["POST"]}],
        },
    },
    "services": {
        "web": {
            "port": 80, "target_port": 8080,
            "calls": [{"to": "api", "port": 3000, "methods": ["POST", "GET"], "paths": ["/api/*"]}, "db"],
        },
        "api": {
            "ports": [{"port": 3000}, {"port": 9000, "protocol": "grpc"}],
            "metrics": {"port": 3000},
            "egress": [{"hosts": ["api.openai.com", "*.s3.example.com"]}, {"cidrs": ["198.51.100.0/24"], "port": 5432}],
        },
        "db": {"namespace": "data", "port": 5432, "protocol": "tcp", "labels": {"tier": "db", "app": "db"}},
    },
}  # fmt: skip

SMALL_SHOP = """
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default}, spec: {mtls: {mode: STRICT}}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: allow-nothing}, spec: {}}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default}
spec:
  egress: [{hosts: [~/*]}]
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: api}
spec:
  selector: {matchLabels: {app: api}}
  action: ALLOW
  rules:
  - from: [{source: {principals: [example.org/ns/monitoring/sa/prometheus]}}]
    to: [{operation: {ports: ["3000"], methods: [GET], paths: [/metrics]}}]
  - from: [{source: {principals: [example.org/ns/shop/sa/web]}}]
    to: [{operation: {ports: ["3000"], methods: [GET, POST], paths: [/api/*]}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api}
spec:
  host: api.shop.svc.cluster.local
  trafficPolicy: &defaults
    connectionPool: {tcp: {maxConnections: 100}, http: {http1MaxPendingRequests: 10}}
    loadBalancer: {simple: ROUND_ROBIN}
    outlierDetection: {consecutive5xxErrors: 5, interval: 10s, baseEjectionTime: 30s}
    tls: {mode: ISTIO_MUTUAL}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: api}
spec:
  workloadSelector: {labels: {app: api}}
  egress: [{hosts: [shop/*.s3.example.com, shop/198-51-100-0-24-5432.network.invalid, shop/api.openai.com]}]
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  mtls: {mode: STRICT}
  portLevelMtls: {"8080": {mode: PERMISSIVE}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  action: ALLOW
  rules:
  - from: [{source: {ipBlocks: [203.0.113.0/24]}}]
    to: [{operation: {ports: ["8080"]}}]
  - from: [{source: {principals: [partner.example.net/ns/outside/sa/caller]}}]
    to: [{operation: {ports: ["8080"], methods: [POST]}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec:
  host: web.shop.svc.cluster.local
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 100}, http: {http1MaxPendingRequests: 10}}
    loadBalancer: {simple: ROUND_ROBIN}
    outlierDetection: {consecutive5xxErrors: 5, interval: 10s, baseEjectionTime: 30s}
    tls: {mode: ISTIO_MUTUAL}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: web}
spec:
  workloadSelector: {labels: {app: web}}
  egress: [{hosts: [data/db.data.svc.cluster.local, shop/api.shop.svc.cluster.local]}]
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: s3.example.com-subdomains}
spec:
  hosts: ["*.s3.example.com"]
  exportTo: [.]
  location: MESH_EXTERNAL
  ports: [{number: 443, name: tls-443, protocol: TLS}]
  resolution: NONE
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api.openai.com}
spec:
  hosts: [api.openai.com]
  exportTo: [.]
  location: MESH_EXTERNAL
  ports: [{number: 443, name: tls-443, protocol: TLS}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: 198-51-100-0-24-5432.network.invalid}
spec:
  hosts: [198-51-100-0-24-5432.network.invalid]
  addresses: [198.51.100.0/24]
  exportTo: [.]
  location: MESH_EXTERNAL
  ports: [{number: 5432, name: tcp-5432, protocol: TCP}]
  resolution: NONE
"""

SMALL_DATA = """
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default}, spec: {mtls: {mode: STRICT}}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: allow-nothing}, spec: {}}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default}
spec:
  egress: [{hosts: [~/*]}]
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: db}
spec:
  selector: {matchLabels: {app: db, tier: db}}
  action: ALLOW
  rules:
  - from: [{source: {principals: [example.org/ns/shop/sa/web]}}]
    to: [{operation: {ports: ["5432"]}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: db}
spec:
  host: db.data.svc.cluster.local
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 100}, http: {http1MaxPendingRequests: 10}}
    loadBalancer: {simple: ROUND_ROBIN}
    outlierDetection: {consecutive5xxErrors: 5, interval: 10s, baseEjectionTime: 30s}
    tls: {mode: ISTIO_MUTUAL}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: db}
spec:
  workloadSelector: {labels: {app: db, tier: db}}
  egress: [{hosts: [~/*]}]
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
"""

SMALL_MESH = """
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default}, spec: {mtls: {mode: STRICT}}}
"""


def by_hand(text: str, namespace: str) -> list[dict[str, Any]]:
    documents = list(yaml.safe_load_all(text))
    for document in documents:
        document["metadata"]["namespace"] = namespace
        document["metadata"]["labels"] = {
            "app.kubernetes.io/managed-by": "zerotrust.platform",
            "app.kubernetes.io/part-of": "shop",
        }
    return documents


def one(data: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    """The spec of the only rendered object of that kind and name."""
    (found,) = [
        document
        for documents in istio.render(graph_of(data)).values()
        for document in documents
        if document["kind"] == kind and document["metadata"]["name"] == name
    ]
    return found["spec"]


def test_a_small_graph_becomes_these_documents() -> None:
    rendered = istio.render(graph_of(SMALL))
    assert list(rendered) == ["istio/data.yml", "istio/istio-system.yml", "istio/shop.yml"]
    assert rendered["istio/data.yml"] == by_hand(SMALL_DATA, "data")
    assert rendered["istio/istio-system.yml"] == by_hand(SMALL_MESH, "istio-system")
    assert rendered["istio/shop.yml"] == by_hand(SMALL_SHOP, "shop")


# Rows D3 to D8: the sources' own graph.

LOCAL: dict[str, Any] = {
    "name": "shop",
    "trust_domain": "valuecanvas.example.com",
    "gateways": {"istio": {"tls_secret": "tradingrobotplug-tls"}},
    "services": {
        "frontend": {
            "port": 80, "calls": [{"to": "api-service", "methods": ["GET", "POST"], "paths": ["/api/*"]}],
        },
        "api-service": {
            "port": 3000, "calls": ["postgres"], "egress": [{"hosts": ["api.together.xyz", "api.openai.com"]}],
        },
        "postgres": {"port": 5432, "protocol": "tcp"},
        "flask": {
            "port": 5000,
            "exposes": [{"host": "shop.example.com"}, {"host": "shop.example.com", "path": "/api/analytics"}],
        },
        "fastapi": {"port": 8001, "exposes": [{"host": "shop.example.com", "path": "/api/v1"}]},
    },
}  # fmt: skip


def test_d3_get_and_post_on_api_and_the_database_by_its_port_alone() -> None:
    """Mistakes 4 and 5: every policy selects its callee, and a TCP port has no HTTP fields."""
    api = one(LOCAL, "AuthorizationPolicy", "api-service")
    assert api["selector"] == {"matchLabels": {"app": "api-service"}}
    assert api["rules"] == [
        {
            "from": [{"source": {"principals": ["valuecanvas.example.com/ns/shop/sa/frontend"]}}],
            "to": [{"operation": {"ports": ["3000"], "methods": ["GET", "POST"], "paths": ["/api/*"]}}],
        }
    ]
    postgres = one(LOCAL, "AuthorizationPolicy", "postgres")
    assert postgres["selector"] == {"matchLabels": {"app": "postgres"}}
    assert postgres["rules"] == [
        {
            "from": [{"source": {"principals": ["valuecanvas.example.com/ns/shop/sa/api-service"]}}],
            "to": [{"operation": {"ports": ["5432"]}}],
        }
    ]


def test_default_deny_is_an_allow_policy_that_allows_nothing() -> None:
    """Mistake 4: never DENY with notNamespaces."""
    assert one(LOCAL, "AuthorizationPolicy", "allow-nothing") == {}
    policies = [
        document
        for documents in istio.render(graph_of(LOCAL)).values()
        for document in documents
        if document["kind"] == "AuthorizationPolicy"
    ]
    assert {policy["spec"].get("action", "ALLOW") for policy in policies} == {"ALLOW"}
    assert all("selector" in policy["spec"] for policy in policies if policy["metadata"]["name"] != "allow-nothing")


def test_d4_only_the_declared_caller_sees_external_hosts() -> None:
    """Mistake 6: a Sidecar's egress hosts are namespace/host."""
    assert one(LOCAL, "Sidecar", "api-service")["egress"] == [
        {"hosts": ["shop/api.openai.com", "shop/api.together.xyz", "shop/postgres.shop.svc.cluster.local"]}
    ]
    for name in ("frontend", "postgres", "flask", "fastapi", "default"):
        sidecar = one(LOCAL, "Sidecar", name)
        assert sidecar["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}
        assert "openai" not in json.dumps(sidecar)
    for host in ("api.openai.com", "api.together.xyz"):
        entry = one(LOCAL, "ServiceEntry", host)
        assert entry["exportTo"] == ["."]
        assert entry["ports"] == [{"number": 443, "name": "tls-443", "protocol": "TLS"}]


@pytest.mark.parametrize(
    ("http", "port_80"),
    [
        ("redirect", [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "tls": {"httpsRedirect": True}}]),
        ("serve", [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}}]),
        ("off", []),
    ],
)
def test_d5_the_gateway_ends_tls_on_443_and_redirects_80(http: str, port_80: list[dict[str, Any]]) -> None:
    data = copy.deepcopy(LOCAL)
    data["gateways"]["istio"]["http"] = http
    gateway = one(data, "Gateway", "istio")
    tls = {"mode": "SIMPLE", "credentialName": "tradingrobotplug-tls", "minProtocolVersion": "TLSV1_2"}
    secure = {"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "tls": tls}
    assert gateway == {
        "selector": {"istio": "ingressgateway"},
        "servers": [{**server, "hosts": ["./shop.example.com"]} for server in (secure, *port_80)],
    }


def test_d6_the_routes_longest_path_first() -> None:
    routes = one(LOCAL, "VirtualService", "istio.shop.example.com")
    assert routes["hosts"] == ["shop.example.com"]
    assert routes["gateways"] == ["istio"]
    table = [(route["match"], route["route"][0]["destination"]) for route in routes["http"]]
    flask = {"host": "flask.shop.svc.cluster.local", "port": {"number": 5000}}
    assert table == [
        ([{"uri": {"exact": "/api/analytics"}}, {"uri": {"prefix": "/api/analytics/"}}], flask),
        (
            [{"uri": {"exact": "/api/v1"}}, {"uri": {"prefix": "/api/v1/"}}],
            {"host": "fastapi.shop.svc.cluster.local", "port": {"number": 8001}},
        ),
        ([{"uri": {"prefix": "/"}}], flask),
    ]


def test_d8_security_headers_on_every_route() -> None:
    for route in one(LOCAL, "VirtualService", "istio.shop.example.com")["http"]:
        assert route["headers"]["response"]["set"] == {
            "Content-Security-Policy": (
                "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
            ),
            "Referrer-Policy": "strict-origin-when-cross-origin",
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "X-XSS-Protection": "1; mode=block",
        }


def test_a_gateways_own_headers_replace_and_complete_the_defaults_in_any_case() -> None:
    data = copy.deepcopy(LOCAL)
    data["gateways"]["istio"]["security_headers"] = {"x-frame-options": "SAMEORIGIN", "Permissions-Policy": "camera=()"}
    headers = one(data, "VirtualService", "istio.shop.example.com")["http"][0]["headers"]["response"]["set"]
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["Permissions-Policy"] == "camera=()"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Frame-Options" not in headers
    assert len(headers) == 7


def test_d7_traffic_of_the_service_goes_before_the_meshs() -> None:
    data = copy.deepcopy(LOCAL)
    data["mesh"] = {"traffic": {"max_connections": 7}}
    data["services"]["postgres"]["traffic"] = {"load_balancer": "RANDOM", "tls_mode": "DISABLE", "interval": "1m"}
    flask = one(data, "DestinationRule", "flask")["trafficPolicy"]
    assert flask["connectionPool"]["tcp"] == {"maxConnections": 7}
    assert flask["tls"] == {"mode": "ISTIO_MUTUAL"}
    postgres = one(data, "DestinationRule", "postgres")["trafficPolicy"]
    assert postgres["connectionPool"]["tcp"] == {"maxConnections": 100}
    assert postgres["loadBalancer"] == {"simple": "RANDOM"}
    assert postgres["outlierDetection"]["interval"] == "1m"
    assert postgres["tls"] == {"mode": "DISABLE"}
    assert [note.partition(" are sent")[0] for note in istio.notes(graph_of(data))] == ["Calls to postgres"]


def test_many_services_in_plain_text_are_counted() -> None:
    services = {f"s{number:02}": {"port": 80} for number in range(12)}
    data = {"name": "shop", "trust_domain": "example.org", "services": services}
    assert istio.notes(graph_of(data)) == []
    (note,) = istio.notes(graph_of({**data, "mesh": {"traffic": {"tls_mode": "DISABLE"}}}))
    assert note.startswith(
        "Calls to s00, s01, s02, s03, s04, s05, s06, s07, s08, s09 and 2 more are sent in plain text"
    )


# Details.


def gateway_graph(exposes: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    services = {name: {"port": 80, "exposes": claims} for name, claims in exposes.items()}
    return {"name": "shop", "trust_domain": "example.org", "gateways": {"istio": {}}, "services": services}


def test_routes_for_any_host_are_repeated_for_each_host_because_only_the_closest_virtual_service_counts() -> None:
    data = gateway_graph(
        {"web": [{"path": "/"}], "shop": [{"host": "shop.example.com", "path": "/cart"}, {"host": "shop.example.com"}]}
    )
    assert [route["name"] for route in one(data, "VirtualService", "istio.any")["http"]] == ["web"]
    of_shop = one(data, "VirtualService", "istio.shop.example.com")["http"]
    assert [route["name"] for route in of_shop] == ["shop", "shop", "web"]
    assert one(data, "Gateway", "istio")["servers"][0]["hosts"] == ["./*", "./shop.example.com"]


def test_a_routes_methods_are_matched() -> None:
    data = gateway_graph({"form": [{"methods": ["PUT", "POST"]}], "search": [{"methods": ["GET"]}]})
    assert [(route["name"], route["match"]) for route in one(data, "VirtualService", "istio.any")["http"]] == [
        ("form", [{"uri": {"prefix": "/"}, "method": {"regex": "POST|PUT"}}]),
        ("search", [{"uri": {"prefix": "/"}, "method": {"exact": "GET"}}]),
    ]


def test_a_gateway_calls_by_its_own_principal() -> None:
    data = gateway_graph({"web": [{"path": "/shop"}]})
    data["gateways"]["istio"] = {"namespace": "edge", "service_account": "front-door"}
    assert one(data, "AuthorizationPolicy", "web")["rules"] == [
        {
            "from": [{"source": {"principals": ["example.org/ns/edge/sa/front-door"]}}],
            "to": [{"operation": {"ports": ["80"], "paths": ["/shop", "/shop/*"]}}],
        }
    ]


def test_a_policy_judges_the_workloads_port_and_a_route_the_services() -> None:
    data = gateway_graph({"web": [{}]})
    data["services"]["web"]["target_port"] = 8080
    assert one(data, "AuthorizationPolicy", "web")["rules"][0]["to"] == [{"operation": {"ports": ["8080"]}}]
    (route,) = one(data, "VirtualService", "istio.any")["http"]
    assert route["route"][0]["destination"]["port"] == {"number": 80}


def test_an_unused_gateway_becomes_nothing() -> None:
    data = gateway_graph({"web": [{}]})
    data["gateways"]["spare"] = {"kind": "istio", "namespace": "spare", "labels": {"istio": "spare"}}
    data["services"]["web"]["exposes"][0]["gateway"] = "istio"
    assert list(istio.render(graph_of(data))) == ["istio/istio-system.yml", "istio/shop.yml"]


def test_grpc_has_paths_but_no_methods() -> None:
    data = gateway_graph({"web": [{"path": "/shop.Cart"}]})
    data["services"]["web"]["protocol"] = "grpc"
    operation = one(data, "AuthorizationPolicy", "web")["rules"][0]["to"][0]["operation"]
    assert operation == {"ports": ["80"], "paths": ["/shop.Cart", "/shop.Cart/*"]}


def test_a_host_that_a_neighbour_uses_with_another_port_gets_a_listener_for_the_port() -> None:
    """A Sidecar imports hosts with all their ports; Istio keeps only one ServiceEntry of a host in a namespace."""
    data = {
        "name": "shop",
        "trust_domain": "example.org",
        "services": {
            "a": {"calls": ["c"], "egress": [{"hosts": ["x.example.com"]}, {"hosts": ["y.example.com"], "port": 80}]},
            "b": {"egress": [{"hosts": ["x.example.com"], "port": 8443, "protocol": "http"}]},
            "c": {"port": 443},
        },
    }
    assert one(data, "ServiceEntry", "x.example.com")["ports"] == [
        {"number": 443, "name": "tls-443", "protocol": "TLS"},
        {"number": 8443, "name": "http-8443", "protocol": "HTTP"},
    ]
    assert one(data, "Sidecar", "a")["egress"] == [
        {
            "port": {"number": 443, "name": "tls-443", "protocol": "TLS"},
            "hosts": ["shop/c.shop.svc.cluster.local", "shop/x.example.com"],
        },
        {"hosts": ["shop/c.shop.svc.cluster.local", "shop/y.example.com"]},
    ]
    assert one(data, "Sidecar", "b")["egress"] == [
        {"port": {"number": 8443, "name": "http-8443", "protocol": "HTTP"}, "hosts": ["shop/x.example.com"]}
    ]


def test_a_service_named_like_a_namespaces_own_object_stays_apart_from_it() -> None:
    data = {
        "name": "shop",
        "trust_domain": "example.org",
        "services": {"default": {"port": 80}, "allow-nothing": {"port": 80, "calls": ["default"]}},
    }
    assert one(data, "Sidecar", "default")["egress"] == [{"hosts": ["~/*"]}]
    assert one(data, "Sidecar", "default.service")["workloadSelector"] == {"labels": {"app": "default"}}
    assert one(data, "AuthorizationPolicy", "allow-nothing") == {}


def test_long_names_stay_valid_and_apart() -> None:
    host = ".".join(["a" * 60] * 4) + ".org"
    data = gateway_graph({"web": [{"host": host}, {"host": "b" + host[1:]}, {"host": host[:-3] + "com"}]})
    names = [document["metadata"]["name"] for document in istio.render(graph_of(data))["istio/istio-system.yml"]]
    assert len(set(names)) == len(names) == 5
    assert max(map(len, names)) <= 253


def shuffled(data: Any, chance: random.Random) -> Any:
    if not isinstance(data, dict):
        return data
    keys = list(data)
    chance.shuffle(keys)
    return {key: shuffled(data[key], chance) for key in keys}


@given(graphs(), st.integers())
def test_the_order_of_the_file_makes_no_difference(data: dict[str, Any], seed: int) -> None:
    rendered = istio.render(graph_of(data))
    again = istio.render(graph_of(shuffled(data, random.Random(seed))))
    assert json.dumps(rendered) == json.dumps(again)


@given(graphs())
def test_names_are_unique_and_valid_and_objects_carry_their_owner(data: dict[str, Any]) -> None:
    subdomain = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
    seen = set()
    for name, documents in istio.render(graph_of(data)).items():
        for document in documents:
            meta = document["metadata"]
            key = (document["kind"], meta["namespace"], meta["name"])
            assert key not in seen
            seen.add(key)
            assert name == f"istio/{meta['namespace']}.yml"
            assert subdomain.fullmatch(meta["name"])
            assert len(meta["name"]) <= 253
            assert meta["labels"]["app.kubernetes.io/part-of"] == data["name"]
