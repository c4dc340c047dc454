# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes NetworkPolicies (networking.k8s.io/v1) from the service graph.

For each namespace that holds services, one file with

- ``default-deny``: nothing in, nothing out, for every pod of the namespace;
- ``allow-dns``: every pod may ask the cluster's DNS pods, over UDP and TCP;
- ``allow-istiod``: every pod's sidecar may reach the control plane, without which it never becomes ready;
- one policy for each service, named after it: who may reach it on which port, and what it may reach. Each flow stands
  in both ends' policies, as Kubernetes wants both to allow it.

Policies are judged at the pod, so ports are the workload's (``Port.target``): the caller's sidecar connects to the pod
directly. A pod is always meant by its namespace and its labels in one peer; an empty ``namespaceSelector`` would open
every namespace. Egress to the outside knows no host names: it goes to the declared ``cidrs``, or else to the public
internet without special ranges. Neither holds the cluster's own networks or a cloud's metadata service.

A gateway or a declared workload caller that lives in a namespace with services falls under its ``default-deny`` too,
so it gets a policy with its declared calls; a gateway may be reached from anywhere, as clients are what it is for.
Kubelet's probes come from the node and pass (Kubernetes, "Network Policies": traffic from the pod's node).

In ambient mode pods need no way to istiod, but waypoints do. ``allow-probes`` lets kubelet's probes in, whose address
is changed there, and the waypoint of a namespace has one, too. Who connects to whom: ``network_policy_ambient.py``.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import (
    Document,
    Rendered,
    apart,
    metadata,
    unique,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.network_policy_ambient import (
    edges,
    leaving,
    waypoints,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.fields import INTERNET, METADATA
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import TCP, UDP, FlowSet, Grant
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import ALL_PORTS, Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import (
    Caller,
    Egress,
    Gateway,
    Graph,
    Service,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import (
    DNS,
    ISTIOD,
    ISTIOD_PORT,
    PROBES,
    SPECIAL_RANGES,
    World,
)

POINT = "network_policy"

DNS_PORT = 53

NEVER_MEANT = (*METADATA, "fe80::/10")
"""Metadata services and IPv6's link-local addresses (RFC 4291): never part of "any address"."""

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""Set on every namespace by the API server, and nobody can change it (Kubernetes 1.21)."""

SHARED_NAMES = ("default-deny", "allow-dns", "allow-istiod")
"""The policies that every namespace gets."""

AMBIENT_NAMES = ("default-deny", "allow-dns", "allow-probes", "allow-waypoint")
"""In ambient mode, with that of the waypoint."""

End = Union[Service, Caller, Gateway]


def render(graph: Graph) -> Rendered:
    """One file for each namespace of the graph: ``network_policy/<namespace>.yml``."""
    ends = _ends(graph)
    callers: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    callees: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for edge in edges(graph):
        callers[edge.callee][edge.port].add(edge.caller)
        callees[edge.caller][edge.callee].add(edge.port)
    outside = dict(leaving(graph))
    gates = waypoints(graph)
    members: dict[str, list[End]] = {namespace: [] for namespace in graph.namespaces}
    for _name, end in sorted(ends.items()):
        if end.namespace in members:
            members[end.namespace].append(end)

    def policy(end: End) -> Document:
        ingress: list[dict[str, Any]] = [{}] if isinstance(end, Gateway) else []
        for port, names in sorted(callers[end.name].items()):
            peers = [peer for name in sorted(names) for peer in _peers(ends[name])]
            ingress.append({"from": peers, "ports": [_port(port)]})
        egress = _calls(ends, callees[end.name]) + _external(graph, outside.get(end.name, ()))
        name = _own_name(graph, end)
        if end.name in gates:
            name = "allow-waypoint"
            egress.append(_reach_istiod(graph))
        return _policy(graph, name, end.namespace, end.labels, ingress=ingress, egress=egress)

    return {
        f"network_policy/{namespace}.yml": [*_shared(graph, namespace), *(policy(end) for end in inside)]
        for namespace, inside in members.items()
    }


def around(graph: Graph, gateway: Gateway, ports: Iterable[int]) -> list[Document]:
    """The policies of a namespace that a gateway has for itself, of which no file of ``render`` is.

    Clients reach the gateway on these ports, it reaches what the graph says, and all else is denied.
    """
    callees: dict[str, set[int]] = defaultdict(set)
    for edge in edges(graph):
        if edge.caller == gateway.name:
            callees[edge.callee].add(edge.port)
    ingress = [{"ports": [_port(port) for port in ports]}]
    egress = _calls(_ends(graph), callees)
    own = _policy(graph, _own_name(graph, gateway), gateway.namespace, gateway.labels, ingress=ingress, egress=egress)
    return [*_shared(graph, gateway.namespace), own]


def _ends(graph: Graph) -> dict[str, End]:
    return {**graph.services, **graph.callers, **graph.gateways, **waypoints(graph)}


def _own_name(graph: Graph, end: End) -> str:
    return apart(end.name, AMBIENT_NAMES if graph.mesh.mode == "ambient" else SHARED_NAMES)


def _calls(ends: Mapping[str, End], callees: Mapping[str, Iterable[int]]) -> list[dict[str, Any]]:
    return [
        {"to": [_pods(ends[name])], "ports": [_port(port) for port in sorted(ports)]}
        for name, ports in sorted(callees.items())
    ]


def _shared(graph: Graph, namespace: str) -> list[Document]:
    dns = _peer(graph.cluster.dns.namespace, graph.cluster.dns.labels)
    # One entry a protocol: a second `protocol` in the same entry would replace the first.
    ask_dns = {"to": [dns], "ports": [_port(DNS_PORT, UDP), _port(DNS_PORT, TCP)]}
    deny, allow_dns, allow_istiod = SHARED_NAMES
    both = [
        _policy(graph, deny, namespace, {}, ingress=[], egress=[]),
        _policy(graph, allow_dns, namespace, {}, egress=[ask_dns]),
    ]
    if graph.mesh.mode == "ambient":
        probes = {"from": [{"ipBlock": {"cidr": PROBES}}], "ports": [{"protocol": TCP}]}
        return [*both, _policy(graph, "allow-probes", namespace, {}, ingress=[probes])]
    return [*both, _policy(graph, allow_istiod, namespace, {}, egress=[_reach_istiod(graph)])]


def _reach_istiod(graph: Graph) -> dict[str, Any]:
    return {"to": [_peer(graph.mesh.namespace, {"app": "istiod"})], "ports": [_port(ISTIOD_PORT)]}


def _policy(
    graph: Graph, name: str, namespace: str, labels: Mapping[str, str], **directions: list[dict[str, Any]]
) -> Document:
    """A policy that says all there is to say of the given directions. No labels: every pod of the namespace."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(graph, name, namespace),
        "spec": {
            "podSelector": {"matchLabels": dict(sorted(labels.items()))} if labels else {},
            "policyTypes": [direction.capitalize() for direction in directions],
            **{direction: rules for direction, rules in directions.items() if rules},
        },
    }


def _port(number: int, protocol: str = TCP) -> dict[str, Any]:
    return {"protocol": protocol, "port": number}


def _peer(namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: namespace}},
        "podSelector": {"matchLabels": dict(sorted(labels.items()))},
    }


