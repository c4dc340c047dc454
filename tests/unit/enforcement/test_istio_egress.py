# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Sidecars and ServiceEntries, as strangers write them, let the graph's workloads go."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import istio, istio_audit
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.istio import covers
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import FlowSet, compare
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World

GRAPH = graph_of(
    {
        "name": "shop",
        "trust_domain": "example.org",
        "cluster": {"name": "c1", "pod_cidrs": ["10.244.0.0/16"]},
        "services": {
            "api": {
                "port": 3000,
                "calls": ["db"],
                "egress": [
                    {"hosts": ["api.openai.com", "*.example.com"]},
                    {"cidrs": ["198.51.100.0/24"], "port": 5432},
                ],
            },
            "db": {"namespace": "data", "port": 5432, "protocol": "tcp"},
        },
    }
)


def sidecar(spec: str, namespace: str = "shop", name: str = "default") -> str:
    meta = f"{{name: {name}, namespace: {namespace}}}"
    return f"\n---\n{{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {meta}, spec: {spec}}}\n"


def entry(spec: str, namespace: str = "shop", name: str = "e") -> str:
    meta = f"{{name: {name}, namespace: {namespace}}}"
    return f"\n---\n{{apiVersion: networking.istio.io/v1beta1, kind: ServiceEntry, metadata: {meta}, spec: {spec}}}\n"


def judged(text: str) -> tuple[World, FlowSet]:
    documents = [Sourced(document, "a.yml") for document in yaml.safe_load_all(text) if document]
    mentioned = istio_audit.mentions(documents)
    world = World(GRAPH, mentioned.cidrs, mentioned.namespaces)
    return world, istio_audit.flows(documents, world)


def outside(text: str, caller: str = "api") -> dict[str, set[str]]:
    """Where a caller may go outside of the graph, with the ports."""
    found: dict[str, set[str]] = {}
    for callee, grants in judged(text)[1].allows.items():
        if callee.startswith(("host:", "ip:")):
            ports = {str(grant.ports) for grant in grants if caller in grant.callers}
            if ports:
                found[callee] = ports
    return found


CLOSED = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"
OPENAI = entry("{hosts: [api.openai.com], ports: [{number: 443, protocol: TLS, name: tls}], resolution: DNS}")


def test_without_a_sidecar_every_host_and_address_is_open() -> None:
    found = outside("")
    assert {"host:*", "host:api.openai.com", "ip:0.0.0.0/0", "ip:::/0", "ip:169.254.0.0/16", "ip:10.0.0.0/8"} <= set(
        found
    )
    assert not {"ip:10.244.0.0/16", "ip:127.0.0.0/8", "ip:224.0.0.0/4"} & set(found)
    assert {ports for one in found.values() for ports in one} == {"1-65535"}


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        pytest.param(sidecar("{}"), True, id="no policy is the mesh's ALLOW_ANY"),
        pytest.param(sidecar("{outboundTrafficPolicy: {mode: ALLOW_ANY}}"), True, id="ALLOW_ANY"),
        pytest.param(sidecar(f"{{{CLOSED}}}"), False, id="REGISTRY_ONLY"),
        pytest.param(sidecar("{outboundTrafficPolicy: {}}"), False, id="an empty policy is the API's zero"),
        pytest.param(sidecar(f"{{{CLOSED}}}", "istio-system"), False, id="the root namespace's"),
        pytest.param(sidecar(f"{{{CLOSED}}}", "data"), True, id="another namespace's"),
        pytest.param(
            sidecar("{}") + sidecar(f"{{{CLOSED}}}", "istio-system"), True, id="the namespace's goes before the root's"
        ),
        pytest.param(
            sidecar("{}") + sidecar(f"{{workloadSelector: {{labels: {{app: api}}}}, {CLOSED}}}", name="z"),
            False,
            id="one with a selector goes before the namespace's",
        ),
        pytest.param(
            sidecar(f"{{workloadSelector: {{labels: {{app: db}}}}, {CLOSED}}}"), True, id="one that selects another"
        ),
        pytest.param(
            sidecar(f"{{workloadSelector: {{labels: {{app: api}}}}, {CLOSED}}}", "istio-system"),
            True,
            id="the root namespace's with a selector is for the root namespace",
        ),
        pytest.param(sidecar(f"{{{CLOSED}}}", name="b") + sidecar("{}", name="a"), True, id="of two the first counts"),
    ],
)
def test_which_sidecar_counts_and_whether_it_is_open(text: str, is_open: bool) -> None:
    assert ("host:*" in outside(text)) is is_open


