# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the file to a complete graph: short forms, defaults, overrides. Mistakes are in test_cases.py."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import (
    Call,
    Cors,
    Metrics,
    Port,
    Service,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import GraphError
from ansible_collections.zerotrust.platform.tests.unit.strategies import generated, graphs
from hypothesis import given

HEAD = "name: shop\ntrust_domain: example.org\n"
CALLERS = """\
callers:
  prometheus: {namespace: monitoring, scrapes: true}
  office: {cidrs: [192.0.2.0/24], calls: [web]}
"""


def service(text, **others):
    """The service of a graph whose only particulars are its own."""
    return parse(HEAD + "services:\n  web: " + text + "".join(f"\n  {k}: {v}" for k, v in others.items())).services[
        "web"
    ]


def test_three_lines_make_a_service():
    graph = parse(HEAD + "services:\n  web:\n    port: 80\n    calls: [db]\n  db:\n    port: 5432\n    protocol: tcp\n")
    assert graph.services == {
        "web": Service(
            name="web",
            namespace="shop",
            service_account="web",
            labels={"app": "web"},
            ports=(Port(number=80, target=80, protocol="http", name="http"),),
            calls=(Call(to="db"),),
        ),
        "db": Service(
            name="db",
            namespace="shop",
            service_account="db",
            labels={"app": "db"},
            ports=(Port(number=5432, target=5432, protocol="tcp", name="tcp"),),
        ),
    }
    assert graph.namespace == "shop"
    assert graph.namespaces == ("shop",)
    assert graph.fqdn(graph.services["web"]) == "web.shop.svc.cluster.local"


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("{port: 80}", "{ports: [{port: 80}]}"),
        (
            "{port: 80, target_port: 8080, protocol: grpc}",
            "{ports: [{port: 80, target_port: 8080, protocol: grpc, name: grpc}]}",
        ),
        ("{port: 80, metrics: true}", "{port: 80, metrics: {}}"),
        ("{port: 80, metrics: false}", "{port: 80}"),
        ("{calls: [api]}", "{calls: [{to: api}]}"),
        ("{}", ""),
    ],
)
def test_short_forms_mean_their_long_forms(short, long):
    assert service(short, api="{port: 1}") == service(long, api="{port: 1}")


def test_a_cluster_may_be_just_its_name():
    graphs_ = [parse(HEAD + f"cluster: {cluster}\nservices: {{a: {{}}}}") for cluster in ("c1", "{name: c1}")]
    assert graphs_[0] == graphs_[1]


def test_cors_may_be_just_true():
    head = "gateways: {kong: {cors_origins: [https://example.com]}}\nservices: {a: {port: 80, exposes: [{cors: %s}]}}"
    found = [
        parse(HEAD + head % cors).services["a"].exposes[0].cors for cors in ("true", "{}", "false", "{max_age: 1}")
    ]
    assert found == [Cors(), Cors(), None, Cors(max_age=1)]


def test_ports_have_names_by_protocol_where_that_tells_them_apart():
    assert [port.name for port in service("{ports: [{port: 1}, {port: 2, protocol: tcp}]}").ports] == ["http", "tcp"]
    assert [port.name for port in service("{ports: [{port: 1}, {port: 2}]}").ports] == ["http-1", "http-2"]
    assert service("{port: 80, metrics: {port: http, path: /m}}").metrics == Metrics(port="http", path="/m")


def test_gateways_and_callers_are_completed():
    graph = parse(
        HEAD
        + "mesh: {namespace: mesh}\n"
        + "gateways: {istio: , kong: {namespace: edge}, public: {kind: istio, namespace: edge, tls_secret: own}}\n"
        + CALLERS
        + "services: {web: {port: 80}}\n"
    )
    istio, kong, public = graph.gateways.values()
    assert (istio.kind, istio.namespace, istio.service_account) == (
        "istio",
        "mesh",
        "istio-ingressgateway-service-account",
    )
    assert (istio.labels, istio.tls_secret) == ({"istio": "ingressgateway"}, "shop-tls")
    assert (kong.kind, kong.namespace, kong.service_account) == ("kong", "edge", "kong")
    assert kong.labels == {"app.kubernetes.io/name": "kong"}
    assert (public.kind, public.namespace, public.tls_secret) == ("istio", "edge", "own")
    prometheus, office = graph.callers.values()
    assert (prometheus.service_account, prometheus.labels) == ("prometheus", {"app": "prometheus"})
    assert (office.is_network, office.service_account, office.labels) == (True, "", {})
    assert graph.principal(prometheus) == "example.org/ns/monitoring/sa/prometheus"


