# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who can be at either end of a flow: the graph's own workloads, and representatives of everybody else.

To say what a policy really opens, it is asked about everybody who could call, not only about those who are declared.
The others are represented by a few ids, one for each way in which policies can tell them apart:

==================  =====================================================================================
``frontend``        a service, caller or gateway of the graph (the names are one name space)
``stranger:NS``     any other workload in namespace NS, with a mesh identity of its own and no labels
``stranger:*``      the same in a namespace that nobody mentions
``ip:CIDR``         the addresses of a network, without those of the smaller networks that are mentioned; as a caller
                    somebody without a mesh identity
``host:NAME``       an external host by name; ``host:*`` any host that is not mentioned
``platform:dns``    the cluster's DNS; ``platform:istiod`` the mesh's control plane
``waypoint:NS``     the waypoint of a namespace, in Istio's ambient mode
``pods:SEL in NS``  pods that nobody declared and a policy selects by their labels
``group:ID``        members of a security group that nobody declared; ``prefix-list:ID`` the networks of AWS's list
``client:anyone``   a gateway's client who shows no credentials; ``client:consumer`` one who shows a consumer's
``upstream:HOST``   as a callee behind a gateway: a host that is no service of the graph
``spire:admin``     as a callee: the management API of SPIRE's server; ``spire:downstream`` a CA certificate of its own
``spiffe://…``      as a callee: an identity that belongs to no service of the graph
==================  =====================================================================================
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.fields import INTERNET, METADATA
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import (
    WAYPOINT,
    Caller,
    Gateway,
    Graph,
    Service,
)

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

ANYWHERE = "*"
"""The name of the namespace that nobody mentions."""

DNS = "platform:dns"
ISTIOD = "platform:istiod"
ISTIOD_PORT = 15012
"""Where sidecars get their configuration and certificates (Istio, "Ports used by Istio")."""

HBONE_PORT = 15008
"""Where ztunnel and waypoints take what is sent inside of the mesh in ambient mode."""

PROBES = "169.254.7.127/32"
"""Where kubelet's probes come from in ambient mode (Istio, "Ambient and Kubernetes NetworkPolicy")."""

WAYPOINT_LABELS = {"gateway.networking.k8s.io/gateway-name": WAYPOINT}
"""What istiod puts on a waypoint's pods."""

CLIENT = "client:anyone"
CONSUMER = "client:consumer"

SPIRE_ADMIN = "spire:admin"
SPIRE_DOWNSTREAM = "spire:downstream"

SPECIAL_RANGES = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "64:ff9b:1::/48",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
)
"""What is never the public internet: private, shared, loopback, link-local (cloud metadata), benchmark, multicast and
reserved networks (RFC 6890 and its registries)."""


class AddressSpace:
    """Networks as sets of ids, so that containment and exceptions are set operations.

    Networks in CIDR notation are nested or disjoint. So every address is told apart from others only by the smallest
    mentioned network that holds it, and that network's name can stand for all such addresses. A network that smaller
    ones cover wholly has none left and no id.
    """

    def __init__(self, cidrs: Iterable[str]) -> None:
        self._sorted: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        self._ids: dict[int, list[Optional[str]]] = {4: [], 6: []}
        self._cache: dict[str, frozenset[str]] = {}
        networks = {ipaddress.ip_network(cidr, strict=False) for cidr in (*INTERNET, *cidrs)}
        for version in (4, 6):
            own = sorted((n for n in networks if n.version == version), key=_order)
            self._sorted[version] = [_order(network) for network in own]
            self._ids[version] = [None if gone else f"ip:{network}" for network, gone in zip(own, _covered(own))]

    def within(self, cidr: str, excepted: Iterable[str] = ()) -> frozenset[str]:
        """The ids of the addresses in ``cidr`` and in none of ``excepted``. KeyError for one that was not mentioned."""
        found = self._cache.get(cidr)
        if found is None:
            network = ipaddress.ip_network(cidr, strict=False)
            order = self._sorted[network.version]
            first = bisect_left(order, _order(network))
            if order[first : first + 1] != [_order(network)]:
                raise KeyError(cidr)
            last = bisect_left(order, (int(network.broadcast_address) + 1, 0))
            ids = self._ids[network.version][first:last]
            found = self._cache[cidr] = frozenset(item for item in ids if item is not None)
        for other in excepted:
            found = found - self.within(other)
        return found

    @property
    def everywhere(self) -> frozenset[str]:
        return self.within("0.0.0.0/0") | self.within("::/0")


def _covered(networks: Sequence[Network]) -> list[bool]:
    """For each of the sorted networks whether the others inside it hold all of its addresses."""
    free = [network.num_addresses for network in networks]
    around: list[int] = []
    for index, network in enumerate(networks):
        while around and networks[around[-1]].broadcast_address < network.network_address:  # type: ignore[operator]
            around.pop()
        if around:
            free[around[-1]] -= network.num_addresses
        around.append(index)
    return [left == 0 for left in free]


def _order(network: Network) -> tuple[int, int]:
    return int(network.network_address), network.prefixlen


