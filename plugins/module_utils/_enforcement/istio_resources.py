# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Istio's resources as they were written, read into dataclasses.

Any version of ``security.istio.io`` and ``networking.istio.io`` is read, as the versions say the same. Kinds that say
nothing about who may call whom are passed over. What Istio's admission webhook or kubectl would refuse raises a
``PlatformError`` that names the document, the field and the value.

The conditions of a rule, which the API spreads over ``from``, ``to`` and ``when``, become one form, :class:`Term`, by
the names that ``when`` has for them (Istio reference, "Authorization Policy Conditions").
"""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, NamedTuple, Optional, TypeVar

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Documents, Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.selectors import (
    malformed,
    mapping,
    sequence,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import show, suggestion

Strings = tuple[str, ...]

PRINCIPAL = "source.principal"
NAMESPACE = "source.namespace"
SERVICE_ACCOUNT = "source.serviceAccount"
SOURCE_TRUST_DOMAIN = "source.trustDomain"
SOURCE_IP = "source.ip"
REMOTE_IP = "remote.ip"
REQUEST_PRINCIPAL = "request.auth.principal"
PORT = "destination.port"
# These three have no name in ``when``.
HOST = "request.host"
METHOD = "request.method"
PATH = "request.path"

SOURCE = {
    "principals": PRINCIPAL,
    "namespaces": NAMESPACE,
    "serviceAccounts": SERVICE_ACCOUNT,
    "trustDomains": SOURCE_TRUST_DOMAIN,
    "ipBlocks": SOURCE_IP,
    "remoteIpBlocks": REMOTE_IP,
    "requestPrincipals": REQUEST_PRINCIPAL,
}
OPERATION = {"hosts": HOST, "ports": PORT, "methods": METHOD, "paths": PATH}
OF_OPERATION = (PORT, "destination.ip", "connection.sni")
WHEN = (*OF_OPERATION, *SOURCE.values(), "request.auth.audiences", "request.auth.presenter")
WHEN_WITH_NAME = ("request.headers[", "request.auth.claims[", "experimental.envoy.filters.")

ALLOW, DENY, CUSTOM, AUDIT = "ALLOW", "DENY", "CUSTOM", "AUDIT"
STRICT, PERMISSIVE, DISABLE, UNSET = "STRICT", "PERMISSIVE", "DISABLE", "UNSET"

TRUE = ("1", "t", "T", "TRUE", "true", "True")
"""What Go's ``strconv.ParseBool`` takes for true."""


class Term(NamedTuple):
    """That an attribute has one of the values, or, negated, none of them."""

    attribute: str
    values: Strings
    negated: bool = False


@dataclass(frozen=True)
class Rule:
    """Matches where one of the sources and one of the operations does; each is a conjunction of terms."""

    sources: tuple[tuple[Term, ...], ...]
    operations: tuple[tuple[Term, ...], ...]


@dataclass(frozen=True)
class Resource:
    label: str
    namespace: str
    name: str
    created: str
    """RFC 3339, or nothing for a document that was never in a cluster."""

    @property
    def age(self) -> Strings:
        """Sorts as Istio does where only one of several resources can count: the oldest, then by name."""
        return self.created, self.name, self.namespace


@dataclass(frozen=True)
class AuthorizationPolicy(Resource):
    selector: Mapping[str, str]
    action: str
    rules: tuple[Rule, ...]
    targets: tuple[tuple[str, str], ...] = ()
    """Kind and name of what it is attached to, in place of workloads: waypoints judge it, and nobody else."""


@dataclass(frozen=True)
class PeerAuthentication(Resource):
    selector: Mapping[str, str]
    mode: str
    port_modes: Mapping[int, str]


@dataclass(frozen=True)
class Listener:
    """An egress listener of a Sidecar. ``port`` 0 is any port; the hosts are ``(namespace, name)``."""

    port: int
    hosts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Sidecar(Resource):
    selector: Mapping[str, str]
    listeners: tuple[Listener, ...]
    mode: str
    """``REGISTRY_ONLY`` or ``ALLOW_ANY``."""


@dataclass(frozen=True)
class ServiceEntry(Resource):
    hosts: Strings
    addresses: Strings
    export_to: Strings
    ports: tuple[tuple[int, str], ...]
    """Numbers with their protocols."""
    resolution: str


