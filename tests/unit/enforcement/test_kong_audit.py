# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Kong configurations let through, rendered ones and those that strangers wrote."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import kong, kong_audit
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import MISSING, OPEN, Finding, compare
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import Request
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World
from hypothesis import given
from hypothesis import strategies as st

from tests.unit import strategies

GRAPH = graph_of(
    {
        "name": "shop",
        "trust_domain": "example.org",
        "gateways": {"kong": {"consumers": ["api-user"]}},
        "services": {
            "web": {"port": 80, "target_port": 8080, "exposes": [{"path": "/", "host": "shop.example.com"}]},
            "api": {"port": 3000, "exposes": [{"path": "/api", "methods": ["GET"], "key_auth": True}]},
            "db": {"port": 5432, "protocol": "tcp"},
        },
    }
)
WORLD = World(GRAPH)


def found(*documents: dict[str, Any], graph: Graph = GRAPH) -> list[Finding]:
    world = World(graph)
    items = [Sourced(document, "kong.yml") for document in documents]
    return compare("kong", kong.expected(graph, world), kong_audit.flows(items, world), world.services)


def allowed(text: str) -> dict[str, list[tuple[str, str, bool]]]:
    """By callee: who, which port, under a condition or not; of a document written as YAML."""
    document = {"_format_version": "3.0", **yaml.safe_load(text)}
    flows = kong_audit.flows([Sourced(document, "kong.yml")], WORLD)
    return {
        callee: sorted(
            (caller.partition(":")[2], str(grant.ports), grant.conditional)
            for grant in grants
            for caller in grant.callers
        )
        for callee, grants in flows.allows.items()
    }


EVERYBODY = [("anyone", "8080", False), ("consumer", "8080", False)]
CONSUMERS = [("consumer", "8080", False)]
WEB = "host: web.shop.svc.cluster.local, port: 80"


def matches(route: str, request: Request) -> bool:
    document = yaml.safe_load(f"{{services: [{{name: s, {WEB}, routes: [{route}]}}]}}")
    flows = kong_audit.flows([Sourced({"_format_version": "3.0", **document})], WORLD)
    return any(grant.requests.matches(request) for grant in flows.allows["web"])


@given(strategies.parsed_graphs())
def test_finds_nothing_in_what_is_rendered(graph: Graph) -> None:
    world = World(graph)
    expected, actual = kong.expected(graph, world), kong_audit.flows(sourced(kong.render(graph)), world)
    assert compare("kong", expected, actual, world.services) == []


EXPOSES = st.fixed_dictionaries(
    {},
    optional={
        "methods": st.lists(st.sampled_from(("GET", "POST", "OPTIONS")), min_size=1, unique=True),
        "host": st.sampled_from(("a.example.com", "b.example.com")),
        "key_auth": st.booleans(),
        "cors": st.just({"origins": ["https://example.com"]}),
        "rate_limit": st.just(5),
        "strip_path": st.booleans(),
    },
)


def mutate(entity: dict[str, Any], mutation: str) -> None:
    plugins, route = entity.setdefault("plugins", []), entity["routes"][0]
    if mutation == "key":
        entity["plugins"] = [plugin for plugin in plugins if plugin["name"] != "key-auth"]
    elif mutation == "lock":
        plugins.append({"name": "key-auth"})
    elif mutation == "method":
        route["methods"] = [*route["methods"], "TRACE"]
    elif mutation == "path":
        route["paths"] = [*route["paths"], "/admin"]
    elif mutation == "route":
        del entity["routes"][0]
    elif mutation == "terminate":
        route["plugins"] = [{"name": "request-termination", "config": {}}]
    elif mutation == "disable":
        entity["enabled"] = False
    else:
        entity["port"] = 1


