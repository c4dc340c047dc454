# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Istio's own semantics, rule by rule, on policies as strangers write them. Who gets in is said of the CAST only."""

from __future__ import annotations

import textwrap
from typing import Any, NamedTuple

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import istio, istio_audit
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import FlowSet, compare
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import Request
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World

GRAPH = graph_of(
    {
        "name": "shop",
        "trust_domain": "example.org",
        "cluster": {"name": "c1", "pod_cidrs": ["10.244.0.0/16"]},
        "callers": {
            "office": {"cidrs": ["203.0.113.0/24"], "calls": [{"to": "web", "port": 80}]},
            "prometheus": {"namespace": "monitoring", "calls": [{"to": "web", "port": 80}]},
            "partner": {
                "namespace": "outside",
                "trust_domain": "partner.example.net",
                "calls": [{"to": "web", "port": 80}],
            },
        },
        "services": {
            "web": {"ports": [{"port": 80, "target_port": 8080}, {"port": 5000, "protocol": "tcp"}]},
            "api": {"port": 3000, "labels": {"app": "api", "tier": "back"}, "calls": [{"to": "web", "port": 80}]},
            "db": {"namespace": "data", "port": 5432, "protocol": "tcp"},
        },
    }
)

STRANGERS = {"stranger:shop", "stranger:monitoring", "stranger:*"}
MESH = {"web", "api", "db", "prometheus", "partner"} | STRANGERS
OFFICE, ANYBODY, PODS = "ip:203.0.113.0/24", "ip:0.0.0.0/0", "ip:10.244.0.0/16"
PLAIN = {OFFICE, ANYBODY, PODS}
CAST = MESH | PLAIN
NOBODY: set[str] = set()

STRICT = """
---
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default, namespace: istio-system},
 spec: {mtls: {mode: STRICT}}}
"""


def documents(text: str) -> list[Sourced]:
    return [Sourced(document, "a.yml") for document in yaml.safe_load_all(text) if document]


def judged(text: str) -> FlowSet:
    found = documents(text)
    mentioned = istio_audit.mentions(found)
    return istio_audit.flows(found, World(GRAPH, mentioned.cidrs, mentioned.namespaces))


class Callers(NamedTuple):
    surely: set[str]
    perhaps: set[str]


def callers(text: str, port: int = 8080, request: str = "GET /", callee: str = "web", host: str = "web") -> Callers:
    """Who of the CAST gets through, and who may beside them."""
    flows = judged(text)
    method, _space, path = request.partition(" ")
    wanted = Request(method, path, host)
    allows, denies = (
        [grant for grant in grants.get(callee, ()) if port in grant.ports and grant.requests.matches(wanted)]
        for grants in (flows.allows, flows.denies)
    )
    every = {name for grant in allows for name in grant.callers}
    sure = {name for grant in allows if not grant.conditional for name in grant.callers}
    surely = sure - {name for grant in denies for name in grant.callers}
    possibly = every - {name for grant in denies if not grant.conditional for name in grant.callers}
    return Callers(surely & CAST, (possibly - surely) & CAST)


def policy(spec: str, namespace: str = "shop", name: str = "p", extra: str = "", version: str = "v1") -> str:
    meta = f"{{name: {name}, namespace: {namespace}{extra}}}"
    api = f"security.istio.io/{version}"
    return f"\n---\n{{apiVersion: {api}, kind: AuthorizationPolicy, metadata: {meta}, spec: {spec}}}\n"


def rule(rule: str, action: str = "ALLOW") -> str:
    """A policy of one rule, in a STRICT mesh."""
    return STRICT + policy(f"{{action: {action}, rules: [{rule}]}}")


def source(fields: str) -> str:
    return rule(f"{{from: [{{source: {fields}}}]}}")


