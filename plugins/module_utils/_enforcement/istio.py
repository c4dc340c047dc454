# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service graph as Istio resources: ``security.istio.io/v1`` and ``networking.istio.io/v1``, Istio 1.24 and later.

One file a namespace, ``istio/<namespace>.yml``:

===================  ==================================================================================================
PeerAuthentication   STRICT for the mesh, and again for each namespace, which so stays safe when the mesh's changes;
                     PERMISSIVE for one port of a workload where a network without mutual TLS is a declared caller
AuthorizationPolicy  ``allow-nothing`` for each namespace, then one policy for each callee, which selects it and names
                     its callers. (A DENY with ``notNamespaces`` is no default deny; without a selector a policy opens
                     every workload of the namespace.)
Sidecar              for each workload its own destinations only, for others in the namespace none (REGISTRY_ONLY).
                     It is no security boundary: what it hides is refused by policy too
ServiceEntry         an external destination, seen in its callers' namespace only, and there by its callers only
DestinationRule      connection pool, load balancing, outlier detection and mutual TLS towards a service
Gateway              the ports of an ingress gateway, bound by routes of its own namespace only
VirtualService       the routes of one host at one gateway, longest path first, with the security headers
===================  ==================================================================================================

A policy judges the workload's port (``target``), a route or a ServiceEntry the Service's (``number``). Methods and
paths stand on http and grpc ports only: an ALLOW rule with them never matches elsewhere (Istio, "Authorization for TCP
traffic"). Istio's ``prefix`` is a prefix of the string: a route below ``/api`` is the exact path and the prefix
``/api/``.

Pure, and the same to the byte for the same graph, in whatever order the file declares it.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import (
    Document,
    Rendered,
    apart,
    metadata,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import FlowSet, Grant
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import (
    Egress,
    Expose,
    Gateway,
    Graph,
    Service,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import Requests
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World

POINT = "istio"

SECURITY = "security.istio.io/v1"
NETWORKING = "networking.istio.io/v1"

MESH_DEFAULT = "default"
ALLOW_NOTHING = "allow-nothing"

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-XSS-Protection": "1; mode=block",
}
"""What every answer through a gateway carries, whatever the service says; ``gateway.security_headers`` goes first."""

Strings = tuple[str, ...]


class Access(NamedTuple):
    """What callers may do at one port of a callee: the scope of one rule."""

    port: int
    methods: Strings
    paths: Strings


def accesses(graph: Graph) -> dict[str, dict[Access, list[str]]]:
    """The declared callers of each callee by what they may do, all sorted."""
    found: dict[str, dict[Access, set[str]]] = defaultdict(lambda: defaultdict(set))
    for flow in graph.flows:
        http = flow.port.is_http
        access = Access(
            flow.port.target,
            # The method of gRPC is always POST.
            tuple(sorted(flow.methods)) if flow.port.protocol == "http" else (),
            tuple(sorted(flow.paths)) if http else (),
        )
        found[flow.callee][access].add(flow.caller)
    return {
        callee: {access: sorted(callers) for access, callers in sorted(rules.items())}
        for callee, rules in found.items()
    }


def expected(graph: Graph, world: World) -> FlowSet:
    """The declared flows, with methods and paths on http ports; hosts and networks outside as they are declared."""
    grants = []
    for callee, rules in accesses(graph).items():
        for access, callers in rules.items():
            ids = frozenset().union(*(world.callers(caller) for caller in callers))
            requests = Requests(methods=access.methods, paths=access.paths)
            grants.append(Grant(ids, callee, Intervals.one(access.port), requests))
    hosts = Hosts(declared_hosts(graph))
    outside: dict[tuple[str, int], set[str]] = defaultdict(set)
    for service in graph.services.values():
        for egress in service.egress:
            for host in egress.hosts:
                for known in hosts.within(host):
                    outside[f"host:{known}", egress.port].add(service.name)
            if not egress.hosts:
                for cidr in egress.cidrs:
                    for address in world.addresses.within(cidr):
                        outside[address, egress.port].add(service.name)
    grants += [Grant(frozenset(names), callee, Intervals.one(port)) for (callee, port), names in outside.items()]
    return FlowSet.of(grants)


class Hosts:
    """Host names, exact or with a leading ``*``, and which lie within which (Istio's ``Name.SubsetOf``)."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self._cache: dict[str, tuple[str, ...]] = {}

    def within(self, pattern: str) -> tuple[str, ...]:
        if not pattern.startswith("*"):
            return (pattern,) if pattern in self.names else ()
        found = self._cache.get(pattern)
        if found is None:
            found = self._cache[pattern] = tuple(sorted(name for name in self.names if covers(pattern, name)))
        return found


def covers(pattern: str, name: str) -> bool:
    """Whether every host that ``name`` stands for is one that ``pattern`` stands for."""
    if not pattern.startswith("*"):
        return pattern == name
    return name.endswith(pattern[1:]) and (len(name) >= len(pattern) or not name.startswith("*"))


def declared_hosts(graph: Graph) -> frozenset[str]:
    return frozenset(host for service in graph.services.values() for egress in service.egress for host in egress.hosts)


def render(graph: Graph) -> Rendered:
    files: dict[str, list[Document]] = defaultdict(list)
    rules = accesses(graph)
    entries = _entries(graph)
    mesh = graph.mesh.namespace
    files[mesh].append(_peer_authentication(graph, MESH_DEFAULT, mesh, {"mtls": {"mode": "STRICT"}}))
    for namespace in graph.namespaces:
        files[namespace] += [
            _peer_authentication(graph, MESH_DEFAULT, namespace, {"mtls": {"mode": "STRICT"}}),
            made(graph, SECURITY, "AuthorizationPolicy", ALLOW_NOTHING, namespace, {}),
            made(graph, NETWORKING, "Sidecar", MESH_DEFAULT, namespace, _outbound([{"hosts": ["~/*"]}])),
        ]
    for name in sorted(graph.services):
        service = graph.services[name]
        files[service.namespace] += _service(graph, service, rules.get(name, {}), entries[service.namespace])
    for namespace in graph.namespaces:
        files[namespace] += _service_entries(graph, namespace, entries[namespace])
    for name in sorted(graph.gateways):
        if graph.gateways[name].kind == "istio":
            files[graph.gateways[name].namespace] += _gateway(graph, graph.gateways[name])
    return {f"istio/{namespace}.yml": files[namespace] for namespace in sorted(files) if files[namespace]}


def notes(graph: Graph) -> list[str]:
    """What mutual TLS refuses wherever it is enforced: documents do not tell who has a sidecar."""
    plain = [
        name
        for name, service in sorted(graph.services.items())
        if (service.traffic or graph.mesh.traffic).tls_mode == "DISABLE"
    ]
    if not plain:
        return []
    whom = ", ".join(plain[:10]) + (f" and {len(plain) - 10} more" if len(plain) > 10 else "")
    return [
        f"Calls to {whom} are sent in plain text (traffic.tls_mode: DISABLE). A service that has a sidecar refuses "
        "them, as mutual TLS is STRICT."
    ]


def made(graph: Graph, api: str, kind: str, name: str, namespace: str, spec: Mapping[str, Any]) -> Document:
    if len(name) > 253:
        # Two names that are equal in their beginning stay two.
        name = name[:244].rstrip(".-") + "-" + hashlib.sha256(name.encode()).hexdigest()[:8]
    return {"apiVersion": api, "kind": kind, "metadata": metadata(graph, name, namespace), "spec": dict(spec)}


def _service(graph: Graph, service: Service, rules: Mapping[Access, list[str]], entries: Entries) -> list[Document]:
    name, namespace = apart(service.name, (MESH_DEFAULT, ALLOW_NOTHING)), service.namespace
    selector = {"matchLabels": dict(sorted(service.labels.items()))}
    documents = []
    plain = {access.port for access, callers in rules.items() if any(_is_network(graph, name) for name in callers)}
    if plain:
        # A caller outside of the mesh has no certificate for mutual TLS. The port takes plain text too, and the policy
        # lets it in by its address; callers in the mesh still need their principal.
        levels = {str(port): {"mode": "PERMISSIVE"} for port in sorted(plain)}
        spec = {"selector": selector, "mtls": {"mode": "STRICT"}, "portLevelMtls": levels}
        documents.append(_peer_authentication(graph, name, namespace, spec))
    if rules:
        spec = {
            "selector": selector,
            "action": "ALLOW",
            "rules": [_rule(graph, access, callers) for access, callers in rules.items()],
        }
        documents.append(made(graph, SECURITY, "AuthorizationPolicy", name, namespace, spec))
    documents.append(_destination_rule(graph, service))
    spec = {"workloadSelector": {"labels": selector["matchLabels"]}, **_outbound(_listeners(graph, service, entries))}
    documents.append(made(graph, NETWORKING, "Sidecar", name, namespace, spec))
    return documents


def _is_network(graph: Graph, name: str) -> bool:
    return name in graph.callers and graph.callers[name].is_network


def _peer_authentication(graph: Graph, name: str, namespace: str, spec: Mapping[str, Any]) -> Document:
    return made(graph, SECURITY, "PeerAuthentication", name, namespace, spec)


def _rule(graph: Graph, access: Access, callers: Iterable[str]) -> dict[str, Any]:
    principals: list[str] = []
    blocks: list[str] = []
    for name in callers:
        if _is_network(graph, name):
            blocks += graph.callers[name].cidrs
        else:
            caller: Any = graph.services.get(name) or graph.callers.get(name) or graph.gateways[name]
            principals.append(graph.principal(caller))
    sources = []
    if principals:
        sources.append({"source": {"principals": sorted(principals)}})
    if blocks:
        sources.append({"source": {"ipBlocks": sorted(blocks)}})
    operation: dict[str, Any] = {"ports": [str(access.port)]}
    if access.methods:
        operation["methods"] = list(access.methods)
    if access.paths:
        operation["paths"] = list(access.paths)
    return {"from": sources, "to": [{"operation": operation}]}


def _destination_rule(graph: Graph, service: Service) -> Document:
    traffic = service.traffic or graph.mesh.traffic
    policy = {
        "connectionPool": {
            "tcp": {"maxConnections": traffic.max_connections},
            "http": {"http1MaxPendingRequests": traffic.max_pending_requests},
        },
        "loadBalancer": {"simple": traffic.load_balancer},
        "outlierDetection": {
            "consecutive5xxErrors": traffic.consecutive_errors,
            "interval": traffic.interval,
            "baseEjectionTime": traffic.ejection_time,
        },
        "tls": {"mode": traffic.tls_mode},
    }
    spec = {"host": graph.fqdn(service), "trafficPolicy": policy}
    return made(graph, NETWORKING, "DestinationRule", service.name, service.namespace, spec)


# Egress: ServiceEntries, and the Sidecars through which they are seen.


class Entry(NamedTuple):
    """An external destination: a host name or pattern, or a network in CIDR notation, and a port."""

    port: int
    destination: str

    @property
    def is_network(self) -> bool:
        return "/" in self.destination

    @property
    def host(self) -> str:
        """The ServiceEntry's host. That of a network is only a handle for the Sidecar, in a domain that never resolves
        (RFC 6761 section 6.4)."""
        if not self.is_network:
            return self.destination
        network = ipaddress.ip_network(self.destination)
        address = network.network_address.exploded.replace(".", "-").replace(":", "-")
        return f"{address}-{network.prefixlen}-{self.port}.network.invalid"


PROTOCOLS = {"tls": "TLS", "http": "HTTP", "grpc": "GRPC", "tcp": "TCP"}


def _destinations(egress: Egress) -> Iterable[Entry]:
    """Where hosts are named, the networks are for points that know no names."""
    return [Entry(egress.port, destination) for destination in egress.hosts or egress.cidrs]


class Entries:
    """The external destinations of a namespace: the ports of each host, with their protocols, and networks."""

    def __init__(self) -> None:
        self.hosts: dict[str, dict[int, str]] = defaultdict(dict)
        self.networks: set[Entry] = set()


def _entries(graph: Graph) -> Mapping[str, Entries]:
    found: dict[str, Entries] = defaultdict(Entries)
    for _name, service in sorted(graph.services.items()):
        for egress in service.egress:
            for entry in _destinations(egress):
                if entry.is_network:
                    found[service.namespace].networks.add(entry)
                else:
                    protocol = PROTOCOLS[egress.protocol]
                    found[service.namespace].hosts[entry.destination].setdefault(entry.port, protocol)
    return found


def _service_entries(graph: Graph, namespace: str, entries: Entries) -> list[Document]:
    documents = []
    # One entry a host: of two with the same host and namespace Istio takes the older one only.
    for host, protocols in sorted(entries.hosts.items()):
        pattern = host.startswith("*.")
        spec = _external({"hosts": [host]}, protocols, "NONE" if pattern else "DNS")
        name = f"{host[2:]}-subdomains" if pattern else host
        documents.append(made(graph, NETWORKING, "ServiceEntry", name, namespace, spec))
    for entry in sorted(entries.networks):
        # Only TCP goes by addresses; any other protocol would also be told apart by a name, and there is none.
        spec = _external({"hosts": [entry.host], "addresses": [entry.destination]}, {entry.port: "TCP"}, "NONE")
        documents.append(made(graph, NETWORKING, "ServiceEntry", entry.host, namespace, spec))
    return documents


def _external(where: Mapping[str, Any], protocols: Mapping[int, str], resolution: str) -> dict[str, Any]:
    return {
        **where,
        "exportTo": ["."],
        "location": "MESH_EXTERNAL",
        "ports": [_port(port, protocol) for port, protocol in sorted(protocols.items())],
        # NONE: a pattern or a network has no one address to resolve to, and the connection goes where it was meant to.
        "resolution": resolution,
    }


def _port(number: int, protocol: str) -> dict[str, Any]:
    return {"number": number, "name": f"{protocol.lower()}-{number}", "protocol": protocol}


def _outbound(listeners: list[dict[str, Any]]) -> dict[str, Any]:
    return {"egress": listeners, "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}


def _listeners(graph: Graph, service: Service, entries: Entries) -> list[dict[str, Any]]:
    """The Sidecar's egress listeners: one for all destinations, as a rule.

    A Sidecar imports hosts, not ports. Where another workload of the namespace has declared the same host with another
    port, only a listener for the port keeps that port out of this workload's sight.
    """
    by_port: dict[int, list[str]] = defaultdict(list)
    for call in service.calls:
        callee = graph.services[call.to]
        by_port[graph.port_of(callee, call.port).number].append(f"{callee.namespace}/{graph.fqdn(callee)}")
    own = {entry for egress in service.egress for entry in _destinations(egress)}
    for entry in own:
        by_port[entry.port].append(f"{service.namespace}/{entry.host}")
    if not by_port:
        return [{"hosts": ["~/*"]}]
    shared = {entry for entry in own if not entry.is_network and _shows_more(entry.host, own, entries)}
    listeners: list[dict[str, Any]] = []
    for port in sorted({entry.port for entry in shared}):
        protocol = min(entries.hosts[entry.host][port] for entry in shared if entry.port == port)
        listeners.append({"port": _port(port, protocol), "hosts": sorted(set(by_port[port]))})
    hidden = {f"{service.namespace}/{entry.host}" for entry in shared}
    rest = sorted({host for hosts in by_port.values() for host in hosts} - hidden)
    return [*listeners, {"hosts": rest}] if rest else listeners


def _shows_more(host: str, own: Iterable[Entry], entries: Entries) -> bool:
    """Whether a host brings along ports in the namespace that this workload has not declared."""
    shown = [other for other in entries.hosts if covers(host, other)] if host.startswith("*") else [host]
    return any(
        not any(mine.port == port and covers(mine.destination, other) for mine in own)
        for other in shown
        for port in entries.hosts[other]
    )


# Ingress: Gateways and VirtualServices.


def _gateway(graph: Graph, gateway: Gateway) -> list[Document]:
    routes = [
        (service, expose)
        for _name, service in sorted(graph.services.items())
        for expose in service.exposes
        if expose.gateway == gateway.name
    ]
    if not routes:
        return []
    hosts = sorted({expose.host or "*" for _service, expose in routes})
    return [
        made(graph, NETWORKING, "Gateway", gateway.name, gateway.namespace, _servers(gateway, hosts)),
        *(_virtual_service(graph, gateway, host, routes) for host in hosts),
    ]


def _servers(gateway: Gateway, hosts: Iterable[str]) -> dict[str, Any]:
    # "./": only routes of the gateway's own namespace may claim its hosts.
    bound = [f"./{host}" for host in hosts]
    tls = {"mode": "SIMPLE", "credentialName": gateway.tls_secret, "minProtocolVersion": "TLSV1_2"}
    servers: list[dict[str, Any]] = [
        {"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": bound, "tls": tls}
    ]
    if gateway.http != "off":
        server: dict[str, Any] = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": list(bound)}
        if gateway.http == "redirect":
            server["tls"] = {"httpsRedirect": True}
        servers.append(server)
    return {"selector": dict(sorted(gateway.labels.items())), "servers": servers}


def _virtual_service(graph: Graph, gateway: Gateway, host: str, routes: Iterable[tuple[Service, Expose]]) -> Document:
    """The routes of a host, those for any host among them: of several VirtualServices only the closest counts."""
    claims = [claim for claim in routes if (claim[1].host or "*") in (host, "*")]
    claims.sort(key=lambda claim: (-len(claim[1].path.rstrip("/")), claim[1].path, not claim[1].host))
    spec = {
        "exportTo": ["."],
        "hosts": [host],
        "gateways": [gateway.name],
        "http": [_route(graph, gateway, service, expose) for service, expose in claims],
    }
    name = f"{gateway.name}.{'any' if host == '*' else host}"
    return made(graph, NETWORKING, "VirtualService", name, gateway.namespace, spec)


def _route(graph: Graph, gateway: Gateway, service: Service, expose: Expose) -> dict[str, Any]:
    path = expose.path.rstrip("/")
    uris = [{"exact": path}, {"prefix": f"{path}/"}] if path else [{"prefix": "/"}]
    methods = sorted(expose.methods)
    condition = (
        {"method": {"exact": methods[0]} if len(methods) == 1 else {"regex": "|".join(methods)}} if methods else {}
    )
    destination = {"host": graph.fqdn(service), "port": {"number": graph.port_of(service, expose.port).number}}
    return {
        "name": expose.name or service.name,
        "match": [{"uri": uri, **condition} for uri in uris],
        "route": [{"destination": destination}],
        "headers": {"response": {"set": _headers(gateway)}},
    }


def _headers(gateway: Gateway) -> dict[str, str]:
    """The defaults with the gateway's own in their place. Names are alike in any case (RFC 9110 section 5.1)."""
    headers = {name.lower(): (name, value) for name, value in SECURITY_HEADERS.items()}
    headers.update({name.lower(): (name, value) for name, value in gateway.security_headers.items()})
    return {name: value for _key, (name, value) in sorted(headers.items())}
