# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Istio resources really allow in ambient mode, whoever wrote them. ``istio_audit.py`` is the same with sidecars.

Two ways lead to a workload, and each is judged by itself (``Grant.way``):

``direct``
    ztunnel at the callee: policies with a selector or for a whole namespace, and mutual TLS modes. Only connections are
    seen: an ALLOW rule with any HTTP field is left out, a DENY rule loses the field and refuses more (as at a TCP port
    of a sidecar). CUSTOM is not supported, DISABLE is taken for PERMISSIVE, and ``cluster.local`` in a principal stands
    for itself only.
``waypoint``
    For a Service whose ``istio.io/use-waypoint``, its own or its namespace's, names a waypoint that is there: the
    policies attached to the Service, the Gateway or, in the root namespace, the GatewayClass. Their ports are the
    Service's. Then ztunnel has to let the waypoint in. Only who has an identity comes this way.

Who calls by the Service goes through its waypoint, if there is one. So what a caller is only allowed directly is open
under the condition that he calls the pod's address; and it is not enough for a declared flow. Networks, and gateways
without ``istio.io/ingress-use-waypoint``, always go directly.

Labels are those of the Namespaces and Services among the documents; of namespaces that are not among them, those that
our role writes. Pods are taken for enrolled, as for having sidecars in the other mode: a live audit looks at them.
Outside, a ServiceEntry is judged for the workloads of its own namespace. Not judged: waypoints in other namespaces
(``istio.io/use-waypoint-namespace``), ``waypoint-for: workload``, and where nobody declared a host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Document, Documents
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.istio_ambient import (
    GATEWAY_GROUP,
    INGRESS_USE_WAYPOINT,
    USE_WAYPOINT,
    WAYPOINT_CLASS,
    leaving,
    namespace_labels,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.istio_audit import Inbound
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.istio_match import Matcher
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.istio_resources import (
    ALLOW,
    CUSTOM,
    STRICT,
    AuthorizationPolicy,
    Resources,
    read,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import (
    TCP,
    FlowSet,
    Grant,
    Ids,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import ALL_PORTS, Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Service
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import Request
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World, waypoint

DIRECT, THROUGH = "direct", "waypoint"
HTTP = ("HTTP", "HTTP2", "GRPC", "GRPC-WEB")


def is_beside(document: Document) -> bool:
    """What is not Istio's own, and says who uses a waypoint."""
    return document.get("kind") in ("Namespace", "Service") and document.get("apiVersion") == "v1"


def is_waypoint(document: Document) -> bool:
    spec = document.get("spec")
    group = str(document.get("apiVersion")).partition("/")[0]
    return group == GATEWAY_GROUP and isinstance(spec, Mapping) and spec.get("gatewayClassName") == WAYPOINT_CLASS


class _Enrolment:
    """Which waypoint a Service or a ServiceEntry uses, by labels."""

    def __init__(self, documents: Documents, world: World) -> None:
        self._graph = world.graph
        self._labels: dict[tuple[str, str, str], Mapping[str, Any]] = {}
        self._waypoints: set[tuple[str, str]] = set()
        for item in documents:
            meta = item.document.get("metadata")
            if isinstance(meta, Mapping):
                kind, namespace, name = item.document.get("kind"), meta.get("namespace"), meta.get("name")
                if is_waypoint(item.document):
                    self._waypoints.add((str(namespace), str(name)))
                elif kind in ("Namespace", "Service", "ServiceEntry"):
                    place = "" if kind == "Namespace" else str(namespace)
                    self._labels[str(kind), place, str(name)] = meta.get("labels") or {}

    def _namespace(self, namespace: str) -> Mapping[str, Any]:
        found = self._labels.get(("Namespace", "", namespace))
        return namespace_labels(self._graph, namespace) if found is None else found

    def waypoint(self, kind: str, namespace: str, name: str) -> str:
        """The name of the waypoint, or nothing."""
        own = self._labels.get((kind, namespace, name), {})
        used = str(own.get(USE_WAYPOINT) or self._namespace(namespace).get(USE_WAYPOINT) or "none")
        return used if used != "none" and (namespace, used) in self._waypoints else ""

    def of_ingress(self, service: Service) -> bool:
        own = self._labels.get(("Service", service.namespace, service.name), {})
        used = own.get(INGRESS_USE_WAYPOINT) or self._namespace(service.namespace).get(INGRESS_USE_WAYPOINT)
        return str(used).lower() == "true"


def flows(documents: Documents, world: World) -> FlowSet:
    resources = read(documents)
    enrolment = _Enrolment(documents, world)
    inbound = Inbound(resources, world, ztunnel=True)
    waypoints = _Waypoints(resources, world)
    allows: list[Grant] = []
    denies: list[Grant] = []
    for service in world.graph.services.values():
        own: list[Grant] = []
        refused: list[Grant] = []
        inbound.judge(service, own, refused)
        name = enrolment.waypoint("Service", service.namespace, service.name)
        if name:
            gateways = (
                frozenset[str]()
                if enrolment.of_ingress(service)
                else frozenset(gateway.name for gateway in world.graph.gateways.values() if gateway.kind == "istio")
            )
            waypoints.judge(service, name, gateways, own, refused, allows, denies)
            own = list(_only_by_address(own, inbound.identified - gateways - {waypoint(service.namespace)}))
        allows += [replace(grant, way=DIRECT) for grant in own]
        denies += [replace(grant, way=DIRECT) for grant in refused]
    allows_out, denies_out = waypoints.outside(enrolment)

    def refused_by(caller: str, callee: str, protocol: str, port: int, request: Request) -> tuple[str, ...]:
        service = world.graph.services.get(callee)
        if service is None:
            return ()
        name = enrolment.waypoint("Service", service.namespace, service.name)
        attached = waypoints.labels("Service", service.namespace, service.name, name) if name else ()
        return tuple(sorted({*attached, *inbound.refused_by(service, caller, protocol, port)}))

    return FlowSet.of([*allows, *allows_out], [*denies, *denies_out], refused_by)


def _only_by_address(grants: Iterable[Grant], sent_through: Ids) -> Iterable[Grant]:
    """Grants to callers who go through the waypoint as long as they call the Service."""
    for grant in grants:
        yield replace(grant, callers=grant.callers - sent_through)
        yield replace(grant, callers=grant.callers & sent_through, conditional=True)


class _Waypoints:
    """What waypoints let through."""

    def __init__(self, resources: Resources, world: World) -> None:
        self._world = world
        self._root = world.graph.mesh.namespace
        self._entries = resources.service_entries
        self._matcher = Matcher(world)
        self._attached: dict[tuple[str, str, str], list[AuthorizationPolicy]] = {}
        for policy in resources.attached:
            for kind, name in policy.targets:
                self._attached.setdefault((kind, policy.namespace, name), []).append(policy)

    def _policies(self, kind: str, namespace: str, name: str, gateway: str) -> list[AuthorizationPolicy]:
        keys = ((kind, namespace, name), ("Gateway", namespace, gateway), ("GatewayClass", self._root, WAYPOINT_CLASS))
        return [policy for key in keys for policy in self._attached.get(key, ())]

    def labels(self, kind: str, namespace: str, name: str, gateway: str) -> tuple[str, ...]:
        return tuple(p.label for p in self._policies(kind, namespace, name, gateway) if p.action == ALLOW)

    def judge(
        self,
        service: Service,
        gateway: str,
        not_through: Ids,
        direct: Sequence[Grant],
        refused: Sequence[Grant],
        allows: list[Grant],
        denies: list[Grant],
    ) -> None:
        """Adds what the waypoint lets through to the ports at which ztunnel lets the waypoint in."""
        policies = self._policies("Service", service.namespace, service.name, gateway)
        itself = waypoint(service.namespace)
        for port in service.ports:
            gate = _gate(itself, port.target, direct, refused)
            if gate is None:
                continue
            for policy, grant in self._through(policies, port.is_http, port.number):
                placed = replace(
                    grant, callee=service.name, callers=grant.callers - not_through, ports=Intervals.one(port.target)
                )
                if policy is None or policy.action == ALLOW:
                    allows.append(replace(placed, conditional=grant.conditional or gate))
                else:
                    denies.append(placed)

    def outside(self, enrolment: _Enrolment) -> tuple[list[Grant], list[Grant]]:
        """Who of a namespace gets to the hosts that it declares. One without a waypoint anybody gets to."""
        allows: list[Grant] = []
        denies: list[Grant] = []
        for (namespace, host), ports in leaving(self._world.graph).items():
            inside = frozenset(s.name for s in self._world.graph.services.values() if s.namespace == namespace)
            entries = [one for one in self._entries if one.namespace == namespace and host in one.hosts]
            for number in ports:
                found: Iterable[tuple[Optional[AuthorizationPolicy], Grant]] = [(None, _open(inside))]
                for entry in entries:
                    name = enrolment.waypoint("ServiceEntry", namespace, entry.name)
                    protocol = dict(entry.ports).get(number)
                    if name and protocol is not None:
                        policies = self._policies("ServiceEntry", namespace, entry.name, name)
                        found = self._through(policies, protocol in HTTP, number)
                        break
                for policy, grant in found:
                    callers = grant.callers & inside
                    placed = replace(grant, callee=f"host:{host}", callers=callers, ports=Intervals.one(number))
                    allowing = policy is None or policy.action == ALLOW
                    (allows if allowing else denies).append(replace(placed, way=f"{THROUGH} {namespace}"))
        return allows, denies

    def _through(
        self, policies: Sequence[AuthorizationPolicy], http: bool, number: int
    ) -> Iterable[tuple[Optional[AuthorizationPolicy], Grant]]:
        """Grants and denials at one port of a Service; no policy where none allows, so that everybody gets through."""
        if not any(policy.action == ALLOW for policy in policies):
            yield None, _open(self._matcher.identified)
        for policy in policies:
            for rule in policy.rules:
                found = self._matcher.rule(
                    rule, policy.namespace, denies=policy.action != ALLOW, http=http, mode=STRICT
                )
                if found is None:
                    continue
                sure, possible = found.callers
                if policy.action == CUSTOM:
                    sure = frozenset()
                for ports, requests in found.operations:
                    if number in ports:
                        for callers, conditional in ((sure, False), (possible - sure, True)):
                            yield (
                                policy,
                                Grant(callers, "", ALL_PORTS, requests, TCP, policy.label, conditional, THROUGH),
                            )


def _open(callers: Ids) -> Grant:
    return Grant(callers, "", ALL_PORTS, way=THROUGH)


def _gate(itself: str, port: int, direct: Sequence[Grant], refused: Sequence[Grant]) -> Optional[bool]:
    """Whether ztunnel lets the waypoint in only perhaps; None where it surely does not."""

    def those(grants: Iterable[Grant]) -> list[Grant]:
        return [grant for grant in grants if itself in grant.callers and port in grant.ports]

    granting, refusing = those(direct), those(refused)
    if not granting or not all(grant.conditional for grant in refusing):
        return None
    return bool(refusing) or all(grant.conditional for grant in granting)