# Which policies count.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", CAST, id="nothing at all allows everybody: PERMISSIVE without any policy"),
        pytest.param(STRICT, MESH, id="STRICT alone allows every workload of the mesh, strangers too"),
        pytest.param(STRICT + policy("{}"), NOBODY, id="a policy without rules allows nothing"),
        pytest.param(STRICT + policy("{action: ALLOW, rules: []}"), NOBODY, id="an empty list is no rule either"),
        pytest.param(STRICT + policy("{rules: [{}]}"), MESH, id="one empty rule allows everything (T13)"),
        pytest.param(STRICT + policy("{rules: [{from: [], to: []}]}"), MESH, id="empty from and to are no condition"),
        pytest.param(STRICT + policy("{}", "data"), MESH, id="a policy of another namespace does not count"),
        pytest.param(STRICT + policy("{}", "istio-system"), NOBODY, id="a policy of the root namespace counts"),
        pytest.param(STRICT + policy("{}", "kube-system"), MESH, id="kube-system is not the root namespace"),
        pytest.param(
            STRICT + policy("{selector: {matchLabels: {app: web}}}"), NOBODY, id="a selector selects by labels"
        ),
        pytest.param(
            STRICT + policy("{selector: {matchLabels: {app: web, tier: back}}}"), MESH, id="all labels must match"
        ),
        pytest.param(
            STRICT + policy("{selector: {matchLabels: {app: web}}}", "istio-system"),
            NOBODY,
            id="a selector in the root namespace selects in every namespace",
        ),
        pytest.param(STRICT + policy("{selector: {}}"), NOBODY, id="an empty selector selects everything (T21)"),
        pytest.param(
            STRICT + policy("{targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: x}]}"),
            MESH,
            id="targetRefs is not for sidecars",
        ),
        pytest.param(
            STRICT + policy("{}", extra=', annotations: {istio.io/dry-run: "true"}'), MESH, id="a dry run allows all"
        ),
        pytest.param(
            STRICT + policy("{}", extra=', annotations: {istio.io/dry-run: "false"}'),
            NOBODY,
            id="dry-run: false is none",
        ),
        pytest.param(STRICT + policy("{action: AUDIT, rules: [{}]}"), MESH, id="AUDIT only logs"),
        pytest.param(STRICT + policy("{action: DENY}"), MESH, id="a DENY without rules denies nothing"),
        pytest.param(STRICT + policy("{action: DENY, rules: [{}]}"), NOBODY, id="a DENY with an empty rule denies all"),
        pytest.param(
            STRICT + policy("{action: DENY, rules: [{}]}") + policy("{rules: [{}]}", name="q"),
            NOBODY,
            id="DENY goes before ALLOW",
        ),
        pytest.param(
            STRICT + policy("{}", name="allow-nothing") + policy("{rules: [{from: [{source: {namespaces: [data]}}]}]}"),
            {"db"},
            id="ALLOW policies add up",
        ),
        pytest.param(STRICT + policy("{}", version="v1beta1"), NOBODY, id="v1beta1 says the same"),
        pytest.param(
            STRICT + policy("{}").replace("security.istio.io", "security.example.com"), MESH, id="another API group"
        ),
        pytest.param(
            STRICT + policy("{}", namespace="default").replace(", namespace: default", ""),
            MESH,
            id="no namespace is the namespace default",
        ),
    ],
)
def test_which_policies_count(text: str, expected: set[str]) -> None:
    assert callers(text) == (expected, NOBODY)


def test_a_deny_policy_with_not_namespaces_is_no_default_deny() -> None:
    """Mistake 4: it lets in everybody of that namespace."""
    text = rule("{from: [{source: {notNamespaces: [shop]}}]}", "DENY")
    assert callers(text) == ({"web", "api", "stranger:shop"}, NOBODY)


def test_a_policy_without_a_selector_opens_every_workload_of_the_namespace() -> None:
    """Mistake 4."""
    text = STRICT + policy("{rules: [{from: [{source: {principals: [example.org/ns/data/sa/db]}}]}]}")
    assert callers(text, callee="web").surely == {"db"}
    assert callers(text, callee="api", port=3000).surely == {"db"}


