# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What policies take for granted, and a cluster may not have: the workloads behind them.

Policies select pods by labels, know callers by their service accounts, and count on a sidecar in each pod. Documents do
not tell whether that is so; a live cluster does. Each difference is a :class:`Drift`. Pure::

    graph, objects of a cluster ─▶ [Drift(code, object, text)]

=============================  ========================================================================================
namespace_missing              a namespace of the graph is not there
default_deny_missing           a namespace without a NetworkPolicy that selects all pods and lets nothing in or out
allow_nothing_missing          a namespace without an AuthorizationPolicy that allows nothing
no_injection                   a namespace whose labels do not ask for sidecars, or for ambient mode
no_waypoint                    a namespace whose labels do not lead to its waypoint
service_missing, port_missing  a service of the graph, or a port of it, is not there
wrong_target                   a Service's port leads to another port of the pods
wrong_protocol                 a port with methods or paths that Istio does not take for HTTP, so that rules never match
wrong_selector                 a Service that selects by other labels than policies do
no_pods                        no pod has the labels by which policies select the service
undeclared_pod                 a pod of a namespace of ours that belongs to no declared workload
service_account_missing        a service's account, its identity, is not there
wrong_service_account          pods that run as somebody else
sidecar_missing                pods without a sidecar, or in ambient mode not taken over by ztunnel: they have no
                               identity, and no policy of Istio's holds there
bypass                         annotations that lead traffic past the sidecar, or the host's network
trust_domain                   the mesh has another trust domain, so that no principal matches
outbound_any                   the mesh lets workloads go anywhere outside (ALLOW_ANY)
=============================  ========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.yaml_reader import documents as parsed
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Document
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import WAYPOINT, Graph, Port, Service
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import WAYPOINT_LABELS

BYPASSES = tuple(
    f"traffic.sidecar.istio.io/{name}"
    for name in ("excludeInboundPorts", "excludeOutboundPorts", "excludeOutboundIPRanges", "excludeInterfaces")
)
HTTP_NAMES = ("http", "http2", "grpc", "grpc-web")
"""How a Service's port is named, alone or before a dash, that Istio takes for HTTP (Istio, "Protocol Selection")."""

SIDECAR = "istio-proxy"
WAYPOINT_USE = {"istio.io/use-waypoint": WAYPOINT, "istio.io/ingress-use-waypoint": "true"}
FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Drift:
    code: str
    where: str
    """``Kind namespace/name``."""
    text: str

    def to_data(self) -> dict[str, str]:
        return {"code": self.code, "object": self.where, "text": f"{self.where}: {self.text}."}


class Objects:
    """Objects of a cluster by kind, namespace and name."""

    def __init__(self, found: Iterable[Document]) -> None:
        self._all: dict[tuple[str, str], dict[str, Document]] = {}
        for document in found:
            meta = document["metadata"]
            self._all.setdefault((document["kind"], meta.get("namespace", "")), {})[meta["name"]] = document

    def get(self, kind: str, namespace: str, name: str) -> Optional[Document]:
        return self._all.get((kind, namespace), {}).get(name)

    def within(self, kind: str, namespace: str) -> list[Document]:
        return [found for _name, found in sorted(self._all.get((kind, namespace), {}).items())]


def drifts(graph: Graph, found: Iterable[Document], points: Sequence[str]) -> list[Drift]:
    """Every difference, in a stable order. points: those judged; what only another one needs is not asked for."""
    objects = Objects(found)
    istio = "istio" in points
    told = list(_mesh(graph, objects)) if istio else []
    for namespace in graph.namespaces:
        if objects.get("Namespace", "", namespace) is None:
            told.append(Drift("namespace_missing", f"Namespace {namespace}", "is not there"))
            continue
        told += _namespace(graph, objects, namespace, points)
    for _name, service in sorted(graph.services.items()):
        if objects.get("Namespace", "", service.namespace) is not None:
            told += [*_service(objects, service), *_pods(objects, service, graph.mesh.mode if istio else "")]
    return told