@given(st.lists(EXPOSES, min_size=1, max_size=3), st.data())
def test_finds_exactly_what_a_mutation_changes(exposes: list[dict[str, Any]], data: st.DataObject) -> None:
    names = [f"s{number}" for number in range(len(exposes))]
    services = {name: {"port": 80, "exposes": [{**one, "path": f"/{name}"}]} for name, one in zip(names, exposes)}
    gateways = {"kong": {"consumers": ["bob"]}}
    graph = graph_of({"name": "g", "trust_domain": "example.org", "gateways": gateways, "services": services})
    (document,) = copy.deepcopy(kong.render(graph))["kong/kong.yml"]
    name = data.draw(st.sampled_from(names))
    expose = graph.services[name].exposes[0]
    mutations = ["path", "route", "terminate", "disable", "port", "key" if expose.key_auth else "lock"]
    mutation = data.draw(st.sampled_from([*mutations, "method"] if expose.methods else mutations))
    mutate(document["services"][names.index(name)], mutation)
    (finding,) = found(document, graph=graph)
    kind = OPEN if mutation in ("key", "method", "path") else MISSING
    clients = {"client:consumer"} if expose.key_auth else {"client:consumer", "client:anyone"}
    clients = {"client:anyone"} if mutation in ("key", "lock") else clients
    assert (finding.kind, finding.callee, finding.callers) == (kind, name, frozenset(clients))
    if mutation == "method":
        assert {request.method for request in finding.requests} == {"TRACE"}
    if mutation == "path":
        assert {request.path for request in finding.requests} == {"/admin…"}


def test_names_what_is_open_and_why() -> None:
    (document,) = copy.deepcopy(kong.render(GRAPH))["kong/kong.yml"]
    document["services"][0]["plugins"] = []
    (finding,) = found(document)
    assert (finding.kind, finding.callers, finding.callee) == (OPEN, frozenset(["client:anyone"]), "api")
    assert finding.causes == ("route api of service api (kong.yml)",)
    assert [str(request) for request in finding.requests] == ["GET /api", "GET /api/…"]


def test_names_what_is_missing_and_why() -> None:
    (document,) = copy.deepcopy(kong.render(GRAPH))["kong/kong.yml"]
    document["plugins"] = [{"name": "basic-auth", "config": {}}]
    (finding,) = found(document)
    assert (finding.kind, finding.callers, finding.callee) == (MISSING, frozenset(["client:anyone"]), "web")
    assert finding.causes == ("plugin basic-auth of the gateway (kong.yml)",)


def test_a_prefix_without_a_slash_takes_more_than_was_declared() -> None:
    """/api also takes /apis."""
    (document,) = copy.deepcopy(kong.render(GRAPH))["kong/kong.yml"]
    document["services"][0]["routes"][0]["paths"] = ["/api"]
    (finding,) = found(document)
    assert (finding.kind, finding.callee) == (OPEN, "api")
    assert [request.path for request in finding.requests] == ["/api…"]


@pytest.mark.parametrize(
    "host", ["web.shop.svc.cluster.local", "web.shop.svc.cluster.local.", "WEB.shop.svc", "web.shop", "web"]
)
def test_the_names_of_a_service(host: str) -> None:
    assert allowed(f"services: [{{name: s, host: {host}, port: 80, routes: [{{paths: [/]}}]}}]") == {"web": EVERYBODY}


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("url: http://web.shop.svc:80/x", {"web": EVERYBODY}),
        ("url: 'http://web.shop.svc/x'", {"web": EVERYBODY}),
        ("host: web.shop.svc", {"web": EVERYBODY}),
        ("{host: web.shop.svc, port: 8080}", {"upstream:web.shop.svc": EVERYBODY}),
        ("{host: api.shop.svc, port: 3000}", {"api": [("anyone", "3000", False), ("consumer", "3000", False)]}),
        ("url: https://api", {"upstream:api": [("anyone", "443", False), ("consumer", "443", False)]}),
        ("host: 10.0.0.7", {"upstream:10.0.0.7": [("anyone", "80", False), ("consumer", "80", False)]}),
    ],
)
def test_where_a_service_points_to(service: str, expected: dict[str, Any]) -> None:
    entity = {"name": "s", "routes": [{"paths": ["/"]}], **yaml.safe_load(service)}
    assert allowed(yaml.safe_dump({"services": [entity]})) == expected


def test_targets_of_an_upstream() -> None:
    text = """
    upstreams:
    - name: pool
      targets: [{target: "web.shop.svc:80"}, {target: "db.shop.svc:5432", weight: 0}, {target: "[::1]:81"}]
    targets: [{target: api.shop.svc, upstream: {name: pool}}]
    services: [{name: s, host: pool, routes: [{paths: [/]}]}]
    """
    assert list(allowed(text)) == ["web", "upstream:::1", "upstream:api.shop.svc"]