def test_custom_is_asked_of_somebody_else_and_so_makes_nothing_sure() -> None:
    text = STRICT + policy("{action: CUSTOM, provider: {name: opa}, rules: [{to: [{operation: {paths: [/admin*]}}]}]}")
    assert callers(text, request="GET /admin/x") == (NOBODY, MESH)
    assert callers(text, request="GET /") == (MESH, NOBODY)


# Who matches.

PARTNER = "partner.example.net/ns/outside/sa/partner"


@pytest.mark.parametrize(
    ("fields", "surely", "perhaps"),
    [
        ("{principals: [example.org/ns/shop/sa/api]}", {"api"}, NOBODY),
        ("{principals: [cluster.local/ns/shop/sa/api]}", {"api"}, NOBODY),
        ("{principals: [spiffe://example.org/ns/shop/sa/api]}", NOBODY, NOBODY),
        ("{principals: [other.org/ns/shop/sa/api]}", NOBODY, {"stranger:shop"}),
        ("{principals: [example.org/ns/shop/sa/unknown]}", NOBODY, {"stranger:shop"}),
        ("{principals: [example.org/ns/nowhere/sa/x]}", NOBODY, NOBODY),
        (f"{{principals: [{PARTNER}]}}", {"partner"}, NOBODY),
        ("{principals: ['*']}", MESH, NOBODY),
        ("{principals: ['example.org/ns/shop/*']}", {"web", "api", "stranger:shop"}, NOBODY),
        ("{principals: ['example.org/ns/shop/sa/a*']}", {"api"}, {"stranger:shop"}),
        ("{principals: ['example.org/ns/s*']}", {"web", "api", "stranger:shop"}, {"stranger:*"}),
        ("{principals: ['cluster.local/ns/shop/*']}", NOBODY, {"stranger:shop"}),
        ("{principals: ['*/ns/shop/sa/api']}", {"api"}, NOBODY),
        ("{principals: ['*/sa/api']}", {"api"}, {"stranger:monitoring", "stranger:*"}),
        ("{principals: ['*/ns/monitoring/sa/grafana']}", NOBODY, {"stranger:monitoring"}),
        ("{principals: ['*api']}", {"api"}, STRANGERS),
        ("{principals: ['*/ns/shop/*']}", NOBODY, NOBODY),
        ("{notPrincipals: [example.org/ns/shop/sa/api]}", MESH - {"api"}, NOBODY),
        ("{namespaces: [shop]}", {"web", "api", "stranger:shop"}, NOBODY),
        ("{namespaces: ['*']}", MESH, NOBODY),
        ("{namespaces: ['mon*']}", {"prometheus", "stranger:monitoring"}, {"stranger:*"}),
        ("{notNamespaces: [shop, data, outside]}", {"prometheus", "stranger:monitoring", "stranger:*"}, NOBODY),
        ("{serviceAccounts: [api]}", {"api"}, NOBODY),
        ("{serviceAccounts: [data/db]}", {"db"}, NOBODY),
        ("{serviceAccounts: [monitoring/grafana]}", NOBODY, {"stranger:monitoring"}),
        ("{notServiceAccounts: [api]}", MESH - {"api"}, NOBODY),
        ("{trustDomains: [partner.example.net]}", {"partner"}, STRANGERS),
        ("{notTrustDomains: [partner.example.net]}", MESH - {"partner"} - STRANGERS, STRANGERS),
        ("{namespaces: [shop], notPrincipals: [example.org/ns/shop/sa/web]}", {"api", "stranger:shop"}, NOBODY),
        ("{principals: [example.org/ns/shop/sa/api, example.org/ns/data/sa/db]}", {"api", "db"}, NOBODY),
        ("{}", MESH, NOBODY),
        ("{ipBlocks: [10.0.0.0/8]}", MESH, NOBODY),
        ("{ipBlocks: [10.244.7.0/24]}", NOBODY, MESH),
        ("{ipBlocks: [192.0.2.1]}", NOBODY, NOBODY),
        ("{notIpBlocks: [10.244.0.0/16]}", NOBODY, NOBODY),
        ("{notIpBlocks: [10.244.7.0/24]}", NOBODY, MESH),
        ("{remoteIpBlocks: [203.0.113.0/24]}", NOBODY, MESH),
        ("{requestPrincipals: ['*']}", NOBODY, MESH),
        ("{notRequestPrincipals: ['*']}", NOBODY, MESH),
        ("{requestPrincipals: ['*'], namespaces: [data]}", NOBODY, {"db"}),
    ],
)
def test_sources(fields: str, surely: set[str], perhaps: set[str]) -> None:
    assert callers(source(fields)) == (surely, perhaps)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("{ipBlocks: [203.0.113.0/24]}", {OFFICE}),
        ("{ipBlocks: [0.0.0.0/0]}", MESH | PLAIN),
        ("{notIpBlocks: [203.0.113.0/24]}", MESH | {ANYBODY, PODS}),
        ("{principals: ['*']}", MESH),
        ("{namespaces: ['*']}", MESH),
        ("{notPrincipals: ['*']}", PLAIN),
        ("{notNamespaces: [shop, monitoring, data, outside]}", {"stranger:*"} | PLAIN),
        ("{notServiceAccounts: [api]}", MESH - {"api"} | PLAIN),
    ],
)
def test_a_caller_in_plain_text_has_an_address_and_no_identity(fields: str, expected: set[str]) -> None:
    """Without a PeerAuthentication every port is PERMISSIVE."""
    assert callers(policy(f"{{rules: [{{from: [{{source: {fields}}}]}}]}}")) == (expected, NOBODY)


