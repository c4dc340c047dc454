# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents against the schemas of the tools that read them."""

from __future__ import annotations

import copy
import importlib.util
from typing import Any

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._documents import validate
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import points
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from hypothesis import given
from hypothesis import strategies as st

from tests.unit import strategies


def report(text: str, version: str = "") -> validate.Report:
    return validate.validate([Sourced(document, "f.yml") for document in yaml.safe_load_all(text)], version)


def problems(text: str) -> list[str]:
    found = report(text).problems
    assert all(problem.startswith("f.yml: ") for problem in found)
    return [problem[len("f.yml: ") :] for problem in found]


@given(strategies.parsed_graphs())
def test_what_is_rendered_is_valid(graph: Graph) -> None:
    found = validate.validate(sourced(points.render(graph)))
    assert found.problems == ()
    assert found.unchecked == {}


FULL = graph_of(
    {
        "name": "shop",
        "trust_domain": "example.org",
        "cluster": {"name": "c1", "pod_cidrs": ["10.244.0.0/16"], "service_cidrs": ["10.96.0.0/12"]},
        "gateways": {"istio": {}, "kong": {"consumers": ["bob"], "cors_origins": ["https://example.com"]}},
        "callers": {"office": {"cidrs": ["203.0.113.0/24"], "calls": ["web"]}},
        "services": {
            "web": {
                "port": 80,
                "calls": [{"to": "api", "methods": ["GET"], "paths": ["/api/*"]}],
                "exposes": [
                    {"gateway": "istio", "host": "shop.example.com"},
                    {"gateway": "kong", "key_auth": True, "cors": True, "rate_limit": 5, "headers": {"X-A": "b"}},
                ],
            },
            "api": {"port": 3000, "egress": [{"hosts": ["api.openai.com"]}]},
        },
    }
)
RENDERED = sourced(points.render(FULL))


