# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the whole graph can tell: references, identities, routes, networks.

Each check is a pure function that reports problems with their paths. A check says nothing about what an earlier mistake
has spoiled, so that one mistake gives one message.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Optional, Protocol, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.fields import INTERNET, METADATA
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import (
    KONG_ONLY,
    Call,
    Caller,
    Egress,
    Expose,
    Gateway,
    Graph,
    Port,
    Service,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import Path, dotted, listed

SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")

METADATA_NETWORKS = tuple(ipaddress.ip_network(cidr) for cidr in METADATA)

WIDE = {4: 8, 6: 16}
"""By IP version: a network with a shorter prefix than this is no network of anybody's, but a share of the internet."""

# A port is served as what its name says, whatever its declaration (Istio, "Protocol selection").
NAME_PROTOCOLS = {
    "http": ("http",), "http2": ("http", "grpc"), "grpc": ("grpc",), "https": ("tls",), "tls": ("tls",),
    "grpc-web": ("http", "grpc"), "tcp": ("tcp",), "mongo": ("tcp",), "mysql": ("tcp",), "redis": ("tcp",),
}  # fmt: skip


Workload = Union[Service, Caller, Gateway]


class Report(Protocol):
    """Where problems go, and whether one has been reported at or below a path."""

    def add(self, path: Path, code: str, message: str) -> None:
        """Take a problem."""

    def spoiled(self, *path: Union[str, int]) -> bool:
        """Whether something at or below the path is known to be wrong."""

    def suggestion(self, word: str, known: Collection[str]) -> str:
        """What may have been meant, for the end of a message."""

    def original(self, path: Path) -> Path:
        """A path of the graph as it is in the file, where lists may have more items."""


def check(graph: Graph, report: Report) -> None:
    for one in (
        _names, _namespaces, _identities, _selectors, _tiers, _ports, _calls, _callers, _metrics, _egress, _gateways,
        _exposes, _routes, _networks,
    ):  # fmt: skip
        one(graph, report)


def _any_spoiled(report: Report, path: Path, *keys: str) -> bool:
    return any(report.spoiled(*path, key) for key in keys)


def _names(graph: Graph, report: Report) -> None:
    for name in graph.callers:
        if name in graph.services:
            report.add(("callers", name), "duplicate_name", f"{name!r} is the name of a service already")
    for name in graph.gateways:
        for section, names in (("service", graph.services), ("caller", graph.callers)):
            if name in names:
                report.add(("gateways", name), "duplicate_name", f"{name!r} is the name of a {section} already")


def _namespaces(graph: Graph, report: Report) -> None:
    system = (*SYSTEM_NAMESPACES, graph.mesh.namespace)
    if graph.namespace in system:
        report.add(
            ("namespace",),
            "system_namespace",
            f"{graph.namespace!r} belongs to the system; services need one of their own",
        )
    for name, service in graph.services.items():
        if service.namespace in system and service.namespace != graph.namespace:
            path = ("services", name, "namespace")
            report.add(
                path, "system_namespace", f"{service.namespace!r} belongs to the system; services need one of their own"
            )


def _identities(graph: Graph, report: Report) -> None:
    """Two workloads with one service account are one identity: what one may, the other may (T14)."""
    ambient = graph.namespaces if graph.mesh.mode == "ambient" else ()
    owners = {graph.waypoint(namespace): "the waypoint" for namespace in ambient}
    for section, workload in _workloads(graph, report, ("namespace", "service_account", "trust_domain")):
        place = f"{section}.{workload.name}"
        owner = owners.setdefault(graph.principal(workload), place)
        if owner != place:
            account = f"{workload.service_account!r} in namespace {workload.namespace!r}"
            message = f"{account} is {owner}'s identity already; give each its own"
            report.add((section, workload.name, "service_account"), "shared_identity", message)


def _workloads(graph: Graph, report: Report, keys: Iterable[str]) -> Iterator[tuple[str, Workload]]:
    """The workloads that have an identity and pods, without those in which one of the keys could not be read."""
    for section, workloads in (("services", graph.services), ("callers", graph.callers), ("gateways", graph.gateways)):
        for name, workload in workloads.items():
            no_workload = isinstance(workload, Caller) and (workload.is_network or not workload.namespace)
            if not no_workload and not _any_spoiled(report, (section, name), *keys):
                yield section, workload


def _selectors(graph: Graph, report: Report) -> None:
    """Labels that also select somebody else's pods would give each the other's policies (T21)."""
    workloads = list(_workloads(graph, report, ("namespace", "labels")))
    by_label: dict[tuple[str, str, str], list[tuple[int, Workload]]] = defaultdict(list)
    for index, (_section, workload) in enumerate(workloads):
        for key, value in workload.labels.items():
            by_label[workload.namespace, key, value].append((index, workload))
    for index, (section, workload) in enumerate(workloads):
        labels = workload.labels.items()
        for other_index, other in min((by_label[workload.namespace, k, v] for k, v in labels), key=len, default=()):
            # Of two with equal labels, the second one is the mistake.
            if labels < other.labels.items() or (labels == other.labels.items() and other_index < index):
                message = f"select the pods of {other.name!r} too; add a label that tells them apart"
                report.add((section, workload.name, "labels"), "ambiguous_selector", message)
                break


def _tiers(graph: Graph, report: Report) -> None:
    """A tier with the name of a service that is not in it would share that service's security group."""
    for name, service in graph.services.items():
        other = graph.services.get(service.tier)
        if other and other.tier != service.tier and not report.spoiled("services", other.name, "tier"):
            message = f"{service.tier!r} is the security group of service {other.name!r} alone; put it in the tier too"
            report.add(("services", name, "tier"), "shared_group", message)


def _ports(graph: Graph, report: Report) -> None:
    for name, service in graph.services.items():
        if report.spoiled("services", name, "ports"):
            continue
        seen: dict[tuple[str, Any], int] = {}
        for index, port in enumerate(service.ports):
            for key, value in (("port", port.number), ("target_port", port.target), ("name", port.name)):
                first = seen.setdefault((key, value), index)
                if first != index:
                    path = ("services", name, "ports", index, key)
                    at = report.original(("services", name, "ports", first))[-1]
                    report.add(path, "duplicate_port", f"{value!r} is that of ports[{at}] already")
            _port_name(port, ("services", name, "ports", index, "name"), report)


def _port_name(port: Port, path: Path, report: Report) -> None:
    first, *rest = port.name.split("-")
    protocols = NAME_PROTOCOLS.get("grpc-web" if first == "grpc" and rest[:1] == ["web"] else first)
    if protocols and port.protocol not in protocols:
        message = (
            f"{port.name!r} makes Istio serve it as {protocols[0]}, but its protocol is {port.protocol}; change one"
        )
        report.add(path, "protocol_mismatch", message)


def _port(service: Service, ref: Optional[Union[int, str]], path: Path, report: Report) -> Optional[Port]:
    """The port that is meant, or None after reporting why there is none."""
    if _any_spoiled(report, ("services", service.name), "ports", "port") or report.spoiled(*path, "port"):
        return None
    if not service.ports:
        report.add(path, "no_port", f"{service.name!r} has no port to call; give it one")
        return None
    known = listed(f"{port.number} ({port.name})" for port in service.ports)
    if ref is None:
        if len(service.ports) > 1:
            report.add(path, "ambiguous_port", f"{service.name!r} has several ports; say which: {known}")
            return None
        return service.ports[0]
    for port in service.ports:
        if ref in (port.number, port.name):
            return port
    names = [port.name for port in service.ports]
    hint = report.suggestion(ref, names) if isinstance(ref, str) else ""
    report.add((*path, "port"), "unknown_port", f"{ref!r} is not a port of {service.name!r}, which has {known}{hint}")
    return None


def _calls(graph: Graph, report: Report) -> None:
    for section, callers in (("services", graph.services), ("callers", graph.callers)):
        for name, caller in callers.items():
            seen: dict[tuple[str, int], int] = {}
            for index, call in enumerate(caller.calls):
                path = (section, name, "calls", index)
                if call.to == name and section == "services":
                    report.add(
                        (*path, "to"),
                        "self_call",
                        f"{name!r} calls itself; leave that out (a workload always reaches its own pod)",
                    )
                    continue
                callee = graph.services.get(call.to)
                if callee is None:
                    if not report.spoiled("services", call.to):
                        hint = report.suggestion(call.to, graph.services)
                        report.add((*path, "to"), "unknown_service", f"{call.to!r} is not a declared service{hint}")
                    continue
                port = _port(callee, call.port, path, report)
                if port:
                    _requests(call, port, path, report)
                    first = seen.setdefault((call.to, port.number), index)
                    if first != index:
                        at = report.original((section, name, "calls", first))[-1]
                        message = (
                            f"calls {call.to!r} port {port.number} again, as calls[{at}] does; make one call of them"
                        )
                        report.add(path, "duplicate_flow", message)


def _requests(call: Call, port: Port, path: Path, report: Report) -> None:
    """Methods and paths mean something only where an enforcement point can see them; elsewhere a rule never matches."""
    for key, values in (("methods", call.methods), ("paths", call.paths)):
        if values and not port.is_http:
            what = ", ".join(values)
            message = f"{what} cannot be seen on a {port.protocol} port; leave them out or declare it http"
            report.add((*path, key), "not_http", message)
    if call.methods and port.protocol == "grpc":
        report.add((*path, "methods"), "not_http", "are always POST in gRPC; say paths such as /package.Service/*")


def _callers(graph: Graph, report: Report) -> None:
    for name, caller in graph.callers.items():
        path = ("callers", name)
        workload_keys = [
            key for key in ("namespace", "service_account", "labels", "trust_domain") if getattr(caller, key)
        ]
        if not caller.cidrs and not caller.namespace and not _any_spoiled(report, path, "cidrs", "namespace"):
            report.add(
                path,
                "incomplete",
                "is neither a network nor a workload; give cidrs, or namespace (and service_account, labels)",
            )
        elif caller.cidrs and workload_keys:
            message = f"is a network (cidrs) and cannot have {', '.join(workload_keys)}; make two callers of it"
            report.add(path, "contradiction", message)
        if not caller.calls and not caller.scrapes and not _any_spoiled(report, path, "calls", "scrapes"):
            report.add(path, "no_flow", "calls nothing; give calls, or scrapes: true")


def _metrics(graph: Graph, report: Report) -> None:
    for name, service in graph.services.items():
        path = ("services", name, "metrics")
        if service.metrics:
            port = _port(service, service.metrics.port, path, report)
            if port and port.protocol != "http":
                report.add(path, "not_http", f"are read with HTTP, but port {port.number} is {port.protocol}")


def _egress(graph: Graph, report: Report) -> None:
    cluster = [ipaddress.ip_network(cidr) for cidr in graph.cluster.cidrs if not _is_wide(cidr)]
    spoken: dict[tuple[str, str, int], tuple[str, str]] = {}
    for name, service in graph.services.items():
        seen: dict[tuple[str, int], int] = {}
        for index, egress in enumerate(service.egress):
            path = ("services", name, "egress", index)
            if not egress.hosts and not egress.cidrs and not _any_spoiled(report, path, "hosts", "cidrs"):
                report.add(path, "incomplete", "names no destination; give hosts or cidrs")
            _internet(egress, path, report)
            for position, cidr in enumerate(egress.cidrs):
                if cidr not in INTERNET and (egress.allow_internet or not _is_wide(cidr)):
                    _outside(cidr, cluster, (*path, "cidrs", position), report)
            for key, destinations in (("hosts", egress.hosts), ("cidrs", egress.cidrs if not egress.hosts else ())):
                for position, destination in enumerate(destinations):
                    first = seen.setdefault((destination, egress.port), index)
                    if first != index:
                        at = report.original(("services", name, "egress", first))[-1]
                        message = f"{destination!r} port {egress.port} is in egress[{at}] already"
                        report.add((*path, key, position), "duplicate_flow", message)
            for position, host in enumerate(egress.hosts):
                # A namespace has one ServiceEntry for a host, and its port one protocol.
                place = (service.namespace, host, egress.port)
                other, protocol = spoken.setdefault(place, (name, egress.protocol))
                if protocol != egress.protocol:
                    message = (
                        f"{host!r} port {egress.port} is {protocol} for {other!r} in the same namespace; agree on one"
                    )
                    report.add((*path, "protocol"), "protocol_mismatch", message)
                if host.startswith("*") and egress.protocol == "tcp":
                    message = f"{host!r} cannot be recognised in plain TCP; name the hosts, or give cidrs"
                    report.add((*path, "hosts", position), "wildcard", message)


def _internet(egress: Egress, path: Path, report: Report) -> None:
    anywhere = [cidr for cidr in egress.cidrs if _is_wide(cidr)]
    if anywhere and not egress.allow_internet:
        what = "every address" if anywhere[0] in INTERNET else "a large part of the internet"
        message = f"{anywhere[0]!r} opens {what}; name the networks, or say allow_internet: true"
        report.add((*path, "cidrs"), "internet", message)
    if egress.allow_internet and not anywhere and not report.spoiled(*path, "cidrs"):
        report.add((*path, "allow_internet"), "contradiction", "is true, but cidrs do not hold 0.0.0.0/0 or ::/0")


def _is_wide(cidr: str) -> bool:
    network = ipaddress.ip_network(cidr)
    return network.prefixlen < WIDE[network.version]


def _outside(cidr: str, cluster: Iterable[Any], path: Path, report: Report) -> None:
    network = ipaddress.ip_network(cidr)
    if any(network.version == metadata.version and network.overlaps(metadata) for metadata in METADATA_NETWORKS):
        report.add(path, "metadata", f"{cidr!r} holds the cloud's metadata service, which hands out credentials")
    for inside in cluster:
        if network.version == inside.version and network.overlaps(inside):
            message = f"{cidr!r} overlaps the cluster's own network {inside}; declare the service there and call it"
            report.add(path, "inside_cluster", message)


def _gateways(graph: Graph, report: Report) -> None:
    only = {"istio": ("tls_secret", "http", "security_headers"), "kong": ("cors_origins", "consumers")}
    for name, gateway in graph.gateways.items():
        path = ("gateways", name)
        if not gateway.kind:
            if not report.spoiled(*path, "kind"):
                report.add(path, "missing_key", "lacks 'kind' (istio or kong), which its name does not tell")
            continue
        for kind, keys in only.items():
            if kind != gateway.kind:
                for key in keys:
                    default = {"tls_secret": f"{graph.name}-tls", "http": "redirect"}.get(key)
                    value = getattr(gateway, key)
                    if value and value != default:
                        report.add(
                            (*path, key),
                            "wrong_gateway",
                            f"is for a {kind} gateway, and this is a {gateway.kind} gateway",
                        )


def _exposes(graph: Graph, report: Report) -> None:
    names: dict[tuple[str, str], str] = {}
    for name, service in graph.services.items():
        for index, expose in enumerate(service.exposes):
            path = ("services", name, "exposes", index)
            if report.spoiled(*path, "gateway"):
                continue
            gateway = graph.gateways.get(expose.gateway)
            if gateway is None:
                if not report.spoiled("gateways"):
                    _unknown_gateway(graph, expose, path, report)
                continue
            port = _port(service, expose.port, path, report)
            if port and not port.is_http:
                report.add(path, "not_http", f"goes through an HTTP gateway, but port {port.number} is {port.protocol}")
            elif port and port.protocol == "grpc":
                _grpc(expose, path, report)
            if gateway.kind == "istio":
                _only_kong(expose, path, report)
            elif gateway.kind == "kong":
                owner = names.setdefault((expose.gateway, expose.name), dotted(report.original(path)))
                if owner != dotted(report.original(path)):
                    message = f"{expose.name!r} is the name of {owner} already; give one of them a name"
                    report.add(path, "duplicate_name", message)
                _at_kong(expose, gateway, path, report)


def _at_kong(expose: Expose, gateway: Gateway, path: Path, report: Report) -> None:
    if expose.cors and not (expose.cors.origins or gateway.cors_origins):
        message = f"has no origins, and neither has gateway {gateway.name!r} (cors_origins)"
        report.add((*path, "cors"), "incomplete", message)
    if expose.key_auth and not gateway.consumers:
        message = f"lets nobody in: gateway {gateway.name!r} has no consumers"
        report.add((*path, "key_auth"), "incomplete", message)


def _grpc(expose: Expose, path: Path, report: Report) -> None:
    """A gRPC call's method is POST, its path names the procedure (gRPC over HTTP/2); Kong refuses both keys for it."""
    if expose.methods:
        report.add((*path, "methods"), "not_http", "are always POST in gRPC; leave them out")
    if expose.strip_path:
        report.add((*path, "strip_path"), "not_http", "would take the procedure's name from a gRPC call; leave it out")


def _unknown_gateway(graph: Graph, expose: Expose, path: Path, report: Report) -> None:
    known = listed(sorted(graph.gateways)) or "none"
    if expose.gateway:
        hint = report.suggestion(expose.gateway, graph.gateways)
        report.add(
            (*path, "gateway"), "unknown_gateway", f"{expose.gateway!r} is not a declared gateway ({known}){hint}"
        )
    else:
        report.add(path, "missing_key", f"lacks 'gateway' (declared: {known})")


def _only_kong(expose: Expose, path: Path, report: Report) -> None:
    plain = Expose()
    for key in KONG_ONLY:
        if getattr(expose, key) != getattr(plain, key):
            report.add(
                (*path, key), "wrong_gateway", f"needs a kong gateway, and {expose.gateway!r} is an istio gateway"
            )


def _routes(graph: Graph, report: Report) -> None:
    """Two claims to one route: which one wins would be chance."""
    claims: dict[tuple[str, str, str], list[tuple[Expose, str]]] = defaultdict(list)
    for name, service in graph.services.items():
        for index, expose in enumerate(service.exposes):
            path = ("services", name, "exposes", index)
            if _any_spoiled(report, path, "gateway", "host", "path", "methods"):
                continue
            key = (expose.gateway, expose.host, expose.path.rstrip("/"))
            for other, owner in claims[key]:
                if not other.methods or not expose.methods or set(other.methods) & set(expose.methods):
                    where = f"{expose.host or 'any host'}{expose.path} at gateway {expose.gateway!r}"
                    report.add(
                        (*path, "path"),
                        "duplicate_route",
                        f"{where} is claimed by {owner} already",
                    )
                    break
            claims[key].append((expose, dotted(report.original(path))))


def _networks(graph: Graph, report: Report) -> None:
    taken: list[tuple[Any, str]] = []
    for key in ("pod_cidrs", "service_cidrs", "node_cidrs"):
        for index, cidr in enumerate(getattr(graph.cluster, key)):
            network = ipaddress.ip_network(cidr)
            if _is_wide(cidr):
                report.add(("cluster", key, index), "internet", f"{cidr!r} is far more than a cluster's network")
                continue
            _overlaps(network, taken, ("cluster", key, index), report)
            taken.append((network, f"cluster.{key}[{index}]"))
    owners: dict[str, str] = {}
    for name, caller in graph.callers.items():
        for index, cidr in enumerate(caller.cidrs):
            path = ("callers", name, "cidrs", index)
            owner = owners.setdefault(cidr, name)
            if owner != name:
                message = f"{cidr!r} is the network of caller {owner!r} already; make one caller of them"
                report.add(path, "shared_identity", message)
            if _is_wide(cidr):
                report.add(
                    path, "internet", f"{cidr!r} lets everybody call; expose the service through a gateway instead"
                )
                continue
            _overlaps(ipaddress.ip_network(cidr), taken, path, report)


def _overlaps(network: Any, taken: Iterable[tuple[Any, str]], path: Path, report: Report) -> None:
    for other, where in taken:
        if network.version == other.version and network.overlaps(other):
            report.add(path, "overlap", f"'{network}' overlaps {where} ({other})")