@pytest.mark.parametrize(
    ("hosts", "sees"),
    [
        (["*/*"], True),
        (["./*"], True),
        (["shop/*"], True),
        (["shop/api.openai.com"], True),
        (["*/api.openai.com"], True),
        (["./*.openai.com"], True),
        (["shop/*.com"], True),
        (["data/*"], False),
        (["shop/openai.com"], False),
        (["shop/*.api.openai.com"], False),
        (["~/*"], False),
        (["*/*", "~/api.openai.com"], False),
        (["*/*", "~shop/*.openai.com"], False),
        (["*/*", "~data/*"], True),
        (["api.openai.com"], False),
    ],
)
def test_egress_hosts_are_namespace_and_name(hosts: list[str], sees: bool) -> None:
    """Mistake 6: a bare name matches nothing."""
    text = sidecar(f"{{egress: [{{hosts: {hosts}}}], {CLOSED}}}") + OPENAI
    assert outside(text) == ({"host:api.openai.com": {"443"}} if sees else {})


@pytest.mark.parametrize(
    ("export_to", "sees"),
    [("[]", True), ("['*']", True), ("[.]", False), ("[shop]", True), ("[data, shop]", True), ("['~']", False)],
)
def test_an_entry_of_another_namespace_is_seen_as_far_as_it_is_exported(export_to: str, sees: bool) -> None:
    spec = (
        f"{{hosts: [api.openai.com], exportTo: {export_to}, ports: [{{number: 443, protocol: TLS}}], resolution: DNS}}"
    )
    assert bool(outside(sidecar(f"{{{CLOSED}}}") + entry(spec, "data"))) is sees


def test_an_entry_of_the_own_namespace_is_seen_unless_it_is_exported_elsewhere() -> None:
    for export_to, sees in (("[.]", True), ("[data]", False)):
        spec = f"{{hosts: [x.org], exportTo: {export_to}, ports: [{{number: 443, protocol: TLS}}], resolution: DNS}}"
        assert bool(outside(sidecar(f"{{{CLOSED}}}") + entry(spec))) is sees


def test_a_listener_with_a_port_shows_that_port_only() -> None:
    spec = "{hosts: [x.org], ports: [{number: 443, protocol: TLS}, {number: 80, protocol: HTTP}], resolution: DNS}"
    listener = "{port: {number: 80, protocol: HTTP, name: http}, hosts: ['*/*']}"
    assert outside(sidecar(f"{{egress: [{listener}], {CLOSED}}}") + entry(spec)) == {"host:x.org": {"80"}}
    proxy = "{port: {number: 3128, protocol: HTTP_PROXY, name: proxy}, hosts: ['*/*']}"
    assert outside(sidecar(f"{{egress: [{proxy}], {CLOSED}}}") + entry(spec)) == {"host:x.org": {"80", "443"}}


# Addresses, that are only looked at where nothing else tells a connection.

ANYWHERE_ON_9000 = {"host:*": {"9000"}, "ip:0.0.0.0/0": {"9000"}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("protocol: TCP, resolution: NONE, addresses: [192.0.2.0/24]", {"ip:192.0.2.0/24": {"9000"}}),
        ("protocol: TCP, resolution: NONE, addresses: [192.0.2.1]", {"ip:192.0.2.1/32": {"9000"}}),
        ("protocol: TLS, resolution: NONE, addresses: [192.0.2.0/24]", {"host:x.org": {"9000"}}),
        ("protocol: HTTP, resolution: NONE", {"host:x.org": {"9000"}}),
        ("protocol: TCP, resolution: DNS, addresses: [192.0.2.1]", {"host:x.org": {"9000"}}),
        ("protocol: TCP, resolution: STATIC", {"host:x.org": {"9000"}}),
        ("protocol: TCP, resolution: NONE", ANYWHERE_ON_9000),
        ("protocol: MONGO", ANYWHERE_ON_9000),
        ("name: x", ANYWHERE_ON_9000),
    ],
)
def test_names_and_addresses(fields: str, expected: dict[str, set[str]]) -> None:
    data: dict[str, Any] = yaml.safe_load(f"{{{fields}}}")
    spec: dict[str, Any] = {"hosts": ["x.org"], "ports": [{"number": 9000}]}
    for key, value in data.items():
        (spec["ports"][0] if key in ("protocol", "name") else spec)[key] = value
    text = sidecar(f"{{{CLOSED}}}") + entry(yaml.safe_dump(spec, default_flow_style=True, width=1000))
    found = outside(text)
    if expected is ANYWHERE_ON_9000:
        assert ANYWHERE_ON_9000.items() <= found.items()
    else:
        assert found == expected


def test_an_entry_for_a_pattern_opens_the_declared_hosts_in_it() -> None:
    spec = "{hosts: ['*.openai.com'], ports: [{number: 443, protocol: TLS}], resolution: NONE}"
    assert outside(sidecar(f"{{{CLOSED}}}") + entry(spec)) == {
        "host:*.openai.com": {"443"},
        "host:api.openai.com": {"443"},
    }