@dataclass
class Resources:
    policies: list[AuthorizationPolicy] = field(default_factory=list)
    attached: list[AuthorizationPolicy] = field(default_factory=list)
    """Those with ``targetRefs``, which sidecars and ztunnel do not read."""
    peer_authentications: list[PeerAuthentication] = field(default_factory=list)
    sidecars: list[Sidecar] = field(default_factory=list)
    service_entries: list[ServiceEntry] = field(default_factory=list)


def read(documents: Documents) -> Resources:
    found = Resources()
    for item in documents:
        document = item.document
        group = str(document.get("apiVersion")).partition("/")[0]
        kind = document.get("kind") if group in ("security.istio.io", "networking.istio.io") else None
        if kind == "AuthorizationPolicy":
            policy = _authorization_policy(item)
            if policy:
                (found.attached if policy.targets else found.policies).append(policy)
        elif kind == "PeerAuthentication":
            found.peer_authentications.append(_peer_authentication(item))
        elif kind == "Sidecar":
            found.sidecars.append(_sidecar(item))
        elif kind == "ServiceEntry":
            found.service_entries.append(_service_entry(item))
    found.peer_authentications.sort(key=lambda resource: resource.age)
    found.sidecars.sort(key=lambda resource: resource.age)
    return found


def _meta(item: Sourced) -> tuple[str, str, str, str]:
    meta = item.document.get("metadata") or {}
    if not isinstance(meta, Mapping):
        raise malformed(f"{item.document.get('kind')} ({item.source})", f"metadata {show(meta)} is not a mapping")
    created = meta.get("creationTimestamp")
    return item.label, str(meta.get("namespace") or "default"), str(meta.get("name") or ""), str(created or "")


def _spec(item: Sourced, *known: str) -> Mapping[str, Any]:
    return mapping(item.document.get("spec"), f"{item.label} spec", known)


def _text(value: Any, place: str, *choices: str) -> str:
    """One of the choices; the first is the default of the API."""
    if value is None:
        return choices[0]
    if value not in choices:
        raise malformed(place, f"{show(value)} is not one of {', '.join(choices)}{suggestion(str(value), choices)}")
    return str(value)


def _strings(value: Any, place: str) -> Strings:
    values = sequence(value, place)
    for index, text in enumerate(values):
        if not isinstance(text, str):
            raise malformed(f"{place}[{index}]", f"{show(text)} is not text (put it in quotes)")
    return tuple(values)


def _labels(value: Any, place: str) -> Mapping[str, str]:
    labels = {} if value is None else value
    if not isinstance(labels, Mapping):
        raise malformed(place, f"{show(labels)} is not a mapping")
    for key, text in labels.items():
        if not isinstance(text, str):
            raise malformed(f"{place}.{key}", f"{show(text)} is not text (put it in quotes)")
    return labels


def _selector(spec: Mapping[str, Any], place: str) -> Mapping[str, str]:
    selector = mapping(spec.get("selector"), f"{place} spec.selector", ("matchLabels",))
    return _labels(selector.get("matchLabels"), f"{place} spec.selector.matchLabels")


def _authorization_policy(item: Sourced) -> Optional[AuthorizationPolicy]:
    label, namespace, name, created = _meta(item)
    spec = _spec(item, "selector", "targetRef", "targetRefs", "rules", "action", "provider")
    action = _text(spec.get("action"), f"{label} spec.action", ALLOW, DENY, CUSTOM, AUDIT)
    annotations = _labels((item.document.get("metadata") or {}).get("annotations"), f"{label} metadata.annotations")
    rules = tuple(
        _rule(rule, f"{label} spec.rules[{index}]")
        for index, rule in enumerate(sequence(spec.get("rules"), f"{label} spec.rules"))
    )
    # Logging changes nothing, and a dry run neither.
    if action == AUDIT or str(annotations.get("istio.io/dry-run")) in TRUE:
        return None
    selector, targets = _selector(spec, label), tuple(_targets(spec, label))
    return AuthorizationPolicy(label, namespace, name, created, selector, action, rules, targets)


def _targets(spec: Mapping[str, Any], label: str) -> Iterable[tuple[str, str]]:
    single = [spec["targetRef"]] if spec.get("targetRef") else []
    for index, value in enumerate(sequence(spec.get("targetRefs"), f"{label} spec.targetRefs") or single):
        target = mapping(value, f"{label} spec.targetRefs[{index}]", ("group", "kind", "name", "namespace"))
        yield str(target.get("kind")), str(target.get("name"))