def _pods(end: End) -> dict[str, Any]:
    return _peer(end.namespace, end.labels)


def _peers(end: End) -> list[dict[str, Any]]:
    if isinstance(end, Caller) and end.is_network:
        return [{"ipBlock": {"cidr": cidr}} for cidr in end.cidrs]
    return [_pods(end)]


def _external(graph: Graph, entries: Iterable[Egress]) -> list[dict[str, Any]]:
    """Rules for the outside; entries to the same networks become one rule."""
    ports: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for entry in entries:
        ports[entry.cidrs].append(entry.port)
    rules = []
    for cidrs, numbers in ports.items():
        blocks = []
        for cidr in cidrs or INTERNET:
            excepted = _excepted(cidr, not cidrs, graph.cluster.cidrs)
            blocks.append({"ipBlock": {"cidr": cidr, **({"except": list(excepted)} if excepted else {})}})
        rules.append({"to": blocks, "ports": [_port(number) for number in sorted(set(numbers))]})
    return rules


@lru_cache(maxsize=16)
def _excepted(cidr: str, public: bool, cluster: tuple[str, ...]) -> tuple[str, ...]:
    """What an egress to ``cidr`` does not mean: outside is never the cluster, and the internet no special range.

    Only networks inside of ``cidr`` (the API refuses others), and none that lies in another one of them.
    """
    if cidr not in INTERNET:
        return ()
    version = ipaddress.ip_network(cidr).version
    networks = [ipaddress.ip_network(item) for item in (*(SPECIAL_RANGES if public else NEVER_MEANT), *cluster)]
    own: list[Any] = [network for network in unique(networks) if network.version == version]
    return tuple(str(one) for one in own if not any(one != other and one.subnet_of(other) for other in own))


def expected(graph: Graph, world: World) -> FlowSet:
    """The declared flows by port (a NetworkPolicy sees no methods and paths), DNS and the way to istiod."""
    callers: dict[tuple[str, int], set[str]] = defaultdict(set)
    for edge in edges(graph):
        callers[edge.callee, edge.port].update(world.callers(edge.caller))
    everybody = world.owned
    controlled = everybody
    grants = [Grant(frozenset(ids), callee, Intervals.one(port)) for (callee, port), ids in callers.items()]
    grants += [Grant(everybody, DNS, Intervals.one(DNS_PORT), protocol=protocol) for protocol in (UDP, TCP)]
    if graph.mesh.mode == "ambient":
        controlled = world.owned - world.services
        grants += [Grant(world.addresses.within(PROBES), callee, ALL_PORTS) for callee in everybody]
    grants.append(Grant(controlled, ISTIOD, Intervals.one(ISTIOD_PORT)))
    outside: dict[tuple[tuple[str, ...], int], set[str]] = defaultdict(set)
    for name, entries in leaving(graph):
        for entry in entries:
            outside[entry.cidrs, entry.port].add(name)
    for (cidrs, port), names in outside.items():
        ids, ports = frozenset(names), Intervals.one(port)
        grants += [Grant(ids, callee, ports) for callee in _destinations(graph, world, cidrs)]
    return FlowSet.of(grants)


def _destinations(graph: Graph, world: World, cidrs: tuple[str, ...]) -> frozenset[str]:
    if not cidrs:
        return world.public_internet()
    found = frozenset[str]()
    for cidr in cidrs:
        own = [other for other in (*NEVER_MEANT, *graph.cluster.cidrs) if (":" in other) == (":" in cidr)]
        found |= world.addresses.within(cidr, own if cidr in INTERNET else ())
    return found