def test_several_sources_add_up_and_fields_of_one_narrow_it() -> None:
    text = rule("{from: [{source: {namespaces: [data]}}, {source: {namespaces: [shop], serviceAccounts: [shop/api]}}]}")
    assert callers(text).surely == {"db", "api"}


def test_workloads_are_assumed_at_private_addresses_where_the_graph_does_not_say() -> None:
    graph = graph_of({"name": "shop", "trust_domain": "example.org", "services": {"web": {"port": 80}}})
    for block, known in (
        ("10.0.0.0/8", (False, True)),
        ("198.51.100.0/24", (False, False)),
        ("0.0.0.0/0", (True, True)),
    ):
        found = documents(source(f"{{ipBlocks: [{block}]}}"))
        grants = istio_audit.flows(found, World(graph, istio_audit.mentions(found).cidrs)).allows.get("web", ())
        sure = any("stranger:*" in grant.callers and not grant.conditional for grant in grants)
        possible = any("stranger:*" in grant.callers for grant in grants)
        assert (sure, possible) == known


# What of a workload they reach.

TO = "{{from: [{{source: {{namespaces: [data]}}}}], to: [{}]}}"


@pytest.mark.parametrize(
    ("operations", "yes", "no"),
    [
        ("{operation: {methods: [GET]}}", ["GET /"], ["POST /"]),
        ("{operation: {methods: ['*']}}", ["GET /", "PURGE /"], []),
        ("{operation: {notMethods: [DELETE]}}", ["GET /"], ["DELETE /"]),
        ("{operation: {paths: [/api]}}", ["GET /api"], ["GET /api/", "GET /apix", "GET /"]),
        ("{operation: {paths: [/api/*]}}", ["GET /api/", "GET /api/v1/x"], ["GET /api", "GET /apix"]),
        ("{operation: {paths: [/api*]}}", ["GET /api", "GET /apix"], ["GET /v1/api"]),
        ("{operation: {paths: ['*/info']}}", ["GET /info", "GET /a/info"], ["GET /info/x"]),
        ("{operation: {paths: ['*']}}", ["GET /"], []),
        ("{operation: {paths: ['/a/{*}/c']}}", ["GET /a/b/c"], ["GET /a/b/b/c", "GET /a//c"]),
        ("{operation: {paths: ['/a/{**}']}}", ["GET /a/b", "GET /a/b/c"], ["GET /b"]),
        ("{operation: {notPaths: [/admin*]}}", ["GET /"], ["GET /admin/x"]),
        ("{operation: {paths: [/a*], notPaths: [/admin*], methods: [GET]}}", ["GET /a"], ["GET /admin", "POST /a"]),
        ("{operation: {hosts: [WEB]}}", ["GET /"], []),
        ("{operation: {hosts: ['*.example.com']}}", [], ["GET /"]),
        ("{operation: {notHosts: [web]}}", [], ["GET /"]),
        ("{operation: {ports: ['8080'], methods: [GET]}}", ["GET /"], ["PUT /"]),
        ("{operation: {ports: ['80']}}", [], ["GET /"]),
        ("{operation: {notPorts: ['8080']}}", [], ["GET /"]),
        ("{operation: {notPorts: ['80']}}", ["GET /"], []),
        ("{operation: {}}", ["GET /"], []),
        ("{operation: {methods: [GET], paths: [/a]}}, {operation: {methods: [PUT]}}", ["GET /a", "PUT /b"], ["GET /b"]),
    ],
)
def test_operations(operations: str, yes: list[str], no: list[str]) -> None:
    text = rule(TO.format(operations))
    for request in yes:
        assert callers(text, request=request).surely == {"db"}, request
    for request in no:
        assert callers(text, request=request) == (NOBODY, NOBODY), request