def _rule(value: Any, place: str) -> Rule:
    rule = mapping(value, place, ("from", "to", "when"))
    sources, operations = [], []
    of_source: list[Term] = []
    of_operation: list[Term] = []
    for index, condition in enumerate(sequence(rule.get("when"), f"{place}.when")):
        for term in _condition(condition, f"{place}.when[{index}]"):
            (of_operation if _is_of_operation(term.attribute) else of_source).append(term)
    for index, item in enumerate(sequence(rule.get("from"), f"{place}.from")):
        at = f"{place}.from[{index}]"
        fields = mapping(item, at, ("source",)).get("source")
        sources.append((*_terms(fields, _SOURCE_FIELDS, f"{at}.source"), *of_source))
    for index, item in enumerate(sequence(rule.get("to"), f"{place}.to")):
        at = f"{place}.to[{index}]"
        fields = mapping(item, at, ("operation",)).get("operation")
        operations.append((*_terms(fields, _OPERATION_FIELDS, f"{at}.operation"), *of_operation))
    return Rule(tuple(sources) or (tuple(of_source),), tuple(operations) or (tuple(of_operation),))


def _with_negations(names: Mapping[str, str]) -> dict[str, tuple[str, bool]]:
    negated = {"not" + key[0].upper() + key[1:]: (attribute, True) for key, attribute in names.items()}
    return {**{key: (attribute, False) for key, attribute in names.items()}, **negated}


_SOURCE_FIELDS = _with_negations(SOURCE)
_OPERATION_FIELDS = _with_negations(OPERATION)


def _terms(value: Any, known: Mapping[str, tuple[str, bool]], place: str) -> list[Term]:
    found = []
    for key, listed in mapping(value, place, known).items():
        at = f"{place}.{key}"
        values = _strings(listed, at)
        if values:
            attribute, negated = known[key]
            found.append(_checked(Term(attribute, tuple(sorted(set(values))), negated), at))
    return found


def _condition(value: Any, place: str) -> Iterable[Term]:
    condition = mapping(value, place, ("key", "values", "notValues"))
    key = condition.get("key")
    if not isinstance(key, str) or not (key in WHEN or key.startswith(WHEN_WITH_NAME)):
        raise malformed(f"{place}.key", f"{show(key)} is not an attribute that Istio knows{suggestion(str(key), WHEN)}")
    for field_name, negated in (("values", False), ("notValues", True)):
        values = _strings(condition.get(field_name), f"{place}.{field_name}")
        if values:
            yield _checked(Term(key, tuple(sorted(set(values))), negated), f"{place}.{field_name}")


def _is_of_operation(attribute: str) -> bool:
    return attribute in OF_OPERATION or attribute.startswith("experimental.")


def _checked(term: Term, place: str) -> Term:
    if term.attribute in (SOURCE_IP, REMOTE_IP):
        for value in term.values:
            _network(value, place)
    elif term.attribute == PORT:
        for value in term.values:
            if not (value.isdecimal() and int(value) <= 65535):
                raise malformed(place, f"{show(value)} is not a port")
    elif term.attribute == HOST:
        return term._replace(values=tuple(sorted({value.lower() for value in term.values})))
    return term


