# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph as SPIRE entries, and what entries give to whom."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import spire
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import MISSING, OPEN, Finding, compare
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World
from hypothesis import given
from hypothesis import strategies as st

from tests.unit import strategies

GRAPH = graph_of(
    {
        "name": "shop",
        "trust_domain": "example.org",
        "cluster": "c1",
        "gateways": {"istio": {}},
        "callers": {
            "partner": {"namespace": "theirs", "trust_domain": "partner.example.net", "calls": ["web"]},
            "prometheus": {"namespace": "monitoring", "scrapes": True},
        },
        "services": {
            "web": {"port": 80, "metrics": True, "calls": ["db"], "exposes": [{"host": "shop.example.com"}]},
            "db": {"namespace": "data", "service_account": "postgres", "port": 5432, "protocol": "tcp"},
            "cron": {"calls": ["web"]},
        },
    }
)
NODE = "spiffe://example.org/k8s/c1/node"


def test_renders_to_the_letter() -> None:
    assert spire.render(GRAPH) == {
        "spire/entries.json": [
            {
                "entries": [
                    {
                        "entry_id": "shop.node.c1",
                        "spiffe_id": NODE,
                        "parent_id": "spiffe://example.org/spire/server",
                        "selectors": [{"type": "k8s_psat", "value": "cluster:c1"}],
                        "hint": "nodes of c1",
                    },
                    {
                        "entry_id": "shop.node.c1.data",
                        "spiffe_id": f"{NODE}/data",
                        "parent_id": "spiffe://example.org/spire/server",
                        "selectors": [{"type": "k8s_psat", "value": "cluster:c1"}],
                        "hint": "nodes of c1 for data",
                    },
                    {
                        "entry_id": "shop.node.c1.shop",
                        "spiffe_id": f"{NODE}/shop",
                        "parent_id": "spiffe://example.org/spire/server",
                        "selectors": [{"type": "k8s_psat", "value": "cluster:c1"}],
                        "hint": "nodes of c1 for shop",
                    },
                    {
                        "entry_id": "shop.cron",
                        "spiffe_id": "spiffe://example.org/ns/shop/sa/cron",
                        "parent_id": f"{NODE}/shop",
                        "selectors": [{"type": "k8s", "value": "ns:shop"}, {"type": "k8s", "value": "sa:cron"}],
                        "x509_svid_ttl": 3600,
                        "hint": "cron",
                    },
                    {
                        "entry_id": "shop.db",
                        "spiffe_id": "spiffe://example.org/ns/data/sa/postgres",
                        "parent_id": f"{NODE}/data",
                        "selectors": [{"type": "k8s", "value": "ns:data"}, {"type": "k8s", "value": "sa:postgres"}],
                        "x509_svid_ttl": 3600,
                        "hint": "db",
                        "dns_names": ["db.data.svc.cluster.local"],
                    },
                    {
                        "entry_id": "shop.web",
                        "spiffe_id": "spiffe://example.org/ns/shop/sa/web",
                        "parent_id": f"{NODE}/shop",
                        "selectors": [{"type": "k8s", "value": "ns:shop"}, {"type": "k8s", "value": "sa:web"}],
                        "x509_svid_ttl": 3600,
                        "hint": "web",
                        "dns_names": ["web.shop.svc.cluster.local"],
                        "federates_with": ["spiffe://partner.example.net"],
                    },
                ]
            }
        ]
    }


@given(strategies.parsed_graphs())
def test_entries_are_what_a_server_accepts(graph: Graph) -> None:
    """S01, S02, S08, S10: trust domain, no twins, selectors, characters; keys the server knows, or it drops them."""
    ((document,),) = spire.render(graph).values()
    entries = document["entries"]
    known = {"entry_id", "spiffe_id", "parent_id", "selectors", "x509_svid_ttl", "hint", "dns_names", "federates_with"}
    for entry in entries:
        assert entry.keys() <= known
        assert re.fullmatch(r"[A-Za-z0-9_.-]{1,255}", entry["entry_id"])
        assert re.fullmatch(r"spiffe://example\.org(/[A-Za-z0-9._-]+)+", entry["spiffe_id"])
        assert not entry["spiffe_id"].startswith("spiffe://example.org/spire/")
        assert entry["selectors"]
    assert len({entry["entry_id"] for entry in entries}) == len(entries)
    triples = [(e["spiffe_id"], e["parent_id"], json.dumps(e["selectors"])) for e in entries]
    assert len(set(triples)) == len(triples)