def test_the_only_gateway_needs_no_mention():
    graph = parse(HEAD + "gateways: {edge: {kind: kong}}\nservices: {web: {port: 80, exposes: [{}]}}")
    (expose,) = graph.services["web"].exposes
    assert (expose.gateway, expose.name, expose.path) == ("edge", "web", "/")


def test_flows_are_all_that_is_declared():
    graph = parse(
        HEAD
        + "gateways: {istio: , kong: {}}\n"
        + CALLERS
        + "services:\n"
        + "  web: {port: 80, target_port: 8080, calls: [{to: api, port: admin, methods: [GET], paths: [/a]}],\n"
        + "    exposes: [{gateway: istio, path: /w/}, {gateway: kong, path: /x, strip_path: true},\n"
        + "              {gateway: kong, name: r}]}\n"
        + "  api: {ports: [{port: 1}, {port: 2, name: admin}], metrics: {port: 1}}\n"
    )
    found = [(flow.caller, flow.callee, flow.port.target, flow.methods, flow.paths, flow.place) for flow in graph.flows]
    assert found == [
        ("web", "api", 2, ("GET",), ("/a",), "services.web.calls[0]"),
        ("office", "web", 8080, (), (), "callers.office.calls[0]"),
        ("istio", "web", 8080, (), ("/w", "/w/*"), "services.web.exposes[0]"),
        ("kong", "web", 8080, (), (), "services.web.exposes[1]"),
        ("kong", "web", 8080, (), (), "services.web.exposes[2]"),
        ("prometheus", "api", 1, ("GET",), ("/metrics",), "services.api.metrics"),
    ]


@given(graphs())
def test_data_and_file_give_the_same_graph(data):
    assert parse(yaml.safe_dump(data, sort_keys=False)) == graph_of(data)


@given(graphs())
def test_a_parsed_graph_leaves_nothing_open(data):
    graph = graph_of(data)
    for one in (*graph.services.values(), *graph.gateways.values()):
        assert one.namespace
        assert one.service_account
        assert one.labels
    for one in graph.services.values():
        assert all(port.target and port.name for port in one.ports)
        assert len({port.name for port in one.ports}) == len(one.ports)
        for call in one.calls:
            assert graph.port_of(graph.services[call.to], call.port)
        for expose in one.exposes:
            assert graph.gateways[expose.gateway].kind in ("istio", "kong")
            assert expose.name
    declared = sum(len(one.calls) for one in (*graph.services.values(), *graph.callers.values()))
    scrapes = sum(bool(one.metrics) for one in graph.services.values()) * sum(c.scrapes for c in graph.callers.values())
    assert len(graph.flows) == declared + scrapes + sum(len(one.exposes) for one in graph.services.values())


def test_generated_graphs_are_the_same_each_time():
    assert generated(120, seed=1) == generated(120, seed=1) != generated(120, seed=2)
    graph = graph_of(generated(120, calls=7))
    assert {len(one.calls) for one in graph.services.values()} == {7}
    assert graph.namespaces == ("ns-0000", "ns-0001", "ns-0002")
    assert [len(one.calls) for one in graph_of(generated(3)).services.values()] == [2, 2, 2]


# --- Overrides


FILE = HEAD + "cluster: {name: c1}\nservices:\n  web: {port: 80, tier: front}\n  api: {port: 81, labels: {app: api}}\n"