@pytest.mark.parametrize(
    ("condition", "surely", "perhaps"),
    [
        ("{key: source.principal, values: [example.org/ns/shop/sa/api]}", {"api"}, NOBODY),
        ("{key: source.namespace, notValues: [shop]}", MESH - {"web", "api", "stranger:shop"}, NOBODY),
        ("{key: source.namespace, values: ['*'], notValues: [shop]}", MESH - {"web", "api", "stranger:shop"}, NOBODY),
        ("{key: source.serviceAccount, values: [data/db]}", {"db"}, NOBODY),
        ("{key: source.ip, values: [10.244.0.0/16]}", MESH, NOBODY),
        ("{key: source.ip, values: [192.0.2.0/24]}", NOBODY, NOBODY),
        ("{key: remote.ip, values: [10.0.0.0/8]}", NOBODY, MESH),
        ("{key: destination.port, values: ['8080']}", MESH, NOBODY),
        ("{key: destination.port, values: ['80']}", NOBODY, NOBODY),
        ("{key: destination.port, notValues: ['8080']}", NOBODY, NOBODY),
        ("{key: destination.ip, values: [10.244.0.1]}", NOBODY, MESH),
        ("{key: connection.sni, values: [x]}", NOBODY, MESH),
        ("{key: 'request.headers[x-token]', values: ['*']}", NOBODY, MESH),
        ("{key: 'request.auth.claims[iss]', values: [x]}", NOBODY, MESH),
        ("{key: request.auth.audiences, notValues: [x]}", NOBODY, MESH),
        ("{key: 'experimental.envoy.filters.network.mysql_proxy[db]', values: [x]}", NOBODY, MESH),
        ("{key: source.namespace}", MESH, NOBODY),
    ],
)
def test_conditions(condition: str, surely: set[str], perhaps: set[str]) -> None:
    assert callers(rule(f"{{when: [{condition}]}}")) == (surely, perhaps)


def test_a_condition_narrows_every_source_and_operation() -> None:
    text = rule(
        "{from: [{source: {namespaces: [shop]}}, {source: {namespaces: [data]}}],"
        " when: [{key: source.principal, values: ['*/sa/db', '*/sa/api']}]}"
    )
    assert callers(text).surely == {"api", "db"}


def test_the_declared_target_port_is_judged_and_not_the_services() -> None:
    text = rule("{to: [{operation: {ports: ['8080']}}]}")
    assert callers(text, port=8080).surely == MESH
    assert callers(text, port=80) == (NOBODY, NOBODY)


# HTTP fields on ports that are not HTTP: mistake 5.

HTTP_ONLY = [
    "{to: [{operation: {methods: [GET]}}]}",
    "{to: [{operation: {paths: [/]}}]}",
    "{to: [{operation: {hosts: [web]}}]}",
    "{to: [{operation: {notPaths: [/admin]}}]}",
    "{to: [{operation: {methods: [GET]}}, {operation: {ports: ['5000']}}]}",
    "{from: [{source: {requestPrincipals: ['*']}}]}",
    "{when: [{key: 'request.headers[x]', values: [y]}]}",
]