def test_a_host_that_a_declared_pattern_means_is_no_destination_beside_it() -> None:
    """For the workload that declared the pattern, and on its port."""
    spec = "{hosts: [www.example.com], exportTo: ['*'], ports: [{number: 443, protocol: TLS}], resolution: DNS}"
    text = sidecar(f"{{{CLOSED}}}", "istio-system") + entry(spec)
    assert outside(text, "api") == {}
    assert outside(text, "db") == {"host:www.example.com": {"443"}}
    assert outside(text.replace("443", "8443"), "api") == {"host:www.example.com": {"8443"}}


def test_an_entry_named_like_a_service_of_the_graph_is_no_external_host() -> None:
    spec = "{hosts: [db.data.svc.cluster.local], ports: [{number: 5432, protocol: TCP}], resolution: DNS}"
    assert outside(sidecar(f"{{{CLOSED}}}") + entry(spec)) == {}


# Calls in the mesh.


def missing(text: str) -> list[tuple[str, tuple[str, ...]]]:
    world, flows = judged(text)
    found = compare("istio", istio.expected(GRAPH, world), flows, world.services)
    return [
        (finding.callee, finding.causes) for finding in found if finding.kind == "missing" and finding.callee == "db"
    ]


@pytest.mark.parametrize(
    ("egress", "works"),
    [
        ("[{hosts: ['*/*']}]", True),
        ("[{hosts: [data/db.data.svc.cluster.local]}]", True),
        ("[{hosts: ['*/*.data.svc.cluster.local']}]", True),
        ("[{hosts: [./db.data.svc.cluster.local]}]", False),
        ("[{hosts: [data/db]}]", False),
        ("[{hosts: ['~/*']}]", False),
        ("[{port: {number: 5432, protocol: TCP, name: x}, hosts: [data/*]}]", True),
        ("[{port: {number: 5433, protocol: TCP, name: x}, hosts: [data/*]}]", False),
    ],
)
def test_a_declared_call_needs_its_host_in_the_callers_sidecar(egress: str, works: bool) -> None:
    expected = [] if works else [("db", ("Sidecar shop/default (a.yml)",))]
    assert missing(sidecar(f"{{egress: {egress}, {CLOSED}}}")) == expected


def test_a_sidecar_is_no_security_boundary() -> None:
    """Mistake 6: what it hides stays open until a policy refuses it."""
    hidden = sidecar(f"{{egress: [{{hosts: ['~/*']}}], {CLOSED}}}", "data")
    _world, flows = judged(hidden)
    assert any("db" in grant.callers for grant in flows.allows["api"])
    assert "api" not in flows.denies


def test_a_missing_host_names_the_sidecar() -> None:
    world, flows = judged(sidecar(f"{{{CLOSED}}}"))
    found = compare("istio", istio.expected(GRAPH, world), flows, world.services)
    causes = {finding.callee: finding.causes for finding in found if finding.kind == "missing"}
    assert causes["host:api.openai.com"] == ("Sidecar shop/default (a.yml)",)
    assert causes["ip:198.51.100.0/24"] == ("Sidecar shop/default (a.yml)",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            sidecar("{egress: [{hosts: x}]}"),
            r"Sidecar shop/default \(a.yml\) spec.egress\[0\].hosts: 'x' is not a list",
        ),
        (sidecar("{outboundTrafficPolicy: {mode: NONE}}"), "'NONE' is not one of REGISTRY_ONLY, ALLOW_ANY"),
        (sidecar("{selector: {}}"), "'selector' is not a field of the API"),
        (entry("{hosts: [x.org], addresses: [10.0.0.0/99]}"), "'10.0.0.0/99' is neither an address"),
        (entry("{hosts: [x.org], ports: [{number: '443'}]}"), r"ports\[0\].number: '443' is not a whole number"),
        (entry("{hosts: [x.org], resolution: MAGIC}"), "'MAGIC' is not one of NONE, STATIC, DNS"),
    ],
)
def test_a_document_that_istio_would_refuse_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(PlatformError, match=message):
        judged(text)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("a.org", "a.org", True),
        ("a.org", "*.a.org", False),
        ("*.a.org", "b.a.org", True),
        ("*.a.org", "a.org", False),
        ("*.a.org", "*.a.org", True),
        ("*.a.org", "*.b.a.org", True),
        ("*.b.a.org", "*.a.org", False),
        ("*", "a.org", True),
        ("*", "*.org", True),
    ],
)
def test_which_hosts_a_pattern_covers(pattern: str, name: str, expected: bool) -> None:
    assert covers(pattern, name) is expected