def _mesh(graph: Graph, objects: Objects) -> Iterable[Drift]:
    namespace = graph.mesh.namespace
    maps = [one for one in objects.within("ConfigMap", namespace) if _is_mesh(one)]
    if not maps:
        yield Drift("trust_domain", f"ConfigMap {namespace}/istio", "is not there; is Istio installed there?")
    for found in maps:
        where = f"ConfigMap {namespace}/{found['metadata']['name']}"
        text = (found.get("data") or {}).get("mesh", "")
        config = next((document for document, _line in parsed(text.encode()) if isinstance(document, dict)), {})
        domain = config.get("trustDomain") or "cluster.local"
        if domain != graph.trust_domain:
            yield Drift(
                "trust_domain", where, f"the trust domain is {domain!r}, and the graph's {graph.trust_domain!r}"
            )
        anywhere = (config.get("outboundTrafficPolicy") or {}).get("mode") != "REGISTRY_ONLY"
        # ztunnel never asks.
        if anywhere and graph.mesh.mode == "sidecar":
            yield Drift("outbound_any", where, "workloads without a Sidecar resource may call anything (ALLOW_ANY)")


def _is_mesh(config_map: Document) -> bool:
    """A revision's mesh config, beside which istiod keeps roots, locks and addresses in ConfigMaps `istio-*`."""
    name = config_map["metadata"]["name"]
    return (name == "istio" or name.startswith("istio-")) and "mesh" in (config_map.get("data") or {})


def _namespace(graph: Graph, objects: Objects, namespace: str, points: Sequence[str]) -> Iterable[Drift]:
    where = f"Namespace {namespace}"
    policies = objects.within("NetworkPolicy", namespace)
    if "network_policy" in points and not any(_denies(policy["spec"]) for policy in policies):
        yield Drift("default_deny_missing", where, "has no NetworkPolicy that denies all pods everything by default")
    if "istio" in points:
        allowing = objects.within("AuthorizationPolicy", namespace)
        if not any(not policy.get("spec") for policy in allowing):
            yield Drift("allow_nothing_missing", where, "has no AuthorizationPolicy that allows nothing by default")
        labels = (objects.get("Namespace", "", namespace) or {})["metadata"].get("labels") or {}
        asked = labels.get("istio.io/dataplane-mode") == "ambient"
        if graph.mesh.mode == "ambient":
            if not asked:
                yield Drift("no_injection", where, "its labels do not ask for ambient mode (istio.io/dataplane-mode)")
            lacking = {key: value for key, value in WAYPOINT_USE.items() if labels.get(key) != value}
            if namespace in graph.waypoints and lacking:
                yield Drift("no_waypoint", where, f"its labels do not lead to its waypoint ({_shown(lacking)})")
        elif not (asked or labels.get("istio-injection") == "enabled" or labels.get("istio.io/rev")):
            yield Drift("no_injection", where, "its labels do not ask for sidecars (istio-injection, istio.io/rev)")
    declared = [end.labels for end in _ends(graph) if end.namespace == namespace]
    if namespace in graph.waypoints:
        declared.append(WAYPOINT_LABELS)
    for pod in _running(objects, namespace):
        labels = pod["metadata"].get("labels") or {}
        if not any(wanted.items() <= labels.items() for wanted in declared):
            yield Drift("undeclared_pod", _label(pod), "belongs to no workload of the graph")


def _ends(graph: Graph) -> Iterable[Any]:
    dns = graph.cluster.dns
    workloads = [caller for caller in graph.callers.values() if not caller.is_network]
    return (*graph.services.values(), *graph.gateways.values(), *workloads, dns)


def _denies(spec: Mapping[str, Any]) -> bool:
    types = spec.get("policyTypes") or ()
    rules = spec.get("ingress") or spec.get("egress")
    return not spec.get("podSelector") and {"Ingress", "Egress"} <= set(types) and not rules


def _running(objects: Objects, namespace: str) -> list[Document]:
    pods = objects.within("Pod", namespace)
    return [pod for pod in pods if (pod.get("status") or {}).get("phase") not in FINISHED]