def records(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of the mappings in a document whose keys are fields, not data."""
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in records(item, (*path, index))]
    if not isinstance(value, dict) or (
        path and path[-1] in ("labels", "matchLabels", "portLevelMtls", "set", "defaults")
    ):
        return []
    if path and path[-1] == "selector" and "matchLabels" not in value:
        return []  # of a Gateway: labels
    return [path, *(found for key, item in value.items() for found in records(item, (*path, key)))]


@given(st.data())
def test_an_unknown_field_is_found_wherever_it_is(data: st.DataObject) -> None:
    item = data.draw(st.sampled_from(RENDERED))
    document = copy.deepcopy(item.document)
    target: Any = document
    for part in data.draw(st.sampled_from(records(document))):
        target = target[part]
    target["unknownField"] = 1
    (found,) = validate.validate([Sourced(document, item.source)]).problems
    assert found.endswith("unknownField: is not a known field")


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else None
    return [path] if items is None else [found for key, item in items for found in leaves(item, (*path, key))]


@given(st.data())
def test_a_wrong_type_is_found_wherever_it_is(data: st.DataObject) -> None:
    item = data.draw(st.sampled_from(RENDERED))
    document: Any = copy.deepcopy(item.document)
    path = data.draw(st.sampled_from(leaves(document)))
    target = document
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = {"a": ["b"]}
    found = validate.validate([Sourced(document, item.source)])
    assert found.problems or found.unchecked


def test_kubernetes_objects_are_strict() -> None:
    text = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {}
  podselector: {}
  policyTypes: [1]
  ingress: [{ports: [{protocl: TCP, port: 1.5}]}]
---
{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{name: web, port: "80"}]}}
"""
    assert problems(text) == [
        "NetworkPolicy shop/web: spec.ingress[0].ports[0].port: 1.5 is not text or a whole number",
        "NetworkPolicy shop/web: spec.ingress[0].ports[0].protocl: is not a known field",
        "NetworkPolicy shop/web: spec.podselector: is not a known field",
        "NetworkPolicy shop/web: spec.policyTypes[0]: 1 is not text",
        "Service s: spec.ports[web].port: '80' is not a whole number",
    ]


def test_what_the_api_server_asks_of_metadata() -> None:
    text = """
{apiVersion: v1, kind: ConfigMap, metadata: {name: A_b, namespace: n.s, labels: {a: "x y", "b c": d}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {}}
---
{apiVersion: v1, kind: ConfigMap}
---
{apiVersion: v1, kind: ConfigMap, metadata: {generateName: a-}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: "system:node"}, rules: []}
"""
    name = "a name of lower-case letters, digits, '-' and '.', at most 253"
    value = "a label's value (letters, digits, '-', '_', '.')"
    found = problems(text)
    assert f"ConfigMap n.s/A_b: metadata.name: 'A_b' is not {name}" in found
    assert f"ConfigMap n.s/A_b: metadata.labels.a: 'x y' is not {value}" in found
    assert "ConfigMap n.s/A_b: metadata.namespace: 'n.s' is not a namespace's name" in found
    assert "ConfigMap without a name: metadata: lacks a name" in found
    assert "ConfigMap without a name: lacks metadata" in found
    assert any("b c" in problem and "key" in problem for problem in found)
    assert len(found) == 6


def test_kinds_that_are_not_there() -> None:
    text = """
{apiVersion: networking.k8s.io/v1, kind: NetworkPolcy, metadata: {name: x}}
---
{apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: x}}
---
{kind: Pod, metadata: {name: x}}
---
{apiVersion: v1, metadata: {name: x}}
"""
    found = [problem.split(": ", 1)[1] for problem in problems(text)]
    assert found[2:] == ["lacks apiVersion, or it is not text", "lacks kind, or it is not text"]
    assert found[0].endswith("has no kind NetworkPolcy in networking.k8s.io/v1")
    assert found[1].endswith("has no kind Ingress in extensions/v1beta1")


def test_custom_resources_are_counted_as_unchecked() -> None:
    """Also where kind and version sound like Kubernetes' own."""
    text = """
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: x}, spec: {anything: 1}}
---
{apiVersion: networking.example.com/v1, kind: NetworkPolicy, metadata: {name: x}, spec: {anything: 1}}
---
{apiVersion: networking.istio.io/v1alpha3, kind: EnvoyFilter, metadata: {name: x}}
---
{some: values}
---
{name: shop, services: {web: {image: "web:1"}}}
"""
    found = report(text)
    assert found.problems == ()
    assert found.counts == {}
    assert found.unchecked == {
        "gateway.networking.k8s.io/v1 HTTPRoute": 1,
        "networking.example.com/v1 NetworkPolicy": 1,
        "networking.istio.io/v1alpha3 EnvoyFilter": 1,
        "Compose file": 1,
        "unknown": 1,
    }


def test_the_version_of_kubernetes() -> None:
    text = "{apiVersion: flowcontrol.apiserver.k8s.io/v1beta3, kind: FlowSchema, metadata: {name: x}}"
    assert report(text, "v1.31.4").problems == ()
    assert "has no kind FlowSchema" in report(text, "1.33").problems[0]
    for version, reason in (("1.2", "unknown_version"), ("9.0", "unknown_version"), ("newest", "bad_version")):
        with pytest.raises(PlatformError, match="kubernetes_version") as caught:
            report(text, version)
        assert caught.value.reason == reason


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_istio_resources_are_strict(version: str) -> None:
    text = f"""
apiVersion: security.istio.io/{version}
kind: AuthorizationPolicy
metadata: {{name: a, namespace: n}}
spec:
  action: PERMIT
  bogus: 1
  selector: null
  rules: [{{from: [{{source: {{principal: [x]}}}}], to: [{{operation: {{ports: [80]}}}}]}}]
---
apiVersion: networking.istio.io/{version}
kind: VirtualService
metadata: {{name: v, namespace: n}}
spec:
  hosts: [a]
  http: [{{match: [{{uri: {{prefx: /}}}}], route: [{{destination: {{host: a, port: {{number: "80"}}}}}}]}}]
---
apiVersion: networking.istio.io/{version}
kind: DestinationRule
metadata: {{name: A, namespace: n}}
spec: {{trafficPolicy: {{tls: {{mode: MUTUAL_ISTIO}}}}}}
"""
    name = "a name of lower-case letters, digits, '-' and '.', at most 253"
    assert problems(text) == [
        "AuthorizationPolicy n/a: spec.action: 'PERMIT' is not one of ALLOW, DENY, AUDIT, CUSTOM",
        "AuthorizationPolicy n/a: spec.bogus: is not a known field",
        "AuthorizationPolicy n/a: spec.rules[0].from[0].source.principal: is not a known field",
        "AuthorizationPolicy n/a: spec.rules[0].to[0].operation.ports[0]: 80 is not text",
        "VirtualService n/v: spec.http[0].match[0].uri.prefx: is not a known field",
        "VirtualService n/v: spec.http[0].route[0].destination.port.number: '80' is not a whole number",
        "DestinationRule n/A: spec.trafficPolicy.tls.mode: 'MUTUAL_ISTIO' is not one of DISABLE, SIMPLE, MUTUAL, "
        "ISTIO_MUTUAL",
        "DestinationRule n/A: spec: lacks host",
        f"DestinationRule n/A: metadata.name: 'A' is not {name}",
    ]


def test_a_null_is_a_field_left_out() -> None:
    text = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: a, namespace: n, labels: null}