@pytest.mark.parametrize("fields", HTTP_ONLY)
def test_an_allow_rule_with_http_fields_never_matches_on_a_tcp_port(fields: str) -> None:
    assert callers(rule(fields), port=5000) == (NOBODY, NOBODY)
    assert callers(rule(fields), port=8080) != (NOBODY, NOBODY)


@pytest.mark.parametrize("fields", HTTP_ONLY)
def test_a_deny_rule_loses_its_http_fields_on_a_tcp_port_and_refuses_more(fields: str) -> None:
    assert callers(rule(fields, "DENY"), port=5000) == (NOBODY, NOBODY)


def test_a_deny_rule_keeps_its_other_fields_on_a_tcp_port() -> None:
    text = rule("{from: [{source: {namespaces: [shop]}}], to: [{operation: {methods: [GET]}}]}", "DENY")
    assert callers(text, port=5000).surely == MESH - {"web", "api", "stranger:shop"}
    assert callers(text, port=8080, request="PUT /").surely == MESH


def test_a_port_that_the_graph_does_not_know_is_sniffed_so_that_http_fields_can_match_there() -> None:
    assert callers(rule("{to: [{operation: {methods: [GET]}}]}"), port=9999).surely == MESH


# Mutual TLS.


def peer(spec: str, namespace: str = "shop", name: str = "default", created: str = "") -> str:
    meta = f"{{name: {name}, namespace: {namespace}{', creationTimestamp: ' + repr(created) if created else ''}}}"
    return f"\n---\n{{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {meta}, spec: {spec}}}\n"


WEB = "selector: {matchLabels: {app: web}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(peer("{mtls: {mode: STRICT}}", "istio-system"), MESH, id="the mesh's"),
        pytest.param(peer("{mtls: {mode: STRICT}}", "data"), CAST, id="another namespace's"),
        pytest.param(STRICT + peer("{mtls: {mode: PERMISSIVE}}"), CAST, id="the namespace's goes before the mesh's"),
        pytest.param(STRICT + peer("{mtls: {mode: UNSET}}"), MESH, id="UNSET takes the mesh's"),
        pytest.param(STRICT + peer("{}"), MESH, id="nothing said takes the mesh's"),
        pytest.param(peer("{}", "istio-system"), CAST, id="UNSET of the mesh is PERMISSIVE"),
        pytest.param(
            STRICT + peer(f"{{{WEB}, mtls: {{mode: DISABLE}}}}", name="web"), CAST, id="the workload's goes before"
        ),
        pytest.param(STRICT + peer("{selector: {matchLabels: {app: x}}, mtls: {mode: DISABLE}}"), MESH, id="another's"),
        pytest.param(
            STRICT + peer(f"{{{WEB}, mtls: {{mode: PERMISSIVE}}}}", "istio-system", "web"),
            MESH,
            id="a selector in the root namespace selects nothing",
        ),
        pytest.param(
            STRICT + peer(f"{{{WEB}, portLevelMtls: {{'8080': {{mode: PERMISSIVE}}}}}}", name="web"),
            CAST,
            id="the port's goes before the workload's",
        ),
        pytest.param(
            STRICT + peer(f"{{{WEB}, portLevelMtls: {{8080: {{mode: PERMISSIVE}}}}}}", name="web"),
            CAST,
            id="a port may be written as a number",
        ),
        pytest.param(
            STRICT + peer(f"{{{WEB}, portLevelMtls: {{'80': {{mode: PERMISSIVE}}}}}}", name="web"),
            MESH,
            id="it is the workload's port",
        ),
        pytest.param(
            STRICT + peer("{portLevelMtls: {'8080': {mode: PERMISSIVE}}}"),
            MESH,
            id="portLevelMtls counts with a selector only",
        ),
        pytest.param(
            peer(f"{{{WEB}, mtls: {{mode: STRICT}}, portLevelMtls: {{'8080': {{mode: UNSET}}}}}}", name="web"),
            MESH,
            id="UNSET of a port takes the workload's",
        ),
        pytest.param(
            peer("{mtls: {mode: STRICT}}", name="a", created="2026-01-02T00:00:00Z")
            + peer("{mtls: {mode: PERMISSIVE}}", name="b", created="2026-01-01T00:00:00Z"),
            CAST,
            id="of two at one level the older counts",
        ),
        pytest.param(
            peer("{mtls: {mode: PERMISSIVE}}", name="b") + peer("{mtls: {mode: STRICT}}", name="a"),
            MESH,
            id="of two of the same age the first by name",
        ),
    ],
)
def test_mutual_tls_decides_whether_callers_without_identity_get_through(text: str, expected: set[str]) -> None:
    assert callers(text) == (expected, NOBODY)