def test_a_route_without_a_service_calls_nobody() -> None:
    assert allowed("routes: [{name: r, paths: [/]}]") == {}


def test_references_by_name_and_id_at_the_top_level() -> None:
    text = """
    services: [{id: 5a3c2c0e-0000-4000-8000-000000000001, name: s, host: web.shop.svc}]
    routes: [{name: r, paths: [/], service: {id: 5a3c2c0e-0000-4000-8000-000000000001}}]
    plugins: [{name: key-auth, %s}]
    """
    assert allowed(text % "service: s") == {"web": CONSUMERS}
    assert allowed(text % "service: {name: s}") == {"web": CONSUMERS}
    assert allowed(text % "route: r") == {"web": CONSUMERS}
    assert allowed(text % "service: s, route: {name: r}") == {"web": CONSUMERS}


@pytest.mark.parametrize(
    "text",
    [
        "routes: [{name: r, paths: [/], service: nosuch}]",
        "plugins: [{name: cors, service: nosuch, config: {}}]",
        "services: [{name: s}]\nroutes: [{paths: [/], service: s}]",
        "services: {name: s}",
        "services: [s]",
        "plugins: [{config: {}}]",
    ],
)
def test_what_kong_refuses_is_an_error(text: str) -> None:
    with pytest.raises(PlatformError, match=r"^Kong configuration kong\.yml: "):
        allowed(text)


def test_documents_of_other_tools_are_passed_over() -> None:
    assert kong_audit.flows([Sourced({"kind": "Service", "services": 5})], WORLD).allows == {}


PRECEDENCE = f"""
services:
- name: s
  {WEB.replace(", ", chr(10) + "  ")}
  plugins: [SERVICE]
  routes: [{{name: r, paths: [/], plugins: [ROUTE]}}]
consumers: [{{username: bob}}]
plugins: [GLOBAL]
"""


@pytest.mark.parametrize(
    ("route", "service", "everywhere", "expected"),
    [
        ("", "", "{name: key-auth}", CONSUMERS),
        ("", "{name: key-auth}", "", CONSUMERS),
        ("{name: key-auth}", "", "", CONSUMERS),
        ("", "", "", EVERYBODY),
        # The most specific instance is the only one that runs.
        ("{name: key-auth, config: {anonymous: bob}}", "{name: key-auth}", "", EVERYBODY),
        ("", "{name: key-auth, config: {anonymous: bob}}", "{name: key-auth}", EVERYBODY),
        ("{name: key-auth}", "{name: key-auth, config: {anonymous: bob}}", "", CONSUMERS),
        # An instance that is not enabled is not there.
        ("{name: key-auth, enabled: false}", "", "", EVERYBODY),
        ("{name: key-auth, enabled: false, config: {anonymous: bob}}", "{name: key-auth}", "", CONSUMERS),
        # Two plugins: with anonymous on both either will do; without, both must be passed.
        ("{name: key-auth, config: {anonymous: bob}}", "{name: basic-auth}", "", CONSUMERS),
        ("{name: key-auth, config: {anonymous: bob}}", "{name: jwt, config: {anonymous: bob}}", "", EVERYBODY),
        # The way to make anonymous mean nobody.
        ("{name: key-auth, config: {anonymous: bob}}", "{name: request-termination, consumer: bob}", "", CONSUMERS),
        ("{name: request-termination}", "", "", []),
        ("", "{name: request-termination, config: {trigger: x-stop}}", "", EVERYBODY),
        ("{name: acl, config: {allow: [staff]}}", "{name: key-auth}", "", [("consumer", "8080", True)]),
        ("{name: acl, config: {deny: [staff]}}", "{name: key-auth}", "", [("consumer", "8080", True)]),
        ("{name: acl, config: {allow: [staff]}}", "", "", []),
        (
            "{name: acl, config: {allow: [staff]}}",
            "{name: key-auth, config: {anonymous: bob}}",
            "",
            [("anyone", "8080", True), ("consumer", "8080", True)],
        ),
        (
            "",
            "",
            "{name: ip-restriction, config: {allow: [10.0.0.0/8]}}",
            [("anyone", "8080", True), ("consumer", "8080", True)],
        ),
        ("", "", "{name: ip-restriction, config: {}}", EVERYBODY),
        ("", "{name: key-auth}", "{name: request-termination, consumer: bob}", [("consumer", "8080", True)]),
        ("", "", "{name: rate-limiting, config: {minute: 5}}", EVERYBODY),
        ("{name: session}", "", "", EVERYBODY),
    ],
)
def test_plugins(route: str, service: str, everywhere: str, expected: list[Any]) -> None:
    text = PRECEDENCE.replace("ROUTE", route).replace("SERVICE", service).replace("GLOBAL", everywhere)
    assert allowed(text) == ({"web": expected} if expected else {})


