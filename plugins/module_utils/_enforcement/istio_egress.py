# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the workloads' sidecars let them go: Sidecars and ServiceEntries, as Istio's pilot reads them.

A workload's Sidecar is the oldest of its namespace that selects it, else the oldest of its namespace without a
selector, else that of the root namespace. Without any it sees everything and goes anywhere (the mesh's default,
ALLOW_ANY). Through its egress listeners it sees the ServiceEntries that are exported to its namespace. Towards an entry

- TLS and HTTP are told by the name (SNI, Host), whatever the address;
- any other protocol by the address: of the networks in ``addresses`` where ``resolution`` is NONE, of any network where
  none is named; otherwise the connection ends at the named host, or at the entry's endpoints.

A Sidecar is no security boundary, so that hiding a service of the mesh refuses nothing: its policy does. It only makes
a declared call fail, which is said as a conditional denial.

Not judged: VirtualServices, which can make a destination visible and lead a name elsewhere; and in-mesh services'
``networking.istio.io/exportTo``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.istio import (
    Hosts,
    covers,
    declared_hosts,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.istio_resources import (
    BySelector,
    Listener,
    Resources,
    ServiceEntry,
    Sidecar,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.fields import INTERNET
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import Grant, Ids
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import ALL_PORTS, Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Service
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World

BY_NAME = ("HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB", "HTTPS", "TLS")

NEVER_ROUTED = ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "::1/128", "ff00::/8")
"""No place outside of the pod that somebody could be called at (RFC 6890)."""

EVERYTHING = Listener(0, (("*", "*"),))


@dataclass(frozen=True)
class Scope:
    """What some workloads of one namespace have in common: the Sidecar that is theirs, or none."""

    namespace: str
    sidecar: Optional[Sidecar]

    @property
    def label(self) -> str:
        return self.sidecar.label if self.sidecar else ""

    @property
    def listeners(self) -> tuple[Listener, ...]:
        return self.sidecar.listeners if self.sidecar else (EVERYTHING,)

    @property
    def goes_anywhere(self) -> bool:
        return self.sidecar is None or self.sidecar.mode == "ALLOW_ANY"


class Egress:
    def __init__(self, resources: Resources, world: World) -> None:
        self._world = world
        graph = world.graph
        self._selecting = BySelector([sidecar for sidecar in resources.sidecars if sidecar.selector])
        self._default: dict[str, Sidecar] = {}
        for sidecar in resources.sidecars:
            if not sidecar.selector:
                self._default.setdefault(sidecar.namespace, sidecar)
        self._entries: dict[tuple[str, str], list[ServiceEntry]] = defaultdict(list)
        own = {graph.fqdn(service) for service in graph.services.values()}
        for entry in resources.service_entries:
            for host in entry.hosts:
                if host not in own:
                    self._entries[entry.namespace, host].append(entry)
        self._scopes: dict[int, Scope] = {}
        self._of: dict[str, Scope] = {}
        self._services: dict[int, list[str]] = defaultdict(list)
        shared: dict[tuple[str, int], Scope] = {}
        for service in graph.services.values():
            own_sidecar = self._sidecar(service)
            scope = shared.setdefault((service.namespace, id(own_sidecar)), Scope(service.namespace, own_sidecar))
            self._of[service.name] = scope
            self._scopes[id(scope)] = scope
            self._services[id(scope)].append(service.name)

    def _sidecar(self, service: Service) -> Optional[Sidecar]:
        selecting = self._selecting.select(service.namespace, service.labels)
        if selecting:
            return selecting[0]
        return self._default.get(service.namespace) or self._default.get(self._world.graph.mesh.namespace)

    def label(self, service: str) -> str:
        """The label of a service's Sidecar, empty where it has none."""
        return self._of[service].label if service in self._of else ""

    def grants(self) -> list[Grant]:
        grants = _Grants(self._world)
        for key, scope in self._scopes.items():
            callers = frozenset(self._services[key])
            for entry, host, number, protocol in self._visible(scope):
                grants.entry(callers, entry, host, number, protocol)
            if scope.goes_anywhere:
                grants.anywhere(callers, ALL_PORTS, scope.label)
        return grants.all()

    def _visible(self, scope: Scope) -> Iterable[tuple[ServiceEntry, str, int, str]]:
        for listener in scope.listeners:
            for (namespace, host), entries in self._candidates(scope, listener):
                for entry in entries:
                    if _exported(entry, scope.namespace) and _shows(listener, scope.namespace, namespace, host):
                        for number, protocol in entry.ports:
                            if listener.port in (0, number):
                                yield entry, host, number, protocol

    def _candidates(self, scope: Scope, listener: Listener) -> Iterable[tuple[tuple[str, str], Iterable[ServiceEntry]]]:
        if any("*" in namespace or name.startswith("*") for namespace, name in listener.hosts):
            return list(self._entries.items())
        keys = {(scope.namespace if namespace == "." else namespace, name) for namespace, name in listener.hosts}
        return [(key, self._entries[key]) for key in sorted(keys) if key in self._entries]

    def hidden(self) -> list[Grant]:
        """Denials of the declared calls to services whose host the caller's Sidecar does not import."""
        graph = self._world.graph
        found: dict[tuple[str, int, str], set[str]] = defaultdict(set)
        for service in graph.services.values():
            scope = self._of[service.name]
            if scope.sidecar is None:
                continue
            for call in service.calls:
                callee = graph.services[call.to]
                port = graph.port_of(callee, call.port)
                host = graph.fqdn(callee)
                if not any(
                    listener.port in (0, port.number) and _shows(listener, scope.namespace, callee.namespace, host)
                    for listener in scope.listeners
                ):
                    found[callee.name, port.target, scope.label].add(service.name)
        return [
            Grant(frozenset(callers), callee, Intervals.one(port), cause=label, conditional=True)
            for (callee, port, label), callers in found.items()
        ]


def _exported(entry: ServiceEntry, namespace: str) -> bool:
    return (
        "*" in entry.export_to
        or namespace in entry.export_to
        or ("." in entry.export_to and entry.namespace == namespace)
    )


def _shows(listener: Listener, own: str, namespace: str, host: str) -> bool:
    """Whether a listener imports a host of a namespace. ``own`` is the namespace of the workload."""
    shown = False
    for where, name in listener.hosts:
        hides = where.startswith("~")
        where = where[1:] or "*" if hides else where
        where = own if where == "." else where
        if where in ("*", namespace) and covers(name, host):
            if hides:
                return False
            shown = True
    return shown


class _Grants:
    """Collects grants to the outside; callers with the same destination, ports and cause share one."""

    def __init__(self, world: World) -> None:
        self._world = world
        graph = world.graph
        self._declared = Hosts(declared_hosts(graph))
        self._found: dict[tuple[str, Intervals, str], Ids] = {}
        self._patterns: dict[tuple[str, int], set[str]] = defaultdict(set)
        for service in graph.services.values():
            for egress in service.egress:
                for host in egress.hosts:
                    if host.startswith("*"):
                        self._patterns[host, egress.port].add(service.name)
        not_there = (*NEVER_ROUTED, *graph.cluster.cidrs)
        self._anywhere = frozenset().union(
            *(
                world.addresses.within(network, [cidr for cidr in not_there if (":" in cidr) == (":" in network)])
                for network in INTERNET
            )
        )

    def all(self) -> list[Grant]:
        return [Grant(callers, callee, ports, cause=cause) for (callee, ports, cause), callers in self._found.items()]

    def entry(self, callers: Ids, entry: ServiceEntry, host: str, number: int, protocol: str) -> None:
        ports = Intervals.one(number)
        if protocol in BY_NAME or entry.resolution != "NONE":
            self._host(callers, host, number, entry.label)
        elif entry.addresses:
            for address in frozenset().union(*(self._world.addresses.within(cidr) for cidr in entry.addresses)):
                self._add(callers, address, ports, entry.label)
        else:
            self.anywhere(callers, ports, entry.label)

    def anywhere(self, callers: Ids, ports: Intervals, cause: str) -> None:
        for callee in ("host:*", *(f"host:{host}" for host in self._declared.names), *self._anywhere):
            self._add(callers, callee, ports, cause)

    def _host(self, callers: Ids, host: str, number: int, cause: str) -> None:
        for known in self._declared.within(host):
            self._add(callers, f"host:{known}", Intervals.one(number), cause)
        if host not in self._declared.names:
            # A host that a declared pattern means is no destination beside it.
            for (pattern, port), declared in self._patterns.items():
                if port == number and covers(pattern, host):
                    callers = callers - declared
            self._add(callers, f"host:{host}", Intervals.one(number), cause)

    def _add(self, callers: Ids, callee: str, ports: Intervals, cause: str) -> None:
        key = (callee, ports, cause)
        self._found[key] = self._found.get(key, frozenset()) | callers