@given(strategies.graphs())
def test_the_order_of_the_file_does_not_matter(data: dict[str, Any]) -> None:
    turned = {**data, "services": dict(reversed(data["services"].items()))}
    assert json.dumps(spire.render(graph_of(turned))) == json.dumps(spire.render(graph_of(data)))


@given(strategies.parsed_graphs())
def test_finds_nothing_in_what_is_rendered(graph: Graph) -> None:
    documents = sourced(spire.render(graph))
    world = World(graph, namespaces=spire.mentions(documents).namespaces)
    assert compare("spire", spire.expected(graph, world), spire.flows(documents, world), world.services) == []


def audit(entries: list[Any], graph: Graph = GRAPH) -> list[Finding]:
    documents = [Sourced({"entries": entries}, "entries.json")]
    world = World(graph, namespaces=spire.mentions(documents).namespaces)
    return compare("spire", spire.expected(graph, world), spire.flows(documents, world), world.services)


def entries_of(graph: Graph) -> list[Any]:
    ((document,),) = copy.deepcopy(spire.render(graph)).values()
    return document["entries"]  # type: ignore[no-any-return]


@given(strategies.parsed_graphs(min_services=2), st.data())
def test_finds_exactly_what_a_mutation_changes(graph: Graph, data: st.DataObject) -> None:
    entries = entries_of(graph)
    name = data.draw(st.sampled_from(sorted(graph.services)))
    service = graph.services[name]
    entry = next(entry for entry in entries if entry["entry_id"] == f"{graph.name}.{name}")
    mutation = data.draw(st.sampled_from(("delete", "namespace", "account", "id", "wide", "admin")))
    found = {}
    if mutation == "delete":
        entries.remove(entry)
        found[MISSING, name] = {name}
    elif mutation == "namespace":
        entry["selectors"][0]["value"] = "ns:elsewhere"
        found = {(MISSING, name): {name}, (OPEN, name): {"stranger:elsewhere"}}
    elif mutation == "account":
        entry["selectors"][1]["value"] = "sa:nobody"
        found = {(MISSING, name): {name}, (OPEN, name): {f"stranger:{service.namespace}"}}
    elif mutation == "id":
        entry["spiffe_id"] += "x"
        found = {(MISSING, name): {name}, (OPEN, entry["spiffe_id"]): {name}}
    elif mutation == "admin":
        entry["admin"] = True
        found[OPEN, "spire:admin"] = {name}
    else:
        del entry["selectors"][1]
        world = World(graph)
        found[OPEN, name] = {
            workload.id
            for workload in world.workloads.values()
            if workload.namespace == service.namespace
            and workload.principal.startswith("example.org/")
            and workload.id != name
        }
    assert {(f.kind, f.callee): set(f.callers) for f in audit(entries, graph)} == found


def selectors(*texts: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "value"), text.split(":", 1))) for text in texts]


WEB = {"id": "x.web", "spiffe_id": "spiffe://example.org/ns/shop/sa/web", "parent_id": NODE}


def obtains(*texts: str) -> tuple[set[str], bool]:
    """Who obtains web's identity by these selectors, and whether under a condition."""
    documents = [Sourced({"entries": [{**WEB, "selectors": selectors(*texts)}]})]
    flows = spire.flows(documents, World(GRAPH, namespaces=spire.mentions(documents).namespaces))
    grants = flows.allows.get("web", ())
    return {caller for grant in grants for caller in grant.callers}, any(grant.conditional for grant in grants)


def test_all_selectors_must_match() -> None:
    assert obtains("k8s:ns:shop", "k8s:sa:web") == ({"web"}, False)
    assert obtains("k8s:ns:shop", "k8s:pod-label:app:web") == ({"web"}, False)
    assert obtains("k8s:ns:shop", "k8s:sa:web", "k8s:pod-label:app:cron") == (set(), False)
    assert obtains("k8s:ns:shop", "k8s:ns:data") == (set(), False)
    assert obtains("k8s:sa:a", "k8s:sa:b") == (set(), False)