@lru_cache(maxsize=4096)
def _is_network(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return True


def _network(value: str, place: str) -> str:
    if not _is_network(value):
        raise malformed(place, f"{show(value)} is neither an address nor a network in CIDR notation")
    return value


def _peer_authentication(item: Sourced) -> PeerAuthentication:
    label, namespace, name, created = _meta(item)
    spec = _spec(item, "selector", "mtls", "portLevelMtls")
    ports = spec.get("portLevelMtls") or {}
    if not isinstance(ports, Mapping):
        raise malformed(f"{label} spec.portLevelMtls", f"{show(ports)} is not a mapping")
    modes = {}
    for port, value in ports.items():
        place = f"{label} spec.portLevelMtls.{port}"
        if not str(port).isdecimal():
            raise malformed(place, f"{show(port)} is not a port")
        modes[int(port)] = _mode(value, place)
    mode = _mode(spec.get("mtls"), f"{label} spec.mtls")
    return PeerAuthentication(label, namespace, name, created, _selector(spec, label), mode, modes)


def _mode(value: Any, place: str) -> str:
    return _text(mapping(value, place, ("mode",)).get("mode"), f"{place}.mode", UNSET, DISABLE, PERMISSIVE, STRICT)


def _sidecar(item: Sourced) -> Sidecar:
    label, namespace, name, created = _meta(item)
    spec = _spec(item, "workloadSelector", "ingress", "egress", "inboundConnectionPool", "outboundTrafficPolicy")
    selector = mapping(spec.get("workloadSelector"), f"{label} spec.workloadSelector", ("labels",))
    labels = _labels(selector.get("labels"), f"{label} spec.workloadSelector.labels")
    listeners = []
    for index, value in enumerate(sequence(spec.get("egress"), f"{label} spec.egress")):
        place = f"{label} spec.egress[{index}]"
        egress = mapping(value, place, ("port", "bind", "captureMode", "hosts"))
        port = mapping(egress.get("port"), f"{place}.port", ("number", "protocol", "name", "targetPort"))
        number = 0 if port.get("protocol") == "HTTP_PROXY" else _whole(port.get("number", 0), f"{place}.port.number")
        # A host without its namespace matches nothing; Istio logs it and goes on.
        hosts = [host for host in _strings(egress.get("hosts"), f"{place}.hosts") if host.count("/") == 1]
        listeners.append(
            Listener(number, tuple((part[0], part[2]) for part in (host.partition("/") for host in hosts)))
        )
    policy = spec.get("outboundTrafficPolicy")
    place = f"{label} spec.outboundTrafficPolicy"
    # Nothing said is the mesh's policy, ALLOW_ANY by default; an empty policy is the API's zero, REGISTRY_ONLY.
    mode = "ALLOW_ANY"
    if policy is not None:
        fields = mapping(policy, place, ("mode", "egressProxy"))
        mode = _text(fields.get("mode"), f"{place}.mode", "REGISTRY_ONLY", "ALLOW_ANY")
    return Sidecar(label, namespace, name, created, labels, tuple(listeners) or (Listener(0, (("*", "*"),)),), mode)


def _whole(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise malformed(place, f"{show(value)} is not a whole number")
    return value


def _service_entry(item: Sourced) -> ServiceEntry:
    label, namespace, name, created = _meta(item)
    spec = _spec(
        item,
        *("hosts", "addresses", "ports", "location", "resolution"),
        *("endpoints", "workloadSelector", "exportTo", "subjectAltNames"),
    )
    ports = []
    for index, value in enumerate(sequence(spec.get("ports"), f"{label} spec.ports")):
        place = f"{label} spec.ports[{index}]"
        port = mapping(value, place, ("number", "protocol", "name", "targetPort"))
        ports.append((_whole(port.get("number"), f"{place}.number"), str(port.get("protocol") or "").upper()))
    resolutions = ("NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS")
    return ServiceEntry(
        label,
        namespace,
        name,
        created,
        tuple(host.lower() for host in _strings(spec.get("hosts"), f"{label} spec.hosts")),
        tuple(
            _network(address, f"{label} spec.addresses")
            for address in _strings(spec.get("addresses"), f"{label} spec.addresses")
        ),
        _strings(spec.get("exportTo"), f"{label} spec.exportTo") or ("*",),
        tuple(ports),
        _text(spec.get("resolution"), f"{label} spec.resolution", *resolutions),
    )


Selecting = TypeVar("Selecting", AuthorizationPolicy, PeerAuthentication, Sidecar)


class BySelector(Generic[Selecting]):
    """Resources by namespace and one of the labels they select by, so that a workload meets only likely ones."""

    def __init__(self, resources: Iterable[Selecting]) -> None:
        resources = list(resources)
        common = Counter(label for resource in resources for label in resource.selector.items())
        self._found: dict[tuple[str, tuple[str, str]], list[tuple[int, Selecting]]] = defaultdict(list)
        for index, resource in enumerate(resources):
            rarest = min(resource.selector.items(), key=common.__getitem__, default=("", ""))
            self._found[resource.namespace, rarest].append((index, resource))

    def select(self, namespace: str, labels: Mapping[str, str]) -> list[Selecting]:
        """The resources of the namespace that select these labels, in the order in which they were given."""
        found = [
            entry
            for label in (("", ""), *labels.items())
            for entry in self._found.get((namespace, label), ())
            if entry[1].selector.items() <= labels.items()
        ]
        return [resource for _index, resource in sorted(found, key=lambda entry: entry[0])]
