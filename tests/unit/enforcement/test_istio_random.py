# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random graphs and random mutations of what they become: the audit finds what a sidecar would let in and no more.

The sidecar is :class:`Sidecar`, which answers one concrete request at a time and shares no code with the audit.
"""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import Request
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.unit.enforcement.test_istio_mutations import PEERS, POLICY, Documents, audit, rendered
from tests.unit.strategies import graphs


class Client(NamedTuple):
    id: str
    principal: str
    """Empty for one who speaks plain text."""
    address: str


def says(pattern: str, text: str) -> bool:
    if pattern == "*":
        return text != ""
    if pattern.startswith("*"):
        return text.endswith(pattern[1:])
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return pattern == text


class Sidecar:
    """The sidecar of a service at one port, with the documents that concern it. It answers one request at a time."""

    def __init__(self, documents: Documents, graph: Graph, callee: str, port: int) -> None:
        self.port = str(port)
        self.http = all(known.is_http for known in graph.services[callee].ports if known.target == port)
        self.mode = _mode(documents, graph, callee, port)
        self.policies = list(_selecting(documents, POLICY, graph, callee))

    def admits(self, client: Client) -> Callable[[Request], bool]:
        if self.mode == "STRICT" and not client.principal:
            return lambda request: False
        if self.mode == "DISABLE":
            client = client._replace(principal="")
        denied = list(self._operations("DENY", client))
        allowed = list(self._operations("ALLOW", client))
        if not any(spec.get("action", "ALLOW") == "ALLOW" for spec in self.policies):
            allowed = [{}]
        return lambda request: self._any(allowed, request) and not self._any(denied, request)

    def _operations(self, action: str, client: Client) -> Iterator[dict[str, Any]]:
        """The operations of the rules with that action whose sources match."""
        for spec in self.policies:
            for rule in spec.get("rules") or [] if spec.get("action", "ALLOW") == action else []:
                operations = [to["operation"] for to in rule.get("to") or [{"operation": {}}]]
                if not self.http:
                    if action == "ALLOW" and any(set(operation) - {"ports", "notPorts"} for operation in operations):
                        continue
                    operations = [{key: v for key, v in o.items() if key in ("ports", "notPorts")} for o in operations]
                if any(_is_source(item["source"], client) for item in rule.get("from") or [{"source": {}}]):
                    yield from operations

    def _any(self, operations: list[dict[str, Any]], request: Request) -> bool:
        return any(
            has(operation, "ports", lambda value: value == self.port)
            and has(operation, "methods", lambda value: says(value, request.method))
            and has(operation, "paths", lambda value: says(value, request.path))
            for operation in operations
        )


def has(fields: dict[str, Any], key: str, test: Callable[[str], bool]) -> bool:
    negated = fields.get("not" + key[0].upper() + key[1:]) or []
    return (not fields.get(key) or any(map(test, fields[key]))) and not any(map(test, negated))


def _is_source(source: dict[str, Any], client: Client) -> bool:
    principal = client.principal
    return (
        has(source, "principals", lambda value: bool(principal) and says(value, principal))
        and has(source, "namespaces", lambda value: bool(principal) and says(value, principal.split("/")[2]))
        and has(source, "ipBlocks", lambda value: ipaddress.ip_address(client.address) in ipaddress.ip_network(value))
    )


def _selecting(documents: Documents, kind: str, graph: Graph, callee: str) -> Iterator[dict[str, Any]]:
    service = graph.services[callee]
    for document in documents:
        labels = (document["spec"].get("selector") or {}).get("matchLabels") or {}
        near = document["metadata"]["namespace"] in (service.namespace, graph.mesh.namespace)
        if document["kind"] == kind and near and all(service.labels.get(key) == labels[key] for key in labels):
            yield document["spec"]


def _mode(documents: Documents, graph: Graph, callee: str, port: int) -> str:
    mode = "PERMISSIVE"
    for namespace in (graph.mesh.namespace, graph.services[callee].namespace):
        for document in documents:
            here = document["kind"] == PEERS and document["metadata"]["namespace"] == namespace
            if here and "selector" not in document["spec"]:
                mode = document["spec"].get("mtls", {}).get("mode", mode)
    for spec in _selecting(documents, PEERS, graph, callee):
        if "selector" in spec:
            mode = spec.get("portLevelMtls", {}).get(str(port), spec.get("mtls", {})).get("mode", mode)
    return mode


def clients(graph: Graph, world: World) -> list[Client]:
    pod = next((str(ipaddress.ip_network(cidr)[9]) for cidr in graph.cluster.pod_cidrs), "10.99.0.9")
    found = [
        Client(workload.id, workload.principal.replace("*", "somebody"), pod) for workload in world.workloads.values()
    ]
    for address in ("203.0.113.7", "10.0.0.7", "10.0.1.7", "2001:db8:ff::7", "9.9.9.9", pod):
        (smallest, *_rest) = sorted(
            (ipaddress.ip_network(name[3:]) for name in world.addresses.everywhere),
            key=lambda network: (ipaddress.ip_address(address) not in network, -network.prefixlen),
        )
        found.append(Client(f"ip:{smallest}", "", address))
    return found


MODES = ("STRICT", "PERMISSIVE", "DISABLE")
SOURCES = (
    {},
    {"principals": ["*"]},
    {"principals": ["example.org/ns/shop/*"]},
    {"principals": ["*/sa/web"], "namespaces": ["shop", "data"]},
    {"namespaces": ["shop"]},
    {"namespaces": ["*"]},
    {"notNamespaces": ["shop"]},
    {"notPrincipals": ["*/ns/data/*"]},
    {"notPrincipals": ["example.org/ns/shop/sa/web"]},
    {"ipBlocks": ["0.0.0.0/0", "::/0"]},
    {"notIpBlocks": ["203.0.113.0/24"]},
)
OPERATIONS = (
    {},
    {"ports": ["8080"]},
    {"notPorts": ["8080", "3000"]},
    {"methods": ["GET"]},
    {"notMethods": ["GET"]},
    {"paths": ["/api/*"]},
    {"paths": ["*"]},
    {"notPaths": ["/api*"], "ports": ["80", "8080", "443"]},
)


@st.composite
def mutations(draw: Callable[[st.SearchStrategy[Any]], Any], documents: Documents) -> Documents:
    """Some documents with some of them dropped, widened, narrowed, turned round, and some new ones beside them."""
    documents = copy.deepcopy(documents)
    for _number in range(draw(st.integers(1, 3))):
        policies = [document for document in documents if document["kind"] in (POLICY, PEERS)]
        if not policies:
            break
        document = draw(st.sampled_from(policies))
        spec = document["spec"]
        change = draw(st.sampled_from(("drop", "unselect", "change", "change", "change", "new")))
        if change == "drop":
            documents.remove(document)
        elif change == "unselect":
            # Two PeerAuthentications of one namespace would leave the choice to their age.
            if document["kind"] == POLICY:
                spec.pop("selector", None)
        elif change == "new":
            rule = {
                "from": [{"source": draw(st.sampled_from(SOURCES))}],
                "to": [{"operation": draw(st.sampled_from(OPERATIONS))}],
            }
            new = {"action": draw(st.sampled_from(("ALLOW", "DENY"))), "rules": [rule]}
            meta = {"name": "new", "namespace": document["metadata"]["namespace"]}
            documents.append({"apiVersion": "security.istio.io/v1", "kind": POLICY, "metadata": meta, "spec": new})
        elif document["kind"] == PEERS:
            spec["mtls"] = {"mode": draw(st.sampled_from(MODES))}
        else:
            _change_rule(draw, spec)
    return documents


def _change_rule(draw: Callable[[st.SearchStrategy[Any]], Any], spec: dict[str, Any]) -> None:
    rules = spec.setdefault("rules", [])
    if not rules:
        rules.append(draw(st.sampled_from(({}, {"from": [{"source": {"namespaces": ["shop"]}}]}))))
        return
    rule = draw(st.sampled_from(rules))
    what = draw(st.sampled_from(("source", "operation", "more", "anybody", "action", "remove")))
    if what == "source":
        rule["from"] = [{"source": draw(st.sampled_from(SOURCES))}]
    elif what == "more":
        rule["from"] = [*rule.get("from", []), {"source": draw(st.sampled_from(SOURCES))}]
    elif what == "operation":
        rule["to"] = [{"operation": draw(st.sampled_from(OPERATIONS))}]
    elif what == "anybody":
        rule.pop("from", None)
    elif what == "action":
        spec["action"] = draw(st.sampled_from(("ALLOW", "DENY")))
    else:
        rules.remove(rule)


def probes(graph: Graph) -> list[Request]:
    """Requests that tell rules apart: of each declared path itself, one below it and one beside it."""
    paths = {"/", "/api/x", "/apix", "/zz"}
    for path in {path for flow in graph.flows for path in flow.paths}:
        paths |= {path[:-1], path[:-1] + "zz"} if path.endswith("*") else {path, path + "zz"}
    methods = {"GET", "PROPFIND"} | {method for flow in graph.flows for method in flow.methods}
    return [Request(method, path) for method in sorted(methods) for path in sorted(paths)]


def declared(graph: Graph, world: World, callee: str, port: int) -> Callable[[Client, Request], bool]:
    ways = [
        (world.callers(flow.caller), flow.methods if flow.port.protocol == "http" else (), flow.paths)
        for flow in graph.flows
        if flow.callee == callee and flow.port.target == port
    ]

    def is_declared(client: Client, request: Request) -> bool:
        return any(
            client.id in callers
            and (not methods or request.method in methods)
            and (not paths or any(says(path, request.path) for path in paths))
            for callers, methods, paths in ways
        )

    return is_declared


# Without shrinking, which takes minutes for graphs of this kind: the message says what differs, and where.
@settings(phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(graphs(max_services=3), st.data())
def test_random_mutations_are_found_exactly(data: dict[str, Any], draws: Any) -> None:
    """Of each caller, callee and port: open or missing is found where the sidecar and the graph differ in a request."""
    graph = graph_of(data)
    documents = draws.draw(mutations(rendered(graph)))
    world, findings = audit(graph, documents)
    every = clients(graph, world)
    for callee, service in graph.services.items():
        for port in (*(port.target for port in service.ports), 7777):
            here = [finding for finding in findings if finding.callee == callee and port in finding.ports]
            found = {(finding.kind, caller) for finding in here for caller in finding.callers}
            # Strangers whose service account a policy might name: somebody, here, has another one.
            perhaps = {caller for finding in here if finding.conditional for caller in finding.callers}
            assert all(caller.startswith("stranger:") for caller in perhaps)
            sidecar, is_declared = Sidecar(documents, graph, callee, port), declared(graph, world, callee, port)
            requests = probes(graph) if sidecar.http else [Request()]
            expected = set()
            for client in every:
                admits = sidecar.admits(client)
                for request in requests:
                    admitted = admits(request)
                    if admitted != is_declared(client, request):
                        expected.add(("open" if admitted else "missing", client.id))
            known = {client.id for client in every} - perhaps
            assert {item for item in found if item[1] in known} == {item for item in expected if item[1] in known}
