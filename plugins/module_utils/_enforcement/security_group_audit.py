# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS security groups really allow (Amazon VPC User Guide, "Security groups"; EC2 API, ``IpPermission``).

Documents have the form of ``aws ec2 describe-security-groups``: rendered by ``security_group.py``, or read from an
account. A service is in the group that the graph names for it; a group of that name stands for it, in whichever VPC.

- Rules only allow, and they add up. A flow between services needs the caller's egress and the callee's ingress; whoever
  is in no group of ours has no egress of ours. Answers pass, as security groups are stateful.
- A group whose services are declared, but which no document describes, lets nothing pass.
- Protocol ``-1`` is every protocol and port; protocols without ports, such as ICMP, carry no flow.
- A network opens addresses. It also opens services, as a security group does not care who has an address: all of them
  where it holds all of the cluster's pod and node networks of one family, or is 0.0.0.0/0.
- Groups that nobody declared, of this account or of others, and prefix lists, whose content is not known, are ids of
  their own: ``group:…`` and ``prefix-list:…``.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.both_sides import (
    PROTOCOLS,
    Opening,
    Refusal,
    Side,
    everything,
    meet,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import (
    Documents,
    Mentions,
    Sourced,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.selectors import malformed, sequence
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import SCTP, TCP, UDP, FlowSet, Ids
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import ALL_PORTS, Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Caller, Gateway, Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import show
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World

NUMBERS = {"tcp": TCP, "6": TCP, "udp": UDP, "17": UDP, "132": SCTP}
"""Protocols by name, where AWS has one, and by number."""

Ports = tuple[tuple[str, Intervals], ...]

EVERY_PORT: Ports = tuple((protocol, ALL_PORTS) for protocol in PROTOCOLS)


class Reference(NamedTuple):
    """A group as a rule names it."""

    ident: str
    name: str
    account: str


class Permission(NamedTuple):
    ports: Ports
    groups: tuple[Reference, ...]
    cidrs: tuple[str, ...]
    prefix_lists: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    label: str
    name: str
    ident: str
    account: str
    ingress: tuple[Permission, ...]
    egress: tuple[Permission, ...]


def members(graph: Graph) -> dict[str, Ids]:
    """The services of each group, by the group's name."""
    found: dict[str, set[str]] = defaultdict(set)
    for service in graph.services.values():
        found[graph.security_group(service)].add(service.name)
    return {name: frozenset(services) for name, services in found.items()}


def declared_groups(world: World) -> dict[str, Ids]:
    """Who is in the groups of callers and gateways, by the group's id. Several may share one."""
    found: dict[str, Ids] = {}
    ends: list[Union[Caller, Gateway]] = [*world.graph.callers.values(), *world.graph.gateways.values()]
    for end in ends:
        if end.security_group:
            found[end.security_group] = found.get(end.security_group, frozenset()) | world.callers(end.name)
    return found


def parse(documents: Documents) -> list[Group]:
    """The groups of all documents. Raises :class:`PlatformError` for one that the API could not have answered."""
    return [group for item in documents for group in _groups(item)]


def _groups(item: Sourced) -> Iterator[Group]:
    groups = item.document.get("SecurityGroups")
    if not isinstance(groups, list):
        return
    where = f" ({item.source})" if item.source else ""
    for index, group in enumerate(groups):
        place = f"SecurityGroups[{index}]{where}"
        if not isinstance(group, dict):
            raise malformed(place, f"{show(group)} is not a mapping")
        name, ident, account = (_text(group, key, place) for key in ("GroupName", "GroupId", "OwnerId"))
        if not name and not ident:
            raise malformed(place, "has neither GroupName nor GroupId")
        label = f"SecurityGroup {name or ident}{where}"
        yield Group(
            label,
            name,
            ident,
            account,
            _permissions(group, "IpPermissions", label),
            _permissions(group, "IpPermissionsEgress", label),
        )


def _text(item: Mapping[str, Any], key: str, place: str) -> str:
    value = item.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed(f"{place}.{key}", f"{show(value)} is not text")
    return value


def _permissions(group: Mapping[str, Any], key: str, label: str) -> tuple[Permission, ...]:
    found = []
    for index, item in enumerate(sequence(group.get(key), f"{label}: {key}")):
        place = f"{label}: {key}[{index}]"
        if not isinstance(item, dict):
            raise malformed(place, f"{show(item)} is not a mapping")
        ports = _ports(item, place)
        references = tuple(
            Reference(*(_text(pair, name, place) for name in ("GroupId", "GroupName", "UserId")))
            for pair in _items(item, "UserIdGroupPairs", place)
        )
        cidrs = tuple(
            _cidr(entry.get(name), f"{place}.{kind}")
            for kind, name in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6"))
            for entry in _items(item, kind, place)
        )
        lists = tuple(_text(entry, "PrefixListId", place) for entry in _items(item, "PrefixListIds", place))
        found.append(Permission(ports, references, cidrs, lists))
    return tuple(found)


def _items(item: Mapping[str, Any], key: str, place: str) -> list[Mapping[str, Any]]:
    found = sequence(item.get(key), f"{place}.{key}")
    for entry in found:
        if not isinstance(entry, dict):
            raise malformed(f"{place}.{key}", f"{show(entry)} is not a mapping")
    return found


def _ports(item: Mapping[str, Any], place: str) -> Ports:
    protocol = _text(item, "IpProtocol", place).lower()
    if protocol == "-1":
        return EVERY_PORT
    if not protocol:
        raise malformed(f"{place}.IpProtocol", "is missing")
    if protocol not in NUMBERS:
        return ()
    low, high = item.get("FromPort"), item.get("ToPort")
    if low in (None, -1) and high in (None, -1):
        return ((NUMBERS[protocol], ALL_PORTS),)
    for key, value in (("FromPort", low), ("ToPort", high)):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 65535:
            raise malformed(f"{place}.{key}", f"{show(value)} is not a port from 0 to 65535")
    return ((NUMBERS[protocol], Intervals.of((max(low, 1), high))),)  # type: ignore[type-var,arg-type]


def _cidr(value: Any, place: str) -> str:
    network = _network(value) if isinstance(value, str) else None
    if network is None:
        raise malformed(place, f"{show(value)} is not a network in CIDR notation")
    return str(network)


@lru_cache(maxsize=4096)
def _network(text: str) -> Any:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def mentions(documents: Documents) -> Mentions:
    """The networks that the groups' rules name."""
    rules = (rule for group in parse(documents) for rule in (*group.ingress, *group.egress))
    return Mentions(tuple(dict.fromkeys(cidr for rule in rules for cidr in rule.cidrs)))


class _Ends:
    """The other ends of rules as ids."""

    def __init__(self, world: World, groups: Sequence[Group]) -> None:
        self._world = world
        self.members = members(world.graph)
        self._declared = declared_groups(world)
        self._names = {group.ident: group.name for group in groups if group.ident}
        graph = world.graph
        self._own_networks = [_network(cidr) for cidr in (*graph.cluster.pod_cidrs, *graph.cluster.node_cidrs)]
        self._by_cidr: dict[str, Ids] = {}

    def of(self, rule: Permission, group: Group) -> Ids:
        sets = [
            *(self._group(reference, group) for reference in rule.groups),
            *(self._network(cidr) for cidr in rule.cidrs),
            *(frozenset((f"prefix-list:{ident}",)) for ident in rule.prefix_lists),
        ]
        return sets[0] if len(sets) == 1 else frozenset[str]().union(*sets)

    def _group(self, reference: Reference, group: Group) -> Ids:
        declared = self._declared.get(reference.ident)
        if declared is not None:
            return declared
        if reference.account and group.account and reference.account != group.account:
            return frozenset((f"group:{reference.account}/{reference.ident or reference.name}",))
        name = self._names.get(reference.ident, "") or reference.name
        return self.members.get(name) or frozenset((f"group:{name or reference.ident}",))

    def _network(self, cidr: str) -> Ids:
        found = self._by_cidr.get(cidr)
        if found is None:
            found = self._world.addresses.within(cidr)
            if self._holds_services(cidr):
                found |= self._world.services
            self._by_cidr[cidr] = found
        return found

    def _holds_services(self, cidr: str) -> bool:
        network = _network(cidr)
        own = [other for other in self._own_networks if other.version == network.version]
        return all(other.subnet_of(network) for other in own) if own else cidr == "0.0.0.0/0"


def flows(documents: Documents, world: World) -> FlowSet:
    """The flows that the groups allow to and from the declared services.

    Raises :class:`PlatformError` for a document that the API could not have answered.
    """
    groups = parse(documents)
    ends = _Ends(world, groups)
    into, out_of = Side(), Side()
    labels: dict[str, list[str]] = {name: [] for name in ends.members}
    everybody = set(world.addresses.everywhere | world.services)
    for group in groups:
        own = ends.members.get(group.name)
        if own is None:
            continue
        labels[group.name].append(group.label)
        for rule in group.ingress:
            callers = ends.of(rule, group)
            everybody |= callers
            for protocol, ports in rule.ports:
                into.add(own, Opening(callers, protocol, ports, group.label))
        for rule in group.egress:
            callees = ends.of(rule, group)
            everybody |= callees
            for protocol, ports in rule.ports:
                out_of.add(callees, Opening(own, protocol, ports, group.label))

    entering, leaving = into.by_callee(), out_of.by_callee()
    others = everything(frozenset(everybody) - world.services)
    ours = everything(world.services)

    def inward(callee: str) -> Sequence[Opening]:
        return entering.get(callee, ()) if callee in world.services else ours

    def outward(callee: str) -> Sequence[Opening]:
        own = leaving.get(callee, ())
        return (*own, *others) if callee in world.services else own

    restricting = {ends.members[name]: known or [f"no security group {name}"] for name, known in labels.items()}
    return FlowSet.of(
        meet(everybody, inward, outward, world.services),
        refused_by=Refusal(entering, leaving, restricting, restricting),
    )