spec: {action: null, selector: null, rules: null}
"""
    assert problems(text) == []


def test_two_objects_of_one_name() -> None:
    one = Sourced({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}}, "one.yml")
    other = Sourced({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "m"}}, "one.yml")
    generated = Sourced({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a"}}, "one.yml")
    again = Sourced(one.document, "two.yml")
    found = validate.validate([one, other, generated, generated, again]).problems
    assert found == ("two.yml: ConfigMap n/a: is there already, in one.yml",)


def test_kong_is_strict() -> None:
    """K08, K09: each with its place."""
    text = """
_format_version: "3.0"
services:
- name: a/b
  host: x
  port: 70000
  nope: 1
  routes: [{name: r, paths: [x]}, {name: q}]
  plugins:
  - {name: cors, config: {origin: [x]}}
  - {name: key-auth, config: {key_names: x}}
  - {name: rate-limiting, config: {}}
  - {name: other, config: {anything: 1}, bla: 1}
- {name: c}
- {name: g, host: h, routes: [{protocols: [grpc], paths: [/x], strip_path: true, methods: [GET]}]}
consumers: [{username: u, tags: ["a/b"]}]
gateways: []
"""
    assert problems(text) == [
        f"Kong configuration: {problem}"
        for problem in (
            "consumers[u].tags[0]: 'a/b' is not a tag without ',' and '/'",
            "gateways: is not a known field",
            "services[a/b].name: 'a/b' is not a name of letters, digits, '.', '-', '_' and '~'",
            "services[a/b].nope: is not a known field",
            "services[a/b].plugins[cors].config.origin: is not a known field",
            "services[a/b].plugins[key-auth].config.key_names: *** is not a list",
            "services[a/b].plugins[other].bla: is not a known field",
            "services[a/b].plugins[rate-limiting].config: lacks a limit: one of second, minute, hour, day, month, year",
            "services[a/b].port: 70000 is not a whole number from 0 to 65535",
            "services[a/b].routes[q]: lacks something to match: methods, hosts, headers, paths, snis, sources, "
            "destinations or expression",
            "services[a/b].routes[r].paths[0]: 'x' is not a path that begins with / (a prefix) or ~/ (a regular "
            "expression)",
            "services[c]: lacks a host or a url",
            "services[g].routes[0].methods: ['GET'] is not empty, as it has to be in a gRPC route",
            "services[g].routes[0].strip_path: true is not false, as it has to be in a gRPC route",
        )
    ]


def test_everything_that_a_gateway_may_have() -> None:
    """decK's and DB-less files, entities of all kinds, references of all forms."""
    text = """
_format_version: "3.0"
_transform: false
_comment: ""
_info: {select_tags: [a], defaults: {service: {retries: 1}}}
_plugin_configs: {limits: {minute: 5}}
services:
- {name: s, url: "http://h:80/x", tags: null, path: null, client_certificate: null}
- {name: t, host: pool, ca_certificates: [4e3ad2e4-0bc4-4638-8e34-c84a417ba39b], tls_verify: true, protocol: https}
routes:
- {name: r, service: {name: s}, hosts: ["*.example.com", "example.*"], headers: {x-a: [b]}, protocols: [https]}
- {name: tcp, service: t, protocols: [tcp, tls], destinations: [{port: 9000}], sources: [{ip: 10.0.0.0/8}]}
- {name: q, expression: 'http.path == "/"', priority: 5}
plugins:
- {name: prometheus, enabled: false}
- {name: rate-limiting, _config: limits, config: null, service: s, consumer: {username: u}}
- {name: rate-limiting, config: {second: 5, policy: redis, redis: {host: r, port: 6379}, limit_by: header,
    header_name: x-a}, route: r}
- {name: request-termination, config: {status_code: 503, body: x, content_type: text/plain}, consumer: u}
consumers:
- username: u
  keyauth_credentials: [{key: k, ttl: 5}]
  basicauth_credentials: [{username: u, password: p}]
  jwt_secrets: [{key: k, secret: s, algorithm: HS256}]
  acls: [{group: staff}]
  hmacauth_credentials: [{username: u, secret: s}]
  oauth2_credentials: [{name: o, client_id: i, client_secret: s, redirect_uris: ["https://x"]}]
- {custom_id: c}
acls: [{group: staff, consumer: u}]
upstreams:
- {name: pool, algorithm: least-connections, healthchecks: {active: {healthy: {interval: 5, successes: 1}}},
    targets: [{target: "h1:80", weight: 10}]}
targets: [{target: h2, upstream: {name: pool}}]
certificates: [{cert: C, key: K, snis: [{name: a.example.com}]}]
snis: [{name: b.example.com, certificate: {id: 4e3ad2e4-0bc4-4638-8e34-c84a417ba39b}}]
ca_certificates: [{cert: C}]
vaults: [{name: env, prefix: env1, config: {prefix: A}}]
key_sets: [{name: ks, keys: [{kid: "1", pem: {public_key: P}}]}]
keys: [{kid: "2", jwk: "{}", set: {name: ks}}]
"""
    assert problems(text) == []