def test_overrides_are_merged_by_key():
    graph = parse(
        FILE,
        overrides={
            "trust_domain": "other.org",
            "services": {"web": {"port": 8080}, "api": {"labels": {"v": "1"}}, "new": {"port": 1}},
        },
    )
    assert graph.trust_domain == "other.org"
    assert list(graph.services) == ["web", "api", "new"]
    assert (graph.services["web"].ports[0].number, graph.services["web"].tier) == (8080, "front")
    assert graph.services["api"].labels == {"app": "api", "v": "1"}


def test_overrides_with_null_remove():
    """As a JSON Merge Patch (RFC 7396): at every depth, also where nothing is there."""
    graph = parse(FILE, overrides={"cluster": None, "services": {"web": {"tier": None, "calls": None}, "api": None}})
    assert graph.cluster.name == "kubernetes"
    assert list(graph.services) == ["web"]
    assert graph.services["web"].tier == ""
    added = parse(FILE, overrides={"services": {"new": {"port": 1, "tier": None}}, "mesh": {"namespace": None}})
    assert (added.services["new"].tier, added.mesh.namespace) == ("", "istio-system")


def test_overrides_replace_what_is_no_mapping():
    text = HEAD + "cluster: c1\nservices: {web: {calls: [api, db]}, api: {port: 1}, db: {port: 1}}"
    graph = parse(text, overrides={"cluster": {"pod_cidrs": ["10.0.0.0/8"]}, "services": {"web": {"calls": ["db"]}}})
    assert graph.cluster.name == "kubernetes"
    assert graph.cluster.pod_cidrs == ("10.0.0.0/8",)
    assert [call.to for call in graph.services["web"].calls] == ["db"]


def test_overrides_leave_the_file_and_themselves_alone():
    over = {"services": {"web": {"labels": {"a": "b"}}}}
    before = repr(over)
    first = parse(FILE, overrides=over)
    assert repr(over) == before
    assert parse(FILE, overrides=over) == first
    assert parse(FILE, overrides={}) == parse(FILE) == parse(FILE, overrides=None)
    assert replace(first, services={}) == replace(parse(FILE), services={})


def test_mistakes_of_overrides_are_told_from_those_of_the_file():
    text = HEAD + "services:\n  web:\n    port: 80\n    tire: x\n  api: {port: 0}\n"
    with pytest.raises(GraphError) as caught:
        parse(text, "g.yml", {"services": {"web": {"port": "x", "calls": ["apii"]}, "db": {"prot": 1}}})
    assert list(caught.value.details) == [
        "overrides of g.yml: services.web.port: 'x' is not a port number from 1 to 65535",
        "overrides of g.yml: services.db.prot: is not a known key (did you mean 'port'?)",
        "overrides of g.yml: services.web.calls[0].to: 'apii' is not a declared service (did you mean 'api'?)",
        "g.yml:6:5: services.web.tire: is not a known key (did you mean 'tier'?)",
        "g.yml:7:9: services.api.port: 0 is not a port number from 1 to 65535",
    ]


def test_mistakes_behind_aliases_and_merge_keys_have_the_place_where_they_are_written():
    text = (
        HEAD
        + "services:\n"
        + "  a: &base\n"
        + "    port: 0\n"
        + "    labels: {app: a}\n"
        + "  b:\n"
        + "    <<: *base\n"
        + "    labels: {app: b}\n"
    )
    with pytest.raises(GraphError) as caught:
        parse(text, "g.yml")
    assert list(caught.value.details) == [
        "g.yml:5:5: services.a.port: 0 is not a port number from 1 to 65535",
        "g.yml:5:5: services.b.port: 0 is not a port number from 1 to 65535",
    ]


def test_one_mistake_is_the_errors_message():
    with pytest.raises(GraphError) as caught:
        parse(HEAD + "services: {web: {prot: 80}}", "service_graph.yml")
    assert str(caught.value) == ("service_graph.yml:3:18: services.web.prot: is not a known key (did you mean 'port'?)")
    assert caught.value.reason == "unknown_key"
