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
from collections.abc import Iterable
from typing import Any, Optional, Protocol, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import (
    KONG_ONLY,
    Call,
    Caller,
    Egress,
    Expose,
    Graph,
    Port,
    Service,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import Path, suggestion
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import INTERNET

SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")

METADATA = ipaddress.ip_network("169.254.169.254/32")
"""The address at which clouds hand out credentials."""

# A port is served as what its name says, whatever its declaration (Istio, "Protocol selection").
NAME_PROTOCOLS = {
    "http": ("http",), "http2": ("http", "grpc"), "grpc": ("grpc",), "https": ("tls",), "tls": ("tls",),
    "tcp": ("tcp",), "mongo": ("tcp",), "mysql": ("tcp",), "redis": ("tcp",),
}  # fmt: skip


class Report(Protocol):
    """Where problems go, and whether one has been reported at or below a path."""

    def add(self, path: Path, code: str, message: str) -> None:
        """Take a problem."""

    def spoiled(self, *path: Union[str, int]) -> bool:
        """Whether something at or below the path is known to be wrong."""


def check(graph: Graph, report: Report) -> None:
    for one in (
        _names, _namespaces, _identities, _selectors, _ports, _calls, _callers, _metrics, _egress, _gateways, _exposes,
        _routes, _networks,
    ):  # fmt: skip
        one(graph, report)


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
        return
    for name, service in graph.services.items():
        if service.namespace in system:
            path = ("services", name, "namespace")
            report.add(
                path, "system_namespace", f"{service.namespace!r} belongs to the system; services need one of their own"
            )


def _identities(graph: Graph, report: Report) -> None:
    """Two workloads with one service account are one identity: what one may, the other may (T14)."""
    owners: dict[str, str] = {}
    for section, workloads in (("services", graph.services), ("callers", graph.callers), ("gateways", graph.gateways)):
        for name, workload in workloads.items():
            if isinstance(workload, Caller) and workload.is_network:
                continue
            identity = graph.principal(workload)
            owner = owners.setdefault(identity, f"{section}.{name}")
            if owner != f"{section}.{name}" and not report.spoiled(section, name):
                account = f"{workload.service_account!r} in namespace {workload.namespace!r}"
                message = f"{account} is {owner}'s identity already; give each its own"
                report.add((section, name, "service_account"), "shared_identity", message)


def _selectors(graph: Graph, report: Report) -> None:
    """Labels that also select another service's pods would give each the other's policies (T21)."""
    by_label: dict[tuple[str, str, str], list[Service]] = defaultdict(list)
    for service in graph.services.values():
        for key, value in service.labels.items():
            by_label[service.namespace, key, value].append(service)
    for name, service in graph.services.items():
        candidates = min((by_label[service.namespace, k, v] for k, v in service.labels.items()), key=len)
        for other in candidates:
            if other.name != name and service.labels.items() <= other.labels.items():
                message = f"select the pods of {other.name!r} too; add a label that tells them apart"
                report.add(("services", name, "labels"), "ambiguous_selector", message)
                break


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
                    report.add(path, "duplicate_port", f"{value!r} is that of ports[{first}] already")
            _port_name(port, ("services", name, "ports", index, "name"), report)


def _port_name(port: Port, path: Path, report: Report) -> None:
    protocols = NAME_PROTOCOLS.get(port.name.split("-", 1)[0])
    if protocols and port.protocol not in protocols:
        message = (
            f"{port.name!r} makes Istio serve it as {protocols[0]}, but its protocol is {port.protocol}; change one"
        )
        report.add(path, "protocol_mismatch", message)


def _port(service: Service, ref: Optional[Union[int, str]], path: Path, report: Report) -> Optional[Port]:
    """The port that is meant, or None after reporting why there is none."""
    if (
        report.spoiled("services", service.name, "ports")
        or report.spoiled("services", service.name, "port")
        or report.spoiled(*path)
    ):
        return None
    if not service.ports:
        report.add(path, "no_port", f"{service.name!r} has no port to call; give it one")
        return None
    known = ", ".join(f"{port.number} ({port.name})" for port in service.ports)
    if ref is None:
        if len(service.ports) > 1:
            report.add(path, "ambiguous_port", f"{service.name!r} has several ports; say which: {known}")
            return None
        return service.ports[0]
    for port in service.ports:
        if ref in (port.number, port.name):
            return port
    names = [port.name for port in service.ports]
    hint = suggestion(ref, names) if isinstance(ref, str) else ""
    report.add((*path, "port"), "unknown_port", f"{ref!r} is not a port of {service.name!r}, which has {known}{hint}")
    return None


def _calls(graph: Graph, report: Report) -> None:
    for section, callers in (("services", graph.services), ("callers", graph.callers)):
        for name, caller in callers.items():
            seen: dict[tuple[str, int], int] = {}
            for index, call in enumerate(caller.calls):
                path = (section, name, "calls", index)
                if report.spoiled(*path):
                    continue
                if call.to == name and section == "services":
                    report.add(
                        (*path, "to"), "self_call", f"{name!r} calls itself; a workload may always reach its own pod"
                    )
                    continue
                callee = graph.services.get(call.to)
                if callee is None:
                    if not report.spoiled("services", call.to):
                        hint = suggestion(call.to, graph.services)
                        report.add((*path, "to"), "unknown_service", f"{call.to!r} is not a declared service{hint}")
                    continue
                port = _port(callee, call.port, path, report)
                if port:
                    _requests(call, port, path, report)
                    first = seen.setdefault((call.to, port.number), index)
                    if first != index:
                        message = (
                            f"calls {call.to!r} port {port.number} again, as calls[{first}] does; make one call of them"
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
        if report.spoiled(*path):
            continue
        workload_keys = [
            key for key in ("namespace", "service_account", "labels", "trust_domain") if getattr(caller, key)
        ]
        if not caller.cidrs and not caller.namespace:
            report.add(
                path,
                "incomplete",
                "is neither a network nor a workload; give cidrs, or namespace (and service_account, labels)",
            )
        elif caller.cidrs and workload_keys:
            message = f"is a network (cidrs) and cannot have {', '.join(workload_keys)}; make two callers of it"
            report.add(path, "contradiction", message)
        elif caller.namespace in graph.namespaces and _same_pods(graph, caller):
            report.add(
                (*path, "labels"),
                "ambiguous_selector",
                "select the pods of a declared service; add a label that tells them apart",
            )
        if not caller.calls and not caller.scrapes:
            report.add(path, "no_flow", "calls nothing; give calls, or scrapes: true")


def _same_pods(graph: Graph, caller: Caller) -> bool:
    return any(
        service.namespace == caller.namespace
        and (caller.labels.items() <= service.labels.items() or service.labels.items() <= caller.labels.items())
        for service in graph.services.values()
    )


def _metrics(graph: Graph, report: Report) -> None:
    for name, service in graph.services.items():
        path = ("services", name, "metrics")
        if service.metrics and not report.spoiled(*path):
            port = _port(service, service.metrics.port, path, report)
            if port and port.protocol != "http":
                report.add(path, "not_http", f"are read with HTTP, but port {port.number} is {port.protocol}")


def _egress(graph: Graph, report: Report) -> None:
    cluster = [ipaddress.ip_network(cidr) for cidr in graph.cluster.cidrs]
    for name, service in graph.services.items():
        seen: dict[tuple[str, int], int] = {}
        for index, egress in enumerate(service.egress):
            path = ("services", name, "egress", index)
            if report.spoiled(*path):
                continue
            if not egress.hosts and not egress.cidrs:
                report.add(path, "incomplete", "names no destination; give hosts or cidrs")
            _internet(egress, path, report)
            for position, cidr in enumerate(egress.cidrs):
                _outside(cidr, cluster, (*path, "cidrs", position), report)
            for key, destinations in (("hosts", egress.hosts), ("cidrs", egress.cidrs if not egress.hosts else ())):
                for position, destination in enumerate(destinations):
                    first = seen.setdefault((destination, egress.port), index)
                    if first != index:
                        message = f"{destination!r} port {egress.port} is in egress[{first}] already"
                        report.add((*path, key, position), "duplicate_flow", message)
            for position, host in enumerate(egress.hosts):
                if host.startswith("*") and egress.protocol == "tcp":
                    message = f"{host!r} cannot be recognised in plain TCP; name the hosts, or give cidrs"
                    report.add((*path, "hosts", position), "wildcard", message)


def _internet(egress: Egress, path: Path, report: Report) -> None:
    anywhere = [cidr for cidr in egress.cidrs if cidr in INTERNET]
    if anywhere and not egress.allow_internet:
        message = f"{anywhere[0]!r} opens every address; name the networks, or say allow_internet: true"
        report.add((*path, "cidrs"), "internet", message)
    if egress.allow_internet and not anywhere:
        report.add((*path, "allow_internet"), "contradiction", "is true, but cidrs do not hold 0.0.0.0/0 or ::/0")


def _outside(cidr: str, cluster: Iterable[Any], path: Path, report: Report) -> None:
    network = ipaddress.ip_network(cidr)
    if cidr in INTERNET:
        return
    if network.version == 4 and network.overlaps(METADATA):
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
            if report.spoiled(*path):
                continue
            gateway = graph.gateways.get(expose.gateway)
            if gateway is None:
                if not report.spoiled("gateways"):
                    _unknown_gateway(graph, expose, path, report)
                continue
            port = _port(service, expose.port, path, report)
            if port and not port.is_http:
                report.add(path, "not_http", f"goes through an HTTP gateway, but port {port.number} is {port.protocol}")
            if gateway.kind == "istio":
                _only_kong(expose, path, report)
            elif gateway.kind == "kong":
                place = f"services.{name}.exposes[{index}]"
                owner = names.setdefault((expose.gateway, expose.name), place)
                if owner != place:
                    report.add(
                        path,
                        "duplicate_name",
                        f"{expose.name!r} is the name of {owner} already; give one of them a name",
                    )
                if expose.cors and not (expose.cors.origins or gateway.cors_origins):
                    report.add(
                        (*path, "cors"),
                        "incomplete",
                        f"has no origins, and neither has gateway {gateway.name!r} (cors_origins)",
                    )
                if expose.key_auth and not gateway.consumers:
                    report.add(
                        (*path, "key_auth"), "incomplete", f"lets nobody in: gateway {gateway.name!r} has no consumers"
                    )


def _unknown_gateway(graph: Graph, expose: Expose, path: Path, report: Report) -> None:
    known = ", ".join(sorted(graph.gateways)) or "none"
    if expose.gateway:
        hint = suggestion(expose.gateway, graph.gateways)
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
            key = (expose.gateway, expose.host, expose.path.rstrip("/"))
            for other, owner in claims[key]:
                if not other.methods or not expose.methods or set(other.methods) & set(expose.methods):
                    where = f"{expose.host or 'any host'}{expose.path} at gateway {expose.gateway!r}"
                    report.add(
                        ("services", name, "exposes", index, "path"),
                        "duplicate_route",
                        f"{where} is claimed by {owner} already",
                    )
                    break
            claims[key].append((expose, f"services.{name}.exposes[{index}]"))


def _networks(graph: Graph, report: Report) -> None:
    taken: list[tuple[Any, str]] = []
    for key in ("pod_cidrs", "service_cidrs", "node_cidrs"):
        for index, cidr in enumerate(getattr(graph.cluster, key)):
            network = ipaddress.ip_network(cidr)
            _overlaps(network, taken, ("cluster", key, index), report)
            taken.append((network, f"cluster.{key}[{index}]"))
    for name, caller in graph.callers.items():
        for index, cidr in enumerate(caller.cidrs):
            path = ("callers", name, "cidrs", index)
            if cidr in INTERNET:
                report.add(
                    path, "internet", f"{cidr!r} lets everybody call; expose the service through a gateway instead"
                )
                continue
            _overlaps(ipaddress.ip_network(cidr), taken, path, report)


def _overlaps(network: Any, taken: Iterable[tuple[Any, str]], path: Path, report: Report) -> None:
    for other, where in taken:
        if network.version == other.version and network.overlaps(other):
            report.add(path, "overlap", f"'{network}' overlaps {where} ({other})")