def test_names_and_references_of_kong() -> None:
    """K10."""
    text = """
_format_version: "3.0"
services: [{name: s, host: h, routes: [{name: r, paths: [/]}]}, {name: s, host: i}]
routes: [{name: r, paths: [/x], service: s}]
---
_format_version: "3.0"
routes: [{name: r, paths: [/x], service: nosuch}]
"""
    assert problems(text) == [
        "Kong configuration: the name 's' of a service is there twice",
        "Kong configuration: the name 'r' of a route is there twice",
        "Kong configuration: route r refers to the service 'nosuch', which is not there",
    ]


def test_values_that_may_be_secret_are_not_shown() -> None:
    """K15."""
    text = """
_format_version: "3.0"
consumers: [{username: u, keyauth_credentials: [{key: 1234567}], basicauth_credentials: [{username: u, password: [5]}]}]
certificates: [{cert: x, key: 1234567}]
plugins: [{name: cors, config: {credentials: 1234567}}]
---
{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {password: 1234567}}
---
{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, env: [{name: P, value: 1234567}]}]}}
"""
    found = problems(text)
    assert len(found) == 6
    assert "1234567" not in str(found)


SPIRE = """
entries:
- {entry_id: "a b", spiffe_id: "spiffe://Example.org/a", parent_id: "spiffe://example.org/spire/server", selectors: []}
- {spiffe_id: "spiffe://example.org/spire/x", parent_id: "spiffe://example.org/spire/foo", selectors: [{type: k8s}]}
- {spiffe_id: "spiffe://example.org/a/../b", parent_id: "spiffe://example.org/n", selectors: [{type: k8s, value: a}],
   x509_svid_ttl: -1, dns_names: [A_b], ttl: 5, hint: ""}
"""