@dataclass(frozen=True)
class Workload:
    """Somebody who can call or be called, as policies see it."""

    id: str
    namespace: str
    labels: Mapping[str, str]
    principal: str
    """``trust-domain/ns/…/sa/…``."""


class World:
    """All ids, with what policies can select them by.

    ``cidrs`` and ``namespaces`` (name to labels, as far as known) are those that the judged documents mention.
    """

    def __init__(
        self, graph: Graph, cidrs: Iterable[str] = (), namespaces: Optional[Mapping[str, Mapping[str, str]]] = None
    ) -> None:
        namespaces = namespaces or {}
        self.graph = graph
        self.services: frozenset[str] = frozenset(graph.services)
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self.workloads: dict[str, Workload] = {}
        declared: list[Union[Service, Caller, Gateway]] = [
            *graph.services.values(),
            *(caller for caller in graph.callers.values() if not caller.is_network),
            *graph.gateways.values(),
        ]
        for end in declared:
            self._add(Workload(end.name, end.namespace, end.labels, graph.principal(end)))
        dns = graph.cluster.dns
        self._add(Workload(DNS, dns.namespace, dns.labels, f"{graph.trust_domain}/ns/{dns.namespace}/sa/coredns"))
        mesh = graph.mesh.namespace
        self._add(Workload(ISTIOD, mesh, {"app": "istiod"}, f"{graph.trust_domain}/ns/{mesh}/sa/istiod"))
        for name in sorted(graph.waypoints):
            self._add(Workload(waypoint(name), name, WAYPOINT_LABELS, graph.waypoint(name)))
        for name in sorted({*(w.namespace for w in self.workloads.values()), *namespaces, ANYWHERE}):
            self.namespaces[name] = {"kubernetes.io/metadata.name": name, **namespaces.get(name, {})}
            self._add(Workload(stranger(name), name, {}, f"{graph.trust_domain}/ns/{name}/sa/{ANYWHERE}"))
        self.addresses = AddressSpace(
            [
                *cidrs,
                *SPECIAL_RANGES,
                *METADATA,
                *((PROBES,) if graph.mesh.mode == "ambient" else ()),
                *graph.cluster.cidrs,
                *(cidr for caller in graph.callers.values() for cidr in caller.cidrs),
                *(cidr for service in graph.services.values() for egress in service.egress for cidr in egress.cidrs),
            ]
        )
        self.owned: frozenset[str] = self.services.union(map(waypoint, graph.waypoints))
        """Whose flows are judged, whoever is at the other end."""
        self.everyone: frozenset[str] = frozenset(self.workloads)
        """Every workload, strangers among them, without addresses and hosts."""

    def _add(self, workload: Workload) -> None:
        self.workloads[workload.id] = workload

    def callers(self, name: str) -> frozenset[str]:
        """The ids of a declared caller: its own, or its networks' addresses."""
        caller = self.graph.callers.get(name)
        if caller is None or not caller.is_network:
            return frozenset((name,))
        return frozenset().union(*(self.addresses.within(cidr) for cidr in caller.cidrs))

    def public_internet(self) -> frozenset[str]:
        """The addresses meant by an egress to hosts: the internet without special ranges and without the cluster."""
        cluster = (*SPECIAL_RANGES, *self.graph.cluster.cidrs)
        v4, v6 = ([cidr for cidr in cluster if (":" in cidr) == six] for six in (False, True))
        return self.addresses.within("0.0.0.0/0", v4) | self.addresses.within("::/0", v6)


def stranger(namespace: str) -> str:
    return f"stranger:{namespace}"


def waypoint(namespace: str) -> str:
    return f"waypoint:{namespace}"


def describe(ids: Iterable[str], graph: Graph) -> tuple[str, ...]:
    """The ids as a reader should see them, sorted."""
    networks = {f"ip:{cidr}": caller.name for caller in graph.callers.values() for cidr in caller.cidrs}
    return tuple(sorted(_describe(item, networks) for item in ids))


_FIXED = {
    stranger(ANYWHERE): "any workload of another namespace",
    "ip:0.0.0.0/0": "the internet (0.0.0.0/0)",
    "ip:::/0": "the internet (::/0)",
    "host:*": "any other host",
    DNS: "the cluster's DNS",
    ISTIOD: "the mesh's control plane",
    CLIENT: "anyone without credentials",
    CONSUMER: "anyone with a consumer's credentials",
    SPIRE_ADMIN: "SPIRE's management API",
    SPIRE_DOWNSTREAM: "a downstream CA of SPIRE",
}

_KINDS = {
    "stranger": "any other workload of namespace ",
    "waypoint": "the waypoint of namespace ",
    "pods": "pods ",
    "group": "security group ",
    "prefix-list": "prefix list ",
    "ip": "",
    "host": "",
    "upstream": "",
}


def _describe(item: str, networks: Mapping[str, str]) -> str:
    kind, rest = item.split(":", 1) if ":" in item else ("", item)
    if item in networks:
        return f"{networks[item]} ({rest})"
    if item in _FIXED:
        return _FIXED[item]
    return _KINDS[kind] + rest if kind in _KINDS else item