def test_a_namespace_alone_is_everybody_in_it() -> None:
    assert obtains("k8s:ns:shop") == ({"web", "cron", "stranger:shop"}, False)
    assert obtains("k8s:ns:elsewhere") == ({"stranger:elsewhere"}, False)


def test_an_account_that_nobody_declared_is_a_strangers() -> None:
    assert obtains("k8s:ns:shop", "k8s:sa:other") == ({"stranger:shop"}, False)


def test_an_account_alone_may_be_in_any_namespace() -> None:
    callers, _conditional = obtains("k8s:sa:postgres")
    assert {"db", "stranger:shop", "stranger:*"} <= callers
    assert not {"web", "stranger:data"} & callers


def test_no_selector_is_everybody() -> None:
    """S08. No server has such an entry, but a file may."""
    callers, conditional = obtains()
    assert {"web", "db", "stranger:*", "platform:dns"} <= callers
    assert not conditional


def test_a_workload_of_another_trust_domain_is_not_ours_to_attest() -> None:
    assert "partner" not in obtains()[0]


@pytest.mark.parametrize("selector", ["k8s:container-image:x", "unix:uid:0", "docker:label:a:b", "nosuch:x"])
def test_what_cannot_be_told_is_conditional(selector: str) -> None:
    assert obtains("k8s:ns:shop", "k8s:sa:web", selector) == ({"web"}, True)
    callers, conditional = obtains(selector)
    assert "stranger:*" in callers
    assert conditional


def test_entries_of_nodes_give_nothing_to_workloads() -> None:
    node = {"spiffe_id": NODE, "parent_id": "spiffe://example.org/spire/server", "selectors": selectors("x509pop:cn:a")}
    token = {
        "spiffe_id": "spiffe://example.org/token",
        "parent_id": "spiffe://example.org/spire/agent/join_token/1",
        "selectors": selectors("spiffe_id:spiffe://example.org/spire/agent/join_token/1"),
    }
    assert spire.flows([Sourced({"entries": [node, token]})], World(GRAPH)).allows == {}


def test_reads_what_entry_show_writes() -> None:
    entries = entries_of(GRAPH)
    for entry in entries:
        entry["id"] = entry.pop("entry_id")
        for key in ("spiffe_id", "parent_id"):
            domain, _slash, path = entry[key][len("spiffe://") :].partition("/")
            entry[key] = {"trust_domain": domain, "path": f"/{path}"}
        entry.update({"created_at": "1795343309", "expires_at": "0", "revision_number": "0", "admin": False})
    assert audit(entries) == []


def test_selectors_as_text() -> None:
    assert audit([*entries_of(GRAPH), {**WEB, "selectors": ["k8s:ns:shop", "k8s:sa:web"]}]) == []


def test_a_stranger_with_our_identity_is_named_with_its_entry() -> None:
    other = {**WEB, "id": "evil", "selectors": selectors("k8s:ns:evil", "k8s:sa:x"), "downstream": True}
    (finding,) = audit([*entries_of(GRAPH), other])
    assert (finding.kind, finding.callee, finding.callers) == (OPEN, "web", frozenset(["stranger:evil"]))
    assert finding.causes == ("SPIRE entry evil (entries.json)",)


def test_privileges_of_an_own_workload_are_found() -> None:
    """S11."""
    entries = entries_of(GRAPH)
    next(entry for entry in entries if entry["entry_id"] == "shop.cron")["downstream"] = True
    assert [(f.kind, f.callee, set(f.callers)) for f in audit(entries)] == [(OPEN, "spire:downstream", {"cron"})]


def test_documents_of_other_tools_are_passed_over() -> None:
    assert spire.flows([Sourced({"kind": "X", "entries": [1]}), Sourced({"entries": "x"})], World(GRAPH)).allows == {}


@pytest.mark.parametrize("entry", ["text", {"selectors": []}, {"spiffe_id": ""}])
def test_what_no_server_has_is_an_error(entry: Any) -> None:
    with pytest.raises(PlatformError, match=r"entries\.json"):
        audit([entry])