def test_spire_entries_are_strict() -> None:
    """S01, S08, S09, S10. The server drops an unknown key without a word."""
    spiffe_id = (
        "is not a SPIFFE ID (spiffe://trust-domain/path; lower-case trust domain, no empty segment, at most 2048 bytes)"
    )
    assert problems(SPIRE) == [
        f"SPIRE entry: {problem}"
        for problem in (
            "entries[1].parent_id: 'spiffe://example.org/spire/foo' is not a SPIFFE ID of the server (/spire/server), "
            "of an agent (/spire/agent/...) or of a node alias",
            "entries[1].selectors[0]: lacks value",
            f"entries[1].spiffe_id: 'spiffe://example.org/spire/x' {spiffe_id}",
            "entries[2].dns_names[0]: 'A_b' is not a DNS name",
            f"entries[2].spiffe_id: 'spiffe://example.org/a/../b' {spiffe_id}",
            "entries[2].ttl: is not a known field",
            "entries[2].x509_svid_ttl: -1 is not a whole number from 0 to 2147483647",
            "entries[a b].entry_id: 'a b' is not an entry id of letters, digits, '_', '.', '-'",
            "entries[a b].selectors: is empty, at least one item is expected",
            f"entries[a b].spiffe_id: 'spiffe://Example.org/a' {spiffe_id}",
        )
    ]


@pytest.mark.parametrize(
    ("spiffe_id", "valid"),
    [
        ("spiffe://example.org/a", True),
        ("spiffe://example.org/ns/shop/sa/web.v1_2-x", True),
        ("spiffe://example.org/spired", True),
        ("spiffe://example.org/...", True),
        ("spiffe://example.org", False),
        ("spiffe://example.org/", False),
        ("spiffe://example.org/a/", False),
        ("spiffe://example.org//a", False),
        ("spiffe://example.org/.", False),
        ("spiffe://example.org/a/./b", False),
        ("spiffe://example.org/a%2fb", False),
        ("spiffe://example.org/ä", False),
        ("spiffe://example.org:80/a", False),
        ("spiffe://user@example.org/a", False),
        ("spiffe://example.org/a?b", False),
        ("spiffe://example.org/a#b", False),
        ("spiffe:///a", False),
        ("SPIFFE://example.org/a", False),
        ("https://example.org/a", False),
        ("spiffe://example.org/a\n", False),
        ("spiffe://example.org/spire", False),
        ("spiffe://example.org/spire/agent/x", False),
        ("spiffe://" + "a" * 256 + "/b", False),
        ("spiffe://a/" + "b" * 2037, True),
        ("spiffe://a/" + "b" * 2038, False),
    ],
)
def test_spiffe_ids(spiffe_id: str, valid: bool) -> None:
    """P34, S10: SPIFFE-ID standard, section 2."""
    domain = "/".join(spiffe_id.split("/")[:3])
    entry = {"spiffe_id": spiffe_id, "parent_id": f"{domain}/n", "selectors": [{"type": "k8s", "value": "ns:a"}]}
    assert (validate.validate([Sourced({"entries": [entry]})]).problems == ()) is valid


