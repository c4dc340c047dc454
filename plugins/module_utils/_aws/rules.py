# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rule of a security group in one form, whoever wrote it, and what rules open together. Pure.

EC2 knows a rule by its group, direction, protocol, ports and other end; description and tags can change. What it gives
back differs from what it got: protocols by number come back by name, ports are left out or -1 where there are none
(EC2 API, ``IpPermission`` and ``SecurityGroupRule``). `Rule` is the same for both.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional, Union

ALL = "-1"
TCP, UDP, ICMP, ICMPV6 = "tcp", "udp", "icmp", "icmpv6"
_NAMES = {"6": TCP, "17": UDP, "1": ICMP, "58": ICMPV6, "all": ALL}
#: No port, and any type or code of ICMP.
ANY = -1
LAST_PORT = 65535

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


class Peer(NamedTuple):
    """The other end. kind: `group` (by name, in this VPC), `id` (a group by id), `network`, or `list` (prefixes)."""

    kind: str
    value: str


class Rule(NamedTuple):
    """low, high: ports, both included; type and code of ICMP; ANY where the protocol has none."""

    egress: bool
    protocol: str
    low: int
    high: int
    peer: Peer

    @property
    def direction(self) -> str:
        return "egress" if self.egress else "ingress"

    def __str__(self) -> str:
        return f"{self.direction} {self._what()} {'to' if self.egress else 'from'} {self.peer.value}"

    def _what(self) -> str:
        if self.protocol == ALL:
            return "all"
        name = self.protocol if self.protocol in (TCP, UDP, ICMP, ICMPV6) else f"protocol {self.protocol}"
        if self.low == ANY:
            return name
        if self.protocol in (ICMP, ICMPV6):
            return f"{name} type {self.low}" + (f" code {self.high}" if self.high != ANY else "")
        return f"{name} {self.low}" + (f"-{self.high}" if self.high != self.low else "")


def protocol_of(value: Any) -> str:
    """A protocol's name, or its number where EC2 has no name for it. Raises ValueError."""
    text = str(value).lower()
    name = _NAMES.get(text, text)
    if name in (ALL, TCP, UDP, ICMP, ICMPV6):
        return name
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or not 0 <= int(text) <= 255:
        raise ValueError(f"{value!r} is no protocol; use tcp, udp, icmp, icmpv6, -1 for all, or a number up to 255")
    return str(int(text))


def ports_of(protocol: str, low: Any, high: Any) -> tuple[int, int]:
    """Ports, or type and code, in one form. Raises ValueError."""
    if protocol in (TCP, UDP):
        for value in (low, high):
            if not _whole(value) or not 0 <= value <= LAST_PORT:
                raise ValueError(f"{value!r} is no port from 0 to {LAST_PORT}; {protocol} needs FromPort and ToPort")
        if low > high:
            raise ValueError(f"FromPort {low} is above ToPort {high}")
        return low, high
    if protocol in (ICMP, ICMPV6):
        kind, code = (ANY if value is None else value for value in (low, high))
        if not all(_whole(value) and ANY <= value <= 255 for value in (kind, code)):
            raise ValueError(
                f"{low!r} and {high!r} are no type and code of {protocol}, each from 0 to 255, or -1 for any"
            )
        return (kind, code) if kind != ANY else (ANY, ANY)
    # EC2 ignores ports of protocols without any.
    return ANY, ANY


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def network_of(text: Any) -> str:
    """A network as EC2 writes it. Raises ValueError."""
    try:
        return str(ipaddress.ip_network(text if isinstance(text, str) else ""))
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text if isinstance(text, str) else "", strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no network in CIDR notation, such as 10.0.0.0/16") from None
    raise ValueError(f"{text!r} has bits of a host; write {meant}")


