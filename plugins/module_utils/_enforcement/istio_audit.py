# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Istio resources really allow, whoever wrote them.

::

    documents ─ istio_resources.read ─▶ policies ─ istio_match.Matcher ─▶ grants and denials at each service
                                        Sidecars, ServiceEntries ─ istio_egress.Egress ─▶ grants to the outside

At a workload's sidecar (Istio reference, "Authorization Policy", "PeerAuthentication"):

- mutual TLS decides who gets through to a port, and whether as somebody: STRICT only workloads of the mesh, PERMISSIVE
  everybody, DISABLE everybody and nobody with an identity. A port's mode goes before the workload's, the namespace's,
  the mesh's; UNSET takes the wider one's; without any it is PERMISSIVE. Of two at one level the older counts.
- policies of the root namespace count in every namespace. Any DENY that matches refuses, then any ALLOW that matches
  allows; a workload that no ALLOW policy selects allows everything. A policy without rules matches nothing, a rule
  without fields everything. A CUSTOM policy asks somebody else: a denial that documents cannot decide.
- a port is HTTP if the graph says so. One that the graph does not know is sniffed (the inbound passthrough chains), and
  who speaks HTTP there can match an ALLOW rule with HTTP fields: so it is judged as HTTP, the wider of the two.

A workload's labels are those the graph declares. Not judged: ``ingress`` of Sidecars, EnvoyFilters, and the gateways
themselves, which have clients of every kind; settings of the mesh are Istio's defaults.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Documents, Mentions
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.istio_egress import Egress
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.istio_match import Matcher
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.istio_resources import (
    ALLOW,
    CUSTOM,
    NAMESPACE,
    PERMISSIVE,
    PRINCIPAL,
    SERVICE_ACCOUNT,
    SOURCE_IP,
    STRICT,
    UNSET,
    AuthorizationPolicy,
    BySelector,
    PeerAuthentication,
    Resources,
    read,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import TCP, FlowSet, Grant
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import ALL_PORTS, Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Service
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import Request
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World


def mentions(documents: Documents) -> Mentions:
    """The networks and namespaces that policies and ServiceEntries name. Istio never asks for a namespace's labels."""
    resources = read(documents)
    cidrs: set[str] = set()
    namespaces: dict[str, Mapping[str, str]] = {}
    for policy in resources.policies:
        for rule in policy.rules:
            for terms in rule.sources:
                for term in terms:
                    if term.attribute == SOURCE_IP:
                        cidrs.update(term.values)
                    else:
                        for namespace in _namespaces(term.attribute, term.values, policy.namespace):
                            namespaces[namespace] = {}
    for entry in resources.service_entries:
        cidrs.update(entry.addresses)
    return Mentions(tuple(sorted(cidrs)), namespaces)


def _namespaces(attribute: str, values: Iterable[str], policy_namespace: str) -> Iterable[str]:
    for value in values:
        if attribute == NAMESPACE and "*" not in value:
            yield value
        elif attribute == SERVICE_ACCOUNT:
            yield value.partition("/")[0] if "/" in value else policy_namespace
        elif attribute == PRINCIPAL:
            found = _IN_PRINCIPAL.search(value)
            if found:
                yield found.group(1)


_IN_PRINCIPAL = re.compile(r"(?:^|[/*])ns/([^/*]+)/")


def flows(documents: Documents, world: World) -> FlowSet:
    resources = read(documents)
    egress = Egress(resources, world)
    inbound = Inbound(resources, world)
    allows, denies = egress.grants(), egress.hidden()
    for service in world.graph.services.values():
        inbound.judge(service, allows, denies)

    def refused_by(caller: str, callee: str, protocol: str, port: int, request: Request) -> tuple[str, ...]:
        service = world.graph.services.get(callee)
        if service is None:
            label = egress.label(caller)
            return (label,) if label else ()
        return inbound.refused_by(service, caller, protocol, port)

    return FlowSet.of(allows, denies, refused_by)


class Segment(NamedTuple):
    """Ports of a workload at which a rule means the same."""

    http: bool
    mode: str
    ports: Intervals


class Inbound:
    """The policies and mutual TLS modes in front of the graph's services: those of a sidecar, or of ztunnel."""

    def __init__(self, resources: Resources, world: World, *, ztunnel: bool = False) -> None:
        self._root = world.graph.mesh.namespace
        self._ztunnel = ztunnel
        self._matcher = Matcher(world, ztunnel=ztunnel)
        self.identified = self._matcher.identified
        policies = resources.policies
        self._policies = BySelector([one for one in policies if not (ztunnel and one.action == CUSTOM)])
        # A selector in the root namespace selects nothing, unlike that of an AuthorizationPolicy.
        self._workload_modes = BySelector(
            [one for one in resources.peer_authentications if one.selector and one.namespace != self._root]
        )
        self._namespace_modes: dict[str, PeerAuthentication] = {}
        for one in resources.peer_authentications:
            if not one.selector:
                self._namespace_modes.setdefault(one.namespace, one)

    def _selecting(self, service: Service) -> list[AuthorizationPolicy]:
        found = self._policies.select(service.namespace, service.labels)
        if service.namespace != self._root:
            found += self._policies.select(self._root, service.labels)
        return found

    def _modes(self, service: Service) -> tuple[str, Mapping[int, str], tuple[str, ...]]:
        """The mode of the workload, the modes of single ports, and the labels of what says so."""
        mode, ports, labels = PERMISSIVE, {}, []
        levels = [self._namespace_modes.get(namespace) for namespace in (self._root, service.namespace)]
        levels += self._workload_modes.select(service.namespace, service.labels)[:1]
        for one in levels:
            if one is not None:
                if one.mode != UNSET:
                    mode = one.mode
                    labels = [one.label]
                if one.selector:
                    ports = {port: mode if own == UNSET else own for port, own in one.port_modes.items()}
        return mode, ports, tuple(labels)

    def _segments(self, service: Service) -> list[Segment]:
        mode, port_modes, _labels = self._modes(service)
        if self._ztunnel:
            return self._connections(mode, port_modes)
        http = {port.target: port.is_http for port in service.ports}
        single: dict[tuple[bool, str], list[int]] = defaultdict(list)
        for port in {*http, *port_modes}:
            key = (http.get(port, True), port_modes.get(port, mode))
            if key != (True, mode):
                single[key].append(port)
        segments = [
            Segment(is_http, own, Intervals.of(*((port, port) for port in ports)))
            for (is_http, own), ports in single.items()
        ]
        rest = ALL_PORTS
        for segment in segments:
            rest -= segment.ports
        return [*segments, Segment(True, mode, rest)]

    def _connections(self, mode: str, port_modes: Mapping[int, str]) -> list[Segment]:
        """ztunnel sees no HTTP, and who has an identity keeps it in every mode."""
        strict = Intervals.of(*((port, port) for port, own in port_modes.items() if own == STRICT))
        others = Intervals.of(*((port, port) for port, own in port_modes.items() if own != STRICT))
        rest = ALL_PORTS - strict - others
        strict, others = (strict | rest, others) if mode == STRICT else (strict, others | rest)
        return [Segment(False, own, ports) for own, ports in ((STRICT, strict), (PERMISSIVE, others)) if ports]

    def judge(self, service: Service, allows: list[Grant], denies: list[Grant]) -> None:
        """Adds the grants and the denials at the service."""
        policies = self._selecting(service)
        segments = self._segments(service)
        if not any(policy.action == ALLOW for policy in policies):
            allows += [Grant(self._matcher.reach(part.mode), service.name, part.ports) for part in segments]
        for policy in policies:
            grants = allows if policy.action == ALLOW else denies
            for segment in segments:
                grants += self._matched(service, policy, segment)

    def _matched(self, service: Service, policy: AuthorizationPolicy, segment: Segment) -> Iterable[Grant]:
        for rule in policy.rules:
            matched = self._matcher.rule(
                rule, policy.namespace, denies=policy.action != ALLOW, http=segment.http, mode=segment.mode
            )
            if matched is None or not matched.callers.possible:
                continue
            sure, possible = matched.callers
            if policy.action == CUSTOM:
                sure = frozenset()
            for ports, requests in matched.operations:
                part = ports & segment.ports
                if part and sure:
                    yield Grant(sure, service.name, part, requests, TCP, policy.label)
                if part and len(sure) < len(possible):
                    yield Grant(possible - sure, service.name, part, requests, TCP, policy.label, conditional=True)

    def refused_by(self, service: Service, caller: str, protocol: str, port: int) -> tuple[str, ...]:
        """The policies of which none lets a caller in, and what keeps a caller without identity out before them."""
        if protocol != TCP:
            return ()
        mode, port_modes, labels = self._modes(service)
        if port_modes.get(port, mode) == STRICT and caller not in self._matcher.identified:
            return labels
        return tuple(sorted(policy.label for policy in self._selecting(service) if policy.action == ALLOW))