def test_preflights_that_authentication_leaves_alone() -> None:
    text = f"""
    services:
    - name: s
      {WEB.replace(", ", chr(10) + "      ")}
      routes: [{{paths: [/]}}]
      plugins: [{{name: key-auth, config: {{run_on_preflight: false}}}}]
    """
    flows = kong_audit.flows([Sourced({"_format_version": "3.0", **yaml.safe_load(text)})], WORLD)
    open_to_all = [grant for grant in flows.allows["web"] if "client:anyone" in grant.callers]
    assert [grant.requests.methods for grant in open_to_all] == [("OPTIONS",)]


def test_a_disabled_service_is_closed() -> None:
    assert allowed(f"services: [{{name: s, {WEB}, enabled: false, routes: [{{paths: [/]}}]}}]") == {}


@pytest.mark.parametrize(
    "condition", ["headers: {x-a: [b]}", "snis: [a.example.com]", "sources: [{ip: 10.0.0.0/8}]", "paths: ['~/(']"]
)
def test_what_cannot_be_told_is_conditional(condition: str) -> None:
    text = f"services: [{{name: s, {WEB}, routes: [{{{condition}}}]}}]"
    assert allowed(text) == {"web": [("anyone", "8080", True), ("consumer", "8080", True)]}


def test_http_plugins_do_not_run_on_streams() -> None:
    text = f"""
    services: [{{name: s, protocol: tcp, {WEB}, routes: [{{protocols: [tcp], destinations: [{{port: 9000}}]}}]}}]
    plugins: [{{name: key-auth}}]
    """
    assert allowed(text) == {"web": [("anyone", "8080", True), ("consumer", "8080", True)]}


def test_shared_plugin_configurations_and_defaults() -> None:
    text = """
    _info: {defaults: {service: {port: 80}}}
    _plugin_configs: {open: {anonymous: bob}}
    services: [{name: s, host: web.shop.svc, routes: [{paths: [/]}], plugins: [{name: key-auth, _config: open}]}]
    consumers: [{username: bob}]
    """
    assert allowed(text) == {"web": EVERYBODY}


@pytest.mark.parametrize(
    ("route", "request_", "expected"),
    [
        ("{paths: [/api]}", Request("GET", "/apis"), True),
        ("{paths: [/api/]}", Request("GET", "/api"), False),
        ("{paths: ['~/api$']}", Request("GET", "/api"), True),
        ("{paths: ['~/api$']}", Request("GET", "/api/x"), False),
        ("{paths: ['~/api/v[0-9]+']}", Request("GET", "/api/v2/x"), True),
        ("{paths: ['~/(?<version>v[0-9])/x']}", Request("GET", "/v1/x"), True),
        ("{paths: ['~/a\\.b$']}", Request("GET", "/axb"), False),
        ("{paths: [/, /api]}", Request("GET", "/other"), True),
        ("{hosts: [shop.example.com]}", Request("GET", "/", "shop.example.com"), True),
        ("{hosts: ['shop.example.com:8443']}", Request("GET", "/", "shop.example.com"), True),
        ("{hosts: ['*.example.com']}", Request("GET", "/", "a.b.example.com"), True),
        ("{hosts: ['*.example.com']}", Request("GET", "/", "example.com"), False),
        ("{hosts: ['shop.*']}", Request("GET", "/", "shop.example.net"), True),
        ("{methods: [GET]}", Request("POST", "/"), False),
        ("{methods: [get], paths: [/a]}", Request("GET", "/a"), True),
    ],
)
def test_routes_match_as_kong_matches(route: str, request_: Request, expected: bool) -> None:
    """K20."""
    assert matches(route, request_) is expected
