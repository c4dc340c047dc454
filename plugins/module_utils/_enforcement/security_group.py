# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS security groups from the service graph, in the form of the EC2 API's own ``DescribeSecurityGroups``.

One JSON document with a group for each network tier, or for each service without one. Rules name their other end by
group: by ``GroupName`` where it is one of these, by ``GroupId`` where it is a caller's or a gateway's. Each flow stands
in the caller's egress and in the callee's ingress; answers pass by themselves, as security groups are stateful. What is
not said is closed, the egress rule that AWS gives every new group too.

A security group knows groups, networks and ports; it has no exceptions, no host names, no methods and no paths. So

- services of one tier share what is open: :func:`shared` says which flows that opens beyond the graph;
- egress to hosts is open to every address at that port;
- a caller or gateway without networks and without ``security_group`` cannot be named: :func:`untold` says which flows
  that leaves to be opened by hand.

Queries to the VPC's own DNS resolver pass every security group and need no rule (AWS, "Security groups").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import (
    MANAGED_BY,
    Document,
    Rendered,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.security_group_audit import (
    declared_groups,
    members,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError, first_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.fields import INTERNET
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flows import Flow
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import FlowSet, Grant, Ids
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import (
    Aws,
    Caller,
    Egress,
    Gateway,
    Graph,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World

POINT = "security_group"

FILE = "security_group/security_groups.json"

OWNER_TAG = f"{MANAGED_BY}/owner"

DESCRIPTION_LENGTH = 255

GROUP = "group"
ID = "id"
NETWORK = "network"


class Other(NamedTuple):
    """The other end of a rule: a group by name, a group by id, or a network."""

    kind: str
    name: str


Rules = Mapping[str, Mapping[tuple[int, Other], Ids]]
"""By group, port and other end: the flows meant, each as ``caller to callee``."""


def render(graph: Graph) -> Rendered:
    """One file, ``security_group/security_groups.json``.

    Raises :class:`PlatformError` with every group whose name or number of rules AWS would refuse.
    """
    ingress, egress = _rules(graph)
    names = sorted(members(graph))
    _within_limits(graph, names, ingress, egress)
    groups = [
        {
            "GroupName": name,
            # AWS cannot change it later, so it must not depend on what may change.
            "Description": f"{name} of the service graph {graph.name}",
            "IpPermissions": _permissions(ingress.get(name, {})),
            "IpPermissionsEgress": _permissions(egress.get(name, {})),
            "Tags": [{"Key": "Name", "Value": name}, {"Key": OWNER_TAG, "Value": graph.name}],
        }
        for name in names
    ]
    return {FILE: [{"SecurityGroups": groups}]}


def _rules(graph: Graph) -> tuple[Rules, Rules]:
    ingress: dict[str, dict[tuple[int, Other], set[str]]] = defaultdict(lambda: defaultdict(set))
    egress: dict[str, dict[tuple[int, Other], set[str]]] = defaultdict(lambda: defaultdict(set))
    for flow in graph.flows:
        port, text = flow.port.target, f"{flow.caller} to {flow.callee}"
        callee = graph.security_group(graph.services[flow.callee])
        for other in _others(graph, flow.caller):
            ingress[callee][port, other].add(text)
            if other.kind == GROUP:
                egress[other.name][port, Other(GROUP, callee)].add(text)
    for service in graph.services.values():
        for entry in service.egress:
            for cidr in _networks(entry):
                text = f"{service.name} to {', '.join(entry.hosts) or cidr}"
                egress[graph.security_group(service)][entry.port, Other(NETWORK, cidr)].add(text)
    return _frozen(ingress), _frozen(egress)


def _frozen(rules: Mapping[str, Mapping[tuple[int, Other], Iterable[str]]]) -> Rules:
    return {group: {key: frozenset(texts) for key, texts in sorted(inside.items())} for group, inside in rules.items()}


def _others(graph: Graph, name: str) -> list[Other]:
    """By what AWS can tell a caller; nothing where it cannot."""
    if name in graph.services:
        return [Other(GROUP, graph.security_group(graph.services[name]))]
    end = graph.callers.get(name) or graph.gateways[name]
    if end.security_group:
        return [Other(ID, end.security_group)]
    return [Other(NETWORK, cidr) for cidr in getattr(end, "cidrs", ())]


def _networks(egress: Egress) -> tuple[str, ...]:
    return egress.cidrs or INTERNET


def _permissions(rules: Mapping[tuple[int, Other], Ids]) -> list[Document]:
    """One entry a port, as the API answers."""
    ports: dict[int, dict[str, list[dict[str, Any]]]] = {}
    for (port, other), texts in rules.items():
        kinds = ports.setdefault(port, {"UserIdGroupPairs": [], "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": []})
        kind, key = _place(other)
        kinds[kind].append({key: other.name, "Description": _description(texts)})
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **kinds} for port, kinds in ports.items()]


def _place(other: Other) -> tuple[str, str]:
    if other.kind == NETWORK:
        return ("Ipv6Ranges", "CidrIpv6") if ":" in other.name else ("IpRanges", "CidrIp")
    return "UserIdGroupPairs", "GroupId" if other.kind == ID else "GroupName"


def _description(texts: Iterable[str]) -> str:
    """The flows that a rule is for, as many as AWS has room for."""
    texts = sorted(texts)
    for shown in range(len(texts), 0, -1):
        more = f" and {len(texts) - shown} more" if shown < len(texts) else ""
        text = "; ".join(texts[:shown]) + more
        if len(text) <= DESCRIPTION_LENGTH:
            return text
    return texts[0][: DESCRIPTION_LENGTH - 3] + "..."