def test_twins_among_spire_entries() -> None:
    """S02: equal but for the order of selectors."""
    text = """
entries:
- {entry_id: a, spiffe_id: "spiffe://e/a", parent_id: "spiffe://e/n", selectors: [{type: k8s, value: "ns:a"},
   {type: k8s, value: "sa:b"}]}
- {entry_id: b, spiffe_id: "spiffe://e/a", parent_id: "spiffe://e/n", selectors: [{type: k8s, value: "sa:b"},
   {type: k8s, value: "ns:a"}], hint: other}
- {entry_id: a, spiffe_id: "spiffe://e/c", parent_id: "spiffe://f/n", selectors: [{type: k8s, value: "ns:a"}]}
"""
    assert problems(text) == [
        "SPIRE entry: entries[2]: has the same entry_id as entries[0]",
        "SPIRE entry: entries[b]: has the same spiffe_id, parent_id and selectors as entries[a]",
        "SPIRE entry: entries[a].parent_id: is of another trust domain than spiffe_id",
    ]


def test_security_groups_are_strict() -> None:
    """T23: what EC2 takes in a description, and rules without ports."""
    text = """
SecurityGroups:
- GroupName: sg-x
  Description: a'b
  IpPermissions: [{IpProtocol: tcp, IpRanges: [{CidrIp: 10.0.0.0}]}, {IpProtocol: "-1", UserIdGroupPairs: [{}]}]
- {GroupName: a, VpcId: vpc-1}
- {GroupName: a, VpcId: vpc-1, Tgas: []}
"""
    assert problems(text) == [
        f"AWS security group: {problem}"
        for problem in (
            "SecurityGroups[a].Tgas: is not a known field",
            'SecurityGroups[sg-x].Description: "a\'b" is not a description of what EC2 allows in one',
            "SecurityGroups[sg-x].GroupName: 'sg-x' is not a group's name that does not begin with sg-",
            "SecurityGroups[sg-x].IpPermissions[0].IpRanges[0].CidrIp: '10.0.0.0' is not an IPv4 network",
            "SecurityGroups[sg-x].IpPermissions[0]: lacks FromPort",
            "SecurityGroups[sg-x].IpPermissions[0]: lacks ToPort",
            "SecurityGroups[sg-x].IpPermissions[1].UserIdGroupPairs[0]: lacks a GroupId or a GroupName",
        )
    ]
    text = "SecurityGroups: [{GroupName: a, VpcId: vpc-1}, {GroupName: a, VpcId: vpc-2}, {GroupName: a, VpcId: vpc-1}]"
    assert problems(text) == [
        "AWS security group: SecurityGroups[2]: has the same GroupName and VpcId as SecurityGroups[0]"
    ]


def test_counts() -> None:
    found = validate.validate(RENDERED).counts
    # Two workloads, and an alias for their namespace and one for the cluster.
    assert found["SPIRE entry"] == 4
    assert found["Kong configuration"] == 1
    assert found["NetworkPolicy"] >= 3


def test_says_which_libraries_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    hidden = ("jsonschema_rs", "kubernetes_validate", "cloudcoil.models.istio")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in hidden else real(name))
    istio = Sourced({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy"})
    pod = Sourced({"apiVersion": "v1", "kind": "Pod"})
    assert validate.missing_libraries([Sourced({"entries": []})]) == ["jsonschema-rs"]
    assert validate.missing_libraries([istio]) == ["jsonschema-rs", "cloudcoil-models-istio"]
    assert validate.missing_libraries([pod]) == ["jsonschema-rs", "kubernetes-validate"]
    monkeypatch.undo()
    assert validate.missing_libraries([istio, pod]) == []


def test_a_kind_that_is_a_path_is_no_kind(tmp_path, monkeypatch) -> None:
    """The kind names the file of its schema, and anybody may have written it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "../../networkpolicy", "metadata": {"name": "x"}}
    report = validate.validate([Sourced(policy, "x.yml")])
    assert len(report.problems) == 1
    assert "has no kind ../../networkpolicy in networking.k8s.io/v1" in report.problems[0]
    assert [path.name for path in tmp_path.iterdir()] == ["zerotrust.platform"]