def of_row(row: Mapping[str, Any]) -> Rule:
    """From an item of `DescribeSecurityGroupRules`."""
    protocol = protocol_of(row["IpProtocol"])
    group = row.get("ReferencedGroupInfo") or {}
    if row.get("CidrIpv4") or row.get("CidrIpv6"):
        peer = Peer("network", str(ipaddress.ip_network(row.get("CidrIpv4") or row["CidrIpv6"], strict=False)))
    elif row.get("PrefixListId"):
        peer = Peer("list", row["PrefixListId"])
    else:
        peer = Peer("id", group.get("GroupId") or "")
    return Rule(bool(row["IsEgress"]), protocol, *_loose(protocol, row.get("FromPort"), row.get("ToPort")), peer)


def _loose(protocol: str, low: Optional[int], high: Optional[int]) -> tuple[int, int]:
    """What EC2 says, which is taken as it is."""
    if protocol in (TCP, UDP, ICMP, ICMPV6):
        first = ANY if low is None else low
        return first, (ANY if high is None or (first == ANY and protocol in (ICMP, ICMPV6)) else high)
    return ANY, ANY


def permission(rule: Rule, peer: Mapping[str, Any], description: str) -> dict[str, Any]:
    """As `AuthorizeSecurityGroupIngress` takes it. peer: how EC2 is told the other end, such as `{"GroupId": …}`."""
    key = {"network": "Ipv6Ranges" if ":" in rule.peer.value else "IpRanges", "list": "PrefixListIds"}
    told: dict[str, Any] = {"IpProtocol": rule.protocol}
    if rule.protocol != ALL:
        told.update(FromPort=rule.low, ToPort=rule.high)
    return {
        **told,
        key.get(rule.peer.kind, "UserIdGroupPairs"): [
            {**peer, **({"Description": description} if description else {})}
        ],
    }


def covered(rule: Rule, others: Iterable[Rule]) -> bool:
    """Whether all that a rule opens is opened by the others together.

    Exact: ports add up, networks add up, protocol -1 holds every other one; a group or prefix list is only itself.
    """
    relevant = [
        other
        for other in others
        if other.egress == rule.egress and other.protocol in (rule.protocol, ALL) and _meets(other.peer, rule.peer)
    ]
    if rule.protocol in (ICMP, ICMPV6):
        kinds = [other for other in relevant if other.protocol == ALL or _holds_type(other, rule)]
        return _holds(kinds, rule.peer)
    if rule.protocol not in (TCP, UDP):
        return _holds(relevant, rule.peer)
    cuts = {rule.low}
    for other in relevant:
        if other.protocol != ALL:
            cuts.update(port for port in (other.low, other.high + 1) if rule.low < port <= rule.high)
    return all(
        _holds([other for other in relevant if other.protocol == ALL or other.low <= port <= other.high], rule.peer)
        for port in cuts
    )


def _holds_type(other: Rule, rule: Rule) -> bool:
    return other.low == ANY or (other.low == rule.low and other.high in (ANY, rule.high))


def _meets(other: Peer, peer: Peer) -> bool:
    if "network" not in (other.kind, peer.kind):
        return other == peer
    return other.kind == peer.kind and (":" in other.value) == (":" in peer.value)


def _holds(rules: Iterable[Rule], peer: Peer) -> bool:
    if peer.kind != "network":
        return bool(list(rules))
    wanted = ipaddress.ip_network(peer.value)
    merged = ipaddress.collapse_addresses(ipaddress.ip_network(rule.peer.value) for rule in rules)  # type: ignore[type-var]
    return any(wanted.subnet_of(network) for network in merged)  # type: ignore[arg-type]


def count(peers: Iterable[Peer], weights: Mapping[str, int]) -> int:
    """Rules of one direction as EC2's quota counts them: IPv4 and IPv6 apart, each group in both, and a prefix list
    as many times as it has room for entries (Amazon VPC User Guide, "Quotas", "Security groups").
    """
    both = four = six = 0
    for peer in peers:
        if peer.kind == "network":
            six += ":" in peer.value
            four += ":" not in peer.value
        else:
            both += weights.get(peer.value, 1) if peer.kind == "list" else 1
    return both + max(four, six)