def test_without_mutual_tls_nobody_has_an_identity() -> None:
    text = peer("{mtls: {mode: DISABLE}}")
    allow = policy("{rules: [{from: [{source: {principals: ['*']}}]}]}")
    assert callers(text + allow) == (NOBODY, NOBODY)
    deny = policy("{action: DENY, rules: [{from: [{source: {notPrincipals: ['*']}}]}]}")
    assert callers(text + deny) == (NOBODY, NOBODY)
    by_address = policy("{rules: [{from: [{source: {ipBlocks: [10.244.0.0/16]}}]}]}")
    assert callers(text + by_address) == (MESH | {PODS}, NOBODY)


def test_one_permissive_port_opens_that_port_only() -> None:
    text = STRICT + peer(f"{{{WEB}, portLevelMtls: {{'8080': {{mode: PERMISSIVE}}}}}}", name="web")
    assert callers(text, port=8080).surely == CAST
    assert callers(text, port=5000).surely == MESH
    assert callers(text, port=9999).surely == MESH


# Documents that are none.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (policy("{rules: {}}"), "AuthorizationPolicy shop/p (a.yml) spec.rules: .* is not a list"),
        (policy("{action: REFUSE}"), "spec.action: 'REFUSE' is not one of ALLOW, DENY, CUSTOM, AUDIT"),
        (policy("{rules: [{from: [{source: {principal: [x]}}]}]}"), "'principal' is not a field .*'principals'"),
        (policy("{rules: [{to: [{operation: {ports: [8080]}}]}]}"), r"ports\[0\]: 8080 is not text"),
        (policy("{rules: [{to: [{operation: {ports: [http]}}]}]}"), "'http' is not a port"),
        (policy("{rules: [{from: [{source: {ipBlocks: [10.0.0.0/40]}}]}]}"), "'10.0.0.0/40' is neither an address"),
        (policy("{rules: [{when: [{key: source.name, values: [x]}]}]}"), "'source.name' is not an attribute"),
        (policy("{selector: {matchLabels: {app: 1}}}"), "matchLabels.app: 1 is not text"),
        (policy("{}", extra=", annotations: {istio.io/dry-run: true}"), "metadata.annotations.*: true is not text"),
        (policy("{}").replace("metadata: {", "metadata: [{").replace("}, spec", "}], spec"), "is not a mapping"),
        (peer("{mtls: {mode: strict}}"), "spec.mtls.mode: 'strict' is not one of .*STRICT"),
        (peer("{selector: {}, portLevelMtls: {http: {mode: STRICT}}}"), "portLevelMtls.http: 'http' is not a port"),
    ],
)
def test_a_document_that_istio_would_refuse_is_named_with_its_place(text: str, message: str) -> None:
    """T22 among them. A misspelt field, dropped, would make a rule match everything."""
    pattern = message.replace("(a.yml)", r"\(a.yml\)")
    with pytest.raises(PlatformError, match=pattern) as raised:
        judged(text)
    assert raised.value.reason == "bad_document"