def _within_limits(graph: Graph, names: Iterable[str], ingress: Rules, egress: Rules) -> None:
    problems = []
    most = (graph.aws or Aws()).max_rules
    for name in names:
        if name.startswith("sg-"):
            problems.append(f"{name!r}: the name of a security group cannot begin with 'sg-'; set aws.group_prefix")
        for direction, rules in (("ingress", ingress), ("egress", egress)):
            count = _count(rules.get(name, {}))
            if count > most:
                problems.append(
                    f"security group {name!r} would have {count} {direction} rules, and aws.max_rules is "
                    f"{most}; put services that call the same into one tier, or have the quota raised "
                    "and aws.max_rules with it"
                )
    if problems:
        raise PlatformError(first_of(problems), "aws_limit", problems)


def _count(rules: Iterable[tuple[int, Other]]) -> int:
    """The rules of one direction as the quota counts them: for IPv4 and IPv6 apart, and each group in both."""
    kinds = [_place(other)[0] for _port, other in rules]
    groups = kinds.count("UserIdGroupPairs")
    return groups + max(kinds.count("IpRanges"), kinds.count("Ipv6Ranges"))


def expected(graph: Graph, world: World) -> FlowSet:
    """The declared flows by group and port: what one service of a tier may do or offer, all of the tier do."""
    inside, outside = members(graph), declared_groups(world)
    callers: dict[tuple[str, int], set[str]] = defaultdict(set)
    for flow in graph.flows:
        key = graph.security_group(graph.services[flow.callee]), flow.port.target
        for kind, name in _others(graph, flow.caller):
            if kind == NETWORK:
                callers[key] |= world.addresses.within(name)
            else:
                callers[key] |= inside[name] if kind == GROUP else outside[name]
    grants = []
    for (group, port), ids in callers.items():
        ports, together = Intervals.one(port), frozenset(ids)
        grants += [Grant(together, callee, ports) for callee in inside[group]]
    leaving: dict[tuple[str, int], set[str]] = defaultdict(set)
    for service in graph.services.values():
        for entry in service.egress:
            for cidr in _networks(entry):
                leaving[cidr, entry.port].update(inside[graph.security_group(service)])
    for (cidr, port), names in leaving.items():
        ports, together = Intervals.one(port), frozenset(names)
        grants += [Grant(together, callee, ports) for callee in world.addresses.within(cidr)]
    return FlowSet.of(grants)


def notes(graph: Graph) -> list[str]:
    """What groups cannot tell apart, a sentence each: it is the point's limit and no finding."""
    found = []
    for rule in shared(graph):
        callers, callees = ", ".join(rule.callers), ", ".join(rule.callees)
        more = f"{rule.undeclared} more than the graph says"
        found.append(f"{callers} share a group, so TCP {rule.port} of {callees} is open to {more}.")
    calls: dict[str, set[str]] = defaultdict(set)
    for flow in untold(graph):
        calls[flow.caller].add(flow.callee)
    for caller, services in sorted(calls.items()):
        whom = ", ".join(sorted(services))
        found.append(f"{caller} has no security group and no network, so its calls of {whom} are not let in.")
    return found


def untold(graph: Graph) -> list[Flow]:
    """The declared flows whose caller has nothing by which a security group could let it in."""
    return [flow for flow in graph.flows if not _others(graph, flow.caller)]


@dataclass(frozen=True)
class Shared:
    """A rule that opens more than the graph says, as services share a group."""

    callers: tuple[str, ...]
    callees: tuple[str, ...]
    """Services, or the one network that an egress rule names."""
    port: int
    undeclared: int
    """How many of the pairs of caller and callee the graph does not say."""


def shared(graph: Graph) -> list[Shared]:
    """The rules that open flows beyond the graph, as services share a tier or callers a security group."""
    inside = members(graph)
    ends: list[Union[Caller, Gateway]] = [*graph.callers.values(), *graph.gateways.values()]
    by_id: dict[str, set[str]] = defaultdict(set)
    for end in ends:
        by_id[end.security_group].add(end.name)
    pairs: dict[tuple[str, int, Other], set[tuple[str, str]]] = defaultdict(set)
    for flow in graph.flows:
        group = graph.security_group(graph.services[flow.callee])
        for other in _others(graph, flow.caller):
            pairs[group, flow.port.target, other].add((flow.caller, flow.callee))
    found = []
    for (group, port, (kind, name)), declared in sorted(pairs.items()):
        if kind == NETWORK:
            callers = frozenset(caller for caller, _callee in declared)
        else:
            callers = inside[name] if kind == GROUP else frozenset(by_id[name])
        # A service's own replicas are no flow of the graph.
        possible = len(callers) * len(inside[group]) - len(inside[group] & callers)
        if possible > len(declared):
            found.append(Shared(tuple(sorted(callers)), tuple(sorted(inside[group])), port, possible - len(declared)))
    leaving: dict[tuple[str, int, str], set[str]] = defaultdict(set)
    for service in graph.services.values():
        for entry in service.egress:
            for cidr in _networks(entry):
                leaving[graph.security_group(service), entry.port, cidr].add(service.name)
    for (group, port, cidr), services in sorted(leaving.items()):
        if len(services) < len(inside[group]):
            found.append(Shared(tuple(sorted(inside[group])), (cidr,), port, len(inside[group]) - len(services)))
    return found