def _label(document: Document) -> str:
    meta = document["metadata"]
    return f"{document['kind']} {meta['namespace']}/{meta['name']}"


def _service(objects: Objects, service: Service) -> Iterable[Drift]:
    where = f"Service {service.namespace}/{service.name}"
    account = f"{service.namespace}/{service.service_account}"
    if objects.get("ServiceAccount", service.namespace, service.service_account) is None:
        yield Drift("service_account_missing", f"ServiceAccount {account}", f"is not there; it is {service.name}'s")
    found = objects.get("Service", service.namespace, service.name)
    if found is None:
        if service.ports:
            yield Drift("service_missing", where, "is not there")
        return
    spec = found.get("spec") or {}
    if dict(spec.get("selector") or {}) != dict(service.labels):
        yield Drift(
            "wrong_selector", where, f"selects {_shown(spec.get('selector'))}, and policies {_shown(service.labels)}"
        )
    ports = {port.get("port"): port for port in spec.get("ports") or () if port.get("protocol", "TCP") == "TCP"}
    for port in service.ports:
        if port.number not in ports:
            yield Drift("port_missing", where, f"has no port {port.number}")
        else:
            yield from _port(objects, service, where, port, ports[port.number])


def _port(objects: Objects, service: Service, where: str, port: Port, live: Mapping[str, Any]) -> Iterable[Drift]:
    target = live.get("targetPort", port.number)
    numbers = {target}
    if isinstance(target, str):
        pods = _selected(objects, service)
        numbers = {
            one.get("containerPort")
            for pod in pods
            for container in pod["spec"].get("containers") or ()
            for one in container.get("ports") or ()
            if one.get("name") == target
        } or ({port.target} if not pods else {None})
    if numbers != {port.target}:
        led = ", ".join(str(number) for number in sorted(numbers - {None})) or f"{target}, which no pod has"
        yield Drift("wrong_target", where, f"port {port.number} leads to {led}, and policies are about {port.target}")
    protocol = (live.get("appProtocol") or live.get("name") or "").lower()
    known = protocol in HTTP_NAMES or protocol.split("-", 1)[0] in HTTP_NAMES or protocol.startswith("kubernetes.io/")
    if port.is_http and not known:
        yield Drift(
            "wrong_protocol",
            where,
            f"port {port.number} is {port.protocol} in the graph, and neither appProtocol nor its name "
            f"({live.get('name') or 'none'}) says so",
        )


def _selected(objects: Objects, service: Service) -> list[Document]:
    return [
        pod
        for pod in _running(objects, service.namespace)
        if service.labels.items() <= (pod["metadata"].get("labels") or {}).items()
    ]


def _pods(objects: Objects, service: Service, mode: str) -> Iterable[Drift]:
    pods = _selected(objects, service)
    if not pods:
        where = f"Service {service.namespace}/{service.name}"
        yield Drift("no_pods", where, f"there is no pod with the labels {_shown(service.labels)}")
    for pod in pods:
        where, spec = _label(pod), pod["spec"]
        account = spec.get("serviceAccountName") or "default"
        if account != service.service_account:
            yield Drift(
                "wrong_service_account",
                where,
                f"runs as {account!r}, and {service.name} is {service.service_account!r}",
            )
        if spec.get("hostNetwork"):
            yield Drift("bypass", where, "is in its host's network, where neither NetworkPolicies nor sidecars hold")
        if not mode:
            continue
        annotations = pod["metadata"].get("annotations") or {}
        containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        ambient = annotations.get("ambient.istio.io/redirection") == "enabled"
        if mode == "ambient":
            if not ambient:
                yield Drift("sidecar_missing", where, "is not taken over by ztunnel (ambient.istio.io/redirection)")
        elif not ambient and not any(container.get("name") == SIDECAR for container in containers):
            yield Drift("sidecar_missing", where, "has no sidecar")
        for name in BYPASSES:
            if annotations.get(name):
                yield Drift("bypass", where, f"leads traffic past its sidecar ({name}: {annotations[name]})")


def _shown(labels: Optional[Mapping[str, str]]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or "nothing"
