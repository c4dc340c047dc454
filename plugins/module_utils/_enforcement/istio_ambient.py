# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service graph as Istio resources in ambient mode (``mesh.mode: ambient``): those of ``istio.py``, changed.

There is no sidecar. ztunnel, on the callee's node, judges connections: principals, addresses, ports. What needs
methods, paths or host names is judged by the namespace's waypoint, an Envoy that istiod makes of a Gateway. ::

    caller ─▶ ztunnel ─┬───────────────────────▶ ztunnel ─▶ callee     by the pod's address: the selector's policy
                       └▶ waypoint (targetRefs) ─▶ ztunnel ─▶ callee   by the Service: both policies

- Namespaces carry the labels of :func:`namespace_labels`, which the role writes: no Service is touched, and none is
  forgotten. A callee whose callers need no HTTP fields may be reached both ways, so a headless Service works, and one
  that is taken out (``istio.io/use-waypoint: none``) too.
- A selector's policy holds no HTTP field: ztunnel leaves out an ALLOW rule with any (Istio, "Use Layer 4 security
  policy"). Callers whose rule has some are not in it. The waypoint is, by its own principal: so nobody gets around it.
- The waypoint's policies are attached to Services and ServiceEntries (``targetRefs``), and one that allows nothing to
  the waypoint itself. They name the Service's ports, as the waypoint is connected to as if it were the Service.
- A network without mutual TLS meets no waypoint. It is let in by its address and the port; its methods and paths are
  not enforced, which is said as a note.
- There is no REGISTRY_ONLY: ztunnel lets through what it does not know. A declared host goes through the waypoint
  ("Egress gateways"), where its callers only are let out; who goes by an address, and patterns and networks, only a
  NetworkPolicy can hold.