def test_other_kinds_and_groups_are_passed_over() -> None:
    text = """
    {apiVersion: v1, kind: Service, metadata: {name: web}}
    ---
    {apiVersion: security.istio.io/v1, kind: RequestAuthentication, metadata: {name: jwt, namespace: shop}}
    ---
    {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: x, namespace: shop}, spec: {rules: 3}}
    ---
    {kind: AuthorizationPolicy, spec: 7}
    """
    assert callers(textwrap.dedent(text) + STRICT) == (MESH, NOBODY)


# Findings name who is responsible.


def finding(text: str, kind: str, caller: str, port: int) -> tuple[str, ...]:
    found = documents(text)
    mentioned = istio_audit.mentions(found)
    world = World(GRAPH, mentioned.cidrs, mentioned.namespaces)
    (causes,) = {
        finding.causes
        for finding in compare("istio", istio.expected(GRAPH, world), istio_audit.flows(found, world), world.services)
        if finding.kind == kind and caller in finding.callers and port in finding.ports and finding.callee == "web"
    }
    return causes


def test_an_open_flow_names_the_policy_that_opens_it() -> None:
    text = STRICT + policy("{rules: [{}]}", name="wide")
    assert finding(text, "open", "stranger:*", 8080) == ("AuthorizationPolicy shop/wide (a.yml)",)


def test_a_missing_flow_names_the_denial() -> None:
    text = rule("{from: [{source: {namespaces: [shop]}}]}", "DENY")
    assert finding(text, "missing", "api", 8080) == ("AuthorizationPolicy shop/p (a.yml)",)


def test_a_missing_flow_names_the_policies_that_do_not_allow_it() -> None:
    text = STRICT + policy("{}", name="allow-nothing") + policy("{rules: [{to: [{operation: {ports: ['1']}}]}]}")
    assert finding(text, "missing", "api", 8080) == (
        "AuthorizationPolicy shop/allow-nothing (a.yml)",
        "AuthorizationPolicy shop/p (a.yml)",
    )


def test_a_missing_flow_of_a_network_names_the_mutual_tls_in_its_way() -> None:
    text = STRICT + policy("{rules: [{}]}")
    assert finding(text, "missing", OFFICE, 8080) == ("PeerAuthentication istio-system/default (a.yml)",)


def test_mentions_are_what_the_world_must_know() -> None:
    text = source(
        "{principals: [example.org/ns/a/sa/x, '*/ns/b/sa/y', 'example.org/ns/c*'], namespaces: [d, 'e*']}"
    ) + policy("{rules: [{from: [{source: {serviceAccounts: [f/x, y], ipBlocks: [192.0.2.1, 198.51.100.0/24]}}]}]}")
    mentioned = istio_audit.mentions(documents(text))
    assert mentioned.cidrs == ("192.0.2.1", "198.51.100.0/24")
    assert set(mentioned.namespaces) == {"a", "b", "d", "f", "shop"}


def test_what_is_rendered_is_what_is_declared() -> None:
    world = World(GRAPH)
    rendered = sourced(istio.render(GRAPH))
    flows = istio_audit.flows(rendered, world)
    assert compare("istio", istio.expected(GRAPH, world), flows, world.services) == []
    assert {name for name in flows.allows if not name.startswith(("host:", "ip:"))} == {"web"}


def test_data_of_every_field_kind_is_read() -> None:
    """A typed read of each field the API has, so that none is refused as unknown."""
    spec: dict[str, Any] = {
        key: [value]
        for key, value in (
            ("principals", "*"),
            ("notPrincipals", "x"),
            ("requestPrincipals", "*"),
            ("notRequestPrincipals", "x"),
            ("namespaces", "*"),
            ("notNamespaces", "x"),
            ("serviceAccounts", "api"),
            ("notServiceAccounts", "x"),
            ("trustDomains", "*"),
            ("notTrustDomains", "x"),
            ("ipBlocks", "10.0.0.0/8"),
            ("notIpBlocks", "192.0.2.1"),
            ("remoteIpBlocks", "10.0.0.0/8"),
            ("notRemoteIpBlocks", "192.0.2.1"),
        )
    }
    assert callers(rule(yaml.safe_dump({"from": [{"source": spec}]}, default_flow_style=True))) == (NOBODY, {"api"})
