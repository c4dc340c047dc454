# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkPolicies (networking.k8s.io/v1) as the API server reads them: its defaults filled in, its refusals made.

- ``policyTypes`` left out or empty: ``Ingress``, and ``Egress`` if there is an egress rule.
- ``from``, ``to`` and ``ports`` left out or empty mean everybody and every port; ``ingress: []`` means nothing.
- A pod selector alone means the policy's own namespace, a namespace selector alone all pods there, both together both.
- A policy without ``metadata.namespace`` is one of the namespace ``default``.

Other kinds (AdminNetworkPolicy, CiliumNetworkPolicy, Calico's NetworkPolicy) are passed over. A document that the API
server would refuse is an error that names it and the field.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Optional, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.both_sides import (
    PROTOCOLS,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import (
    Documents,
    Mentions,
    Sourced,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.selectors import (
    Selector,
    equal,
    malformed,
    mapping,
    sequence,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.selectors import parse as parse_selector
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.fields import PORT_NAME
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import TCP
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import ALL_PORTS, Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import show

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""Set on every namespace by the API server, and nobody can change it (Kubernetes 1.21)."""


class Pods(NamedTuple):
    """Pods by their namespaces' labels and their own. (Named tuples: hundreds of thousands are made and hashed.)"""

    namespaces: Selector
    labels: Selector


class Block(NamedTuple):
    cidr: str
    excepted: tuple[str, ...]


Peers = Optional[tuple[Union[Pods, Block], ...]]
"""None: everybody."""

Port = tuple[str, Union[Intervals, str]]
"""Protocol, and numbers or a name."""

Ports = tuple[Port, ...]

EVERY_PORT: Ports = tuple((protocol, ALL_PORTS) for protocol in PROTOCOLS)


class Rule(NamedTuple):
    peers: Peers
    ports: Ports


@dataclass(frozen=True)
class Policy:
    label: str
    namespace: str
    subjects: Pods
    ingress: Optional[tuple[Rule, ...]]
    """None where the policy does not isolate in this direction."""
    egress: Optional[tuple[Rule, ...]]


def parse(documents: Documents) -> list[Policy]:
    """The policies among the documents. Raises :class:`PlatformError` for one that the API server would refuse."""
    return [_policy(item) for item in documents if is_network_policy(item.document)]


def is_network_policy(document: Mapping[str, Any]) -> bool:
    version = document.get("apiVersion")
    return (
        document.get("kind") == "NetworkPolicy"
        and isinstance(version, str)
        and version.startswith("networking.k8s.io/")
    )


def _policy(item: Sourced) -> Policy:
    about = item.document.get("metadata")
    if about is not None and not isinstance(about, Mapping):
        raise malformed(f"NetworkPolicy ({item.source}): metadata", f"{show(about)} is not a mapping")
    label = item.label
    namespace = str((about or {}).get("namespace") or "default")
    place = f"{label}: spec"
    spec = mapping(item.document.get("spec"), place, ("podSelector", "policyTypes", "ingress", "egress"))
    ingress, egress = (sequence(spec.get(key), f"{place}.{key}") for key in ("ingress", "egress"))
    types = sequence(spec.get("policyTypes"), f"{place}.policyTypes")
    for word in types:
        if word not in ("Ingress", "Egress"):
            raise malformed(f"{place}.policyTypes", f"{show(word)} is not Ingress or Egress")
    types = types or ["Ingress", *(["Egress"] if egress else [])]
    own = equal(((NAMESPACE_LABEL, namespace),))
    return Policy(
        label,
        namespace,
        _pods(own, parse_selector(spec.get("podSelector"), f"{place}.podSelector")),
        _rules(ingress, "from", own, f"{place}.ingress") if "Ingress" in types else None,
        _rules(egress, "to", own, f"{place}.egress") if "Egress" in types else None,
    )


@lru_cache(maxsize=16384)
def _pods(namespaces: Selector, labels: Selector) -> Pods:
    return Pods(namespaces, labels)


def _rules(rules: Iterable[Any], key: str, own: Selector, place: str) -> tuple[Rule, ...]:
    return tuple(_rule(rule, key, own, f"{place}[{index}]") for index, rule in enumerate(rules))


def _rule(rule: Any, key: str, own: Selector, place: str) -> Rule:
    fields = mapping(rule, place, (key, "ports"))
    peers = sequence(fields.get(key), f"{place}.{key}")
    ports = sequence(fields.get("ports"), f"{place}.ports")
    return Rule(
        tuple(_peer(peer, own, f"{place}.{key}[{index}]") for index, peer in enumerate(peers)) if peers else None,
        tuple(_port(port, f"{place}.ports[{index}]") for index, port in enumerate(ports)) if ports else EVERY_PORT,
    )


def _peer(peer: Any, own: Selector, place: str) -> Union[Pods, Block]:
    fields = mapping(peer, place, ("podSelector", "namespaceSelector", "ipBlock"))
    pods, namespaces, block = (fields.get(key) for key in ("podSelector", "namespaceSelector", "ipBlock"))
    if block is not None:
        if pods is not None or namespaces is not None:
            raise malformed(place, "has ipBlock beside a selector; make two peers of it")
        return _block(block, f"{place}.ipBlock")
    if pods is None and namespaces is None:
        raise malformed(place, "names nobody; give podSelector, namespaceSelector or ipBlock")
    return _pods(
        own if namespaces is None else parse_selector(namespaces, f"{place}.namespaceSelector"),
        parse_selector(pods, f"{place}.podSelector"),
    )


def _block(block: Any, place: str) -> Block:
    fields = mapping(block, place, ("cidr", "except"))
    cidr = _network(fields.get("cidr"), f"{place}.cidr")
    excepted = [
        _network(item, f"{place}.except[{index}]")
        for index, item in enumerate(sequence(fields.get("except"), f"{place}.except"))
    ]
    for other in excepted:
        if other.version != cidr.version or other == cidr or not other.subnet_of(cidr):
            raise malformed(f"{place}.except", f"{other} is not a part of {cidr}")
    return Block(str(cidr), tuple(map(str, excepted)))


def _network(value: Any, place: str) -> Any:
    found = _networks(value) if isinstance(value, str) and "/" in value else None
    if found is None:
        raise malformed(place, f"{show(value)} is not a network in CIDR notation")
    return found


@lru_cache(maxsize=4096)
def _networks(text: str) -> Any:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _port(port: Any, place: str) -> Port:
    fields = mapping(port, place, ("protocol", "port", "endPort"))
    number, end = fields.get("port"), fields.get("endPort")
    protocol = fields.get("protocol")
    if protocol is None:
        protocol = TCP
    elif protocol not in PROTOCOLS:
        raise malformed(f"{place}.protocol", f"{show(protocol)} is not one of {', '.join(PROTOCOLS)}")
    if isinstance(number, str):
        complaint = PORT_NAME.check(number) if PORT_NAME.check else None
        if complaint:
            raise malformed(f"{place}.port", f"{show(number)} {complaint}; write a number without quotes")
        if end is not None:
            raise malformed(f"{place}.endPort", "stands beside a port name; give numbers")
        return protocol, number
    if number is None:
        if end is not None:
            raise malformed(f"{place}.endPort", "has no port to begin with")
        return protocol, ALL_PORTS
    if not _is_port(number):
        raise malformed(f"{place}.port", f"{show(number)} is not a port from 1 to 65535")
    if end is None:
        return _span(protocol, number, number)
    if not _is_port(end) or end < number:
        raise malformed(f"{place}.endPort", f"{show(end)} is not a port from {number} to 65535")
    return _span(protocol, number, end)


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535


@lru_cache(maxsize=4096)
def _span(protocol: str, low: int, high: int) -> Port:
    return protocol, Intervals(((low, high),))


def named_peers(policy: Policy) -> Iterator[Union[Pods, Block]]:
    """The peers of all rules of a policy, with repetition."""
    for rule in (*(policy.ingress or ()), *(policy.egress or ())):
        yield from rule.peers or ()


def mentions(documents: Documents) -> Mentions:
    """The networks and namespaces that the policies name, with the labels of ``Namespace`` objects beside them.

    What cannot be read is passed over here: :func:`flows` says what is wrong with it.
    """
    cidrs: dict[str, None] = {}
    namespaces: dict[str, Mapping[str, str]] = {}
    for item in documents:
        about = item.document.get("metadata")
        about = about if isinstance(about, dict) else {}
        if item.document.get("kind") == "Namespace" and item.document.get("apiVersion") == "v1" and about.get("name"):
            namespaces[str(about["name"])] = about.get("labels") or {}
        if not is_network_policy(item.document):
            continue
        namespaces.setdefault(str(about.get("namespace") or "default"), {})
        for peer in _raw_peers(item.document.get("spec")):
            for name in _namespaces(peer.get("namespaceSelector")):
                namespaces.setdefault(name, {})
            block = peer.get("ipBlock")
            if isinstance(block, dict):
                excepted = block.get("except")
                for cidr in (block.get("cidr"), *(excepted if isinstance(excepted, list) else ())):
                    if isinstance(cidr, str) and _networks(cidr):
                        cidrs[str(_networks(cidr))] = None
    return Mentions(tuple(cidrs), namespaces)


def _raw_peers(spec: Any) -> Iterator[dict[str, Any]]:
    for direction, key in (("ingress", "from"), ("egress", "to")):
        for rule in _list(spec, direction):
            for peer in _list(rule, key):
                if isinstance(peer, dict):
                    yield peer


def _list(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _namespaces(selector: Any) -> Iterator[str]:
    """The namespaces that a selector names."""
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    names = [labels.get(NAMESPACE_LABEL)] if isinstance(labels, dict) else []
    for expression in _list(selector, "matchExpressions"):
        if isinstance(expression, dict) and expression.get("key") == NAMESPACE_LABEL:
            names += _list(expression, "values")
    return (name for name in names if isinstance(name, str))