- DestinationRules hold at waypoints and gateways. They say nothing of TLS: ztunnel and HBONE are mutual TLS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import istio
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import (
    Document,
    Rendered,
    apart,
    metadata,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import FlowSet, Grant
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import (
    WAYPOINT,
    Graph,
    Service,
    exact_hosts,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import ANY_REQUEST, Requests
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import HBONE_PORT, World, waypoint

Outside = dict[tuple[str, str], dict[int, set[str]]]
"""By namespace and host, by port: names of services."""

GATEWAY_GROUP = "gateway.networking.k8s.io"
WAYPOINT_CLASS = "istio-waypoint"
MODE, USE_WAYPOINT, INGRESS_USE_WAYPOINT = (
    f"istio.io/{name}" for name in ("dataplane-mode", "use-waypoint", "ingress-use-waypoint")
)


def namespace_labels(graph: Graph, namespace: str) -> dict[str, str]:
    """What enrols a namespace: its pods, and its Services and ServiceEntries at the waypoint if it has one."""
    found = {MODE: "ambient"}
    return {**found, USE_WAYPOINT: WAYPOINT, INGRESS_USE_WAYPOINT: "true"} if namespace in graph.waypoints else found


def render(graph: Graph) -> Rendered:
    policies = {
        (service.namespace, apart(name, (istio.MESH_DEFAULT, istio.ALLOW_NOTHING))): service
        for name, service in graph.services.items()
    }
    outside = leaving(graph)
    found = {
        path: [new for document in documents for new in _changed(graph, document, policies, outside)]
        for path, documents in istio.render(graph).items()
    }
    for namespace in sorted(graph.waypoints):
        found[f"istio/{namespace}.yml"] += _waypoint(graph, namespace)
    return found


def _changed(
    graph: Graph, document: Document, policies: Mapping[tuple[str, str], Service], outside: Outside
) -> Iterable[Document]:
    kind, meta, spec = document["kind"], document["metadata"], document["spec"]
    if kind == "Sidecar":
        return
    if kind == "DestinationRule":
        traffic = {key: value for key, value in spec["trafficPolicy"].items() if key != "tls"}
        yield {**document, "spec": {**spec, "trafficPolicy": traffic}}
    elif kind == "ServiceEntry":
        yield from _service_entry(graph, document, outside)
    elif kind == "AuthorizationPolicy" and spec:
        service = policies[meta["namespace"], meta["name"]]
        rules = [rule for rule in map(_connections, spec["rules"]) if rule]
        through = [rule for rule in (_requests(rule, service) for rule in spec["rules"]) if rule]
        if service.namespace in graph.waypoints and through:
            ports = {
                port for rule in spec["rules"] if _principals(rule) for port in rule["to"][0]["operation"]["ports"]
            }
            rules.append(_rule([_callers([graph.waypoint(service.namespace)])], sorted(ports, key=int)))
            name = f"{service.name}.{WAYPOINT}"
            yield _policy(graph, name, service.namespace, ("", "Service", service.name), through)
        yield {**document, "spec": {**spec, "rules": _once(rules)}}
    else:
        yield document


def _once(rules: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the HTTP fields two rules may say the same."""
    found: list[dict[str, Any]] = []
    for rule in rules:
        if rule not in found:
            found.append(rule)
    return found


def _rule(sources: list[Any], ports: list[str], **fields: Any) -> dict[str, Any]:
    return {"from": sources, "to": [{"operation": {"ports": ports, **fields}}]}


def _callers(principals: list[str]) -> dict[str, Any]:
    return {"source": {"principals": principals}}


def _principals(rule: Mapping[str, Any]) -> list[Any]:
    return [one for one in rule["from"] if "principals" in one["source"]]


def _connections(rule: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """What ztunnel can enforce of a rule: of those with HTTP fields only networks, which meet no waypoint."""
    operation = rule["to"][0]["operation"]
    sources = [one for one in rule["from"] if set(operation) == {"ports"} or "ipBlocks" in one["source"]]
    return _rule(sources, operation["ports"]) if sources else None


def _requests(rule: Mapping[str, Any], service: Service) -> Optional[dict[str, Any]]:
    """A rule as the waypoint enforces it: of callers with an identity, at the Service's ports."""
    operation = dict(rule["to"][0]["operation"])
    targets = operation.pop("ports")
    numbers = [str(port.number) for port in service.ports if str(port.target) in targets]
    return _rule(_principals(rule), numbers, **operation) if _principals(rule) else None


def _service_entry(graph: Graph, document: Document, outside: Outside) -> Iterable[Document]:
    """An entry for one host, and who may go there. What else is declared ztunnel cannot tell apart."""
    namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
    ports = outside.get((namespace, document["spec"]["hosts"][0]))
    if ports:
        rules = [
            _rule([_callers(sorted(graph.principal(graph.services[one]) for one in names))], [str(port)])
            for port, names in sorted(ports.items())
        ]
        yield document
        target = ("networking.istio.io", "ServiceEntry", name)
        yield _policy(graph, f"{name}.{WAYPOINT}-egress", namespace, target, rules)


def leaving(graph: Graph) -> Outside:
    """The hosts of one name, as each namespace declares them: by port the services that may go there.

    One whose pattern holds such a host may go there too, and by the host's entry it does.
    """
    found: Outside = {}
    for service in graph.services.values():
        for egress in service.egress:
            for host in exact_hosts(egress):
                found.setdefault((service.namespace, host), {}).setdefault(egress.port, set()).add(service.name)
    for service in graph.services.values():
        for egress in service.egress:
            for (namespace, host), ports in found.items():
                if namespace == service.namespace and any(istio.covers(one, host) for one in egress.hosts):
                    ports.get(egress.port, set()).add(service.name)
    return found


def _policy(
    graph: Graph, name: str, namespace: str, target: tuple[str, str, str], rules: list[dict[str, Any]]
) -> Document:
    group, kind, of = target
    spec: dict[str, Any] = {"targetRefs": [{"group": group, "kind": kind, "name": of}], "action": "ALLOW"}
    if rules:
        spec["rules"] = rules
    return istio.made(graph, istio.SECURITY, "AuthorizationPolicy", name, namespace, spec)


def _waypoint(graph: Graph, namespace: str) -> list[Document]:
    meta = metadata(graph, WAYPOINT, namespace)
    listener = {"name": "mesh", "port": HBONE_PORT, "protocol": "HBONE"}
    target = (GATEWAY_GROUP, "Gateway", WAYPOINT)
    return [
        {
            "apiVersion": f"{GATEWAY_GROUP}/v1",
            "kind": "Gateway",
            "metadata": {**meta, "labels": {**meta["labels"], "istio.io/waypoint-for": "service"}},
            "spec": {"gatewayClassName": WAYPOINT_CLASS, "listeners": [listener]},
        },
        _policy(graph, f"{istio.ALLOW_NOTHING}.{WAYPOINT}", namespace, target, []),
    ]


def expected(graph: Graph, world: World) -> FlowSet:
    """The declared flows; waypoints before what they lead to; outside, the hosts that have one name each."""
    grants = []
    for callee, rules in istio.accesses(graph).items():
        service = graph.services[callee]
        for access, callers in rules.items():
            port = Intervals.one(access.port)
            plain = frozenset().union(*(world.callers(name) for name in callers if _is_network(graph, name)))
            known = frozenset(name for name in callers if not _is_network(graph, name))
            grants.append(Grant(known, callee, port, Requests(methods=access.methods, paths=access.paths)))
            grants.append(Grant(plain, callee, port, ANY_REQUEST))
            if known and service.namespace in graph.waypoints:
                grants.append(Grant(frozenset({waypoint(service.namespace)}), callee, port, ANY_REQUEST))
    for (_namespace, host), ports in leaving(graph).items():
        grants += [Grant(frozenset(names), f"host:{host}", Intervals.one(number)) for number, names in ports.items()]
    return FlowSet.of(grants)


def _is_network(graph: Graph, name: str) -> bool:
    return name in graph.callers and graph.callers[name].is_network


def notes(graph: Graph) -> list[str]:
    """What ambient mode does not enforce of this graph."""
    found = []
    wide = {
        (flow.caller, flow.callee)
        for flow in graph.flows
        if (flow.methods or flow.paths) and _is_network(graph, flow.caller)
    }
    found += [
        f"In ambient mode no waypoint sees what {caller} sends to {callee}, as it has no identity in the mesh: its "
        "methods and paths are not enforced."
        for caller, callee in sorted(wide)
    ]
    if any(service.egress for service in graph.services.values()):
        found.append(
            "In ambient mode workloads may go to any address outside as far as Istio is concerned; callers of declared "
            "hosts are told apart when they go by the name. Enforce NetworkPolicies too."
        )
    return found
