# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule algebra: one form for a rule, and what rules open together."""

from __future__ import annotations

import ipaddress
from typing import Any, Union

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.rules import (
    ALL,
    ANY,
    LAST_PORT,
    Peer,
    Rule,
    count,
    covered,
    network_of,
    of_row,
    permission,
    ports_of,
    protocol_of,
)
from hypothesis import example, given
from hypothesis import strategies as st

# Few networks and ports, so that they meet: 10.0.0.0/29 and what is in it, and the same of IPv6.
_BASES = (ipaddress.ip_network("10.0.0.0/29"), ipaddress.ip_network("2001:db8::/125"))
_NETWORKS = [str(one) for base in _BASES for bits in range(4) for one in base.subnets(prefixlen_diff=bits)]
PEERS = st.one_of(
    st.sampled_from(_NETWORKS).map(lambda text: Peer("network", text)),
    st.sampled_from([Peer("group", "a"), Peer("id", "sg-1"), Peer("list", "pl-1")]),
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    protocol = draw(st.sampled_from(["tcp", "udp", ALL, "icmp", "50"]))
    egress, peer = draw(st.booleans()), draw(PEERS)
    if protocol == "icmp":
        kind = draw(st.integers(ANY, 2))
        return Rule(egress, protocol, kind, ANY if kind == ANY else draw(st.integers(ANY, 1)), peer)
    if protocol in (ALL, "50"):
        return Rule(egress, protocol, ANY, ANY, peer)
    ends = sorted([draw(st.integers(0, 6)), draw(st.integers(0, 6))])
    return Rule(egress, protocol, *ends, peer)


Packet = tuple[bool, str, tuple[int, ...], Union[str, Peer]]


def packets(rule: Rule) -> set[Packet]:
    """All that a rule lets through, in a world of the ports 0 to 7, ICMP's types 0 to 3 and codes 0 to 2, and protocols
    50 and 51.
    """
    if rule.peer.kind == "network":
        ends: list[Union[str, Peer]] = [str(one) for one in ipaddress.ip_network(rule.peer.value)]
    else:
        ends = [rule.peer]
    ports = [(port,) for port in range(8)]
    types = [(kind, code) for kind in range(4) for code in range(3)]
    world = {"tcp": ports, "udp": ports, "icmp": types, "50": [()], "51": [()]}
    found: set[Packet] = set()
    for protocol, all_of_it in world.items():
        if rule.protocol not in (ALL, protocol):
            continue
        for what in all_of_it:
            if rule.protocol in ("tcp", "udp") and not rule.low <= what[0] <= rule.high:
                continue
            if rule.protocol == "icmp" and not (rule.low in (ANY, what[0]) and rule.high in (ANY, what[1])):
                continue
            found.update((rule.egress, protocol, what, end) for end in ends)
    return found


@given(rules(), st.lists(rules(), max_size=6))
@example(Rule(False, "tcp", 0, 6, Peer("network", "10.0.0.0/29")), [])
def test_covered_is_what_packets_say(rule: Rule, others: list[Rule]) -> None:
    together = {packet for other in others for packet in packets(other)}
    assert covered(rule, others) == (packets(rule) <= together)


@given(rules(), st.lists(rules(), max_size=4))
def test_what_is_declared_itself_is_covered_and_more_rules_cover_more(rule: Rule, others: list[Rule]) -> None:
    assert covered(rule, [rule, *others])
    assert not covered(rule, others) or covered(rule, [*others, rule._replace(egress=not rule.egress)])


def test_ranges_of_ports_and_networks_are_merged() -> None:
    def tcp(low: int, high: int, cidr: str) -> Rule:
        return Rule(False, "tcp", low, high, Peer("network", cidr))

    halves = [tcp(0, 500, "10.0.0.0/9"), tcp(0, 500, "10.128.0.0/9"), tcp(501, LAST_PORT, "10.0.0.0/8")]
    assert covered(tcp(0, LAST_PORT, "10.0.0.0/8"), halves)
    assert not covered(tcp(0, LAST_PORT, "10.0.0.0/8"), halves[1:])
    assert not covered(Rule(False, "-1", ANY, ANY, Peer("network", "10.0.0.0/8")), halves)
    assert covered(tcp(22, 22, "10.1.0.0/16"), [Rule(False, "-1", ANY, ANY, Peer("network", "0.0.0.0/0"))])
    assert not covered(tcp(22, 22, "2001:db8::/32"), [Rule(False, "-1", ANY, ANY, Peer("network", "0.0.0.0/0"))])


@given(rules())
def test_what_ec2_answers_to_a_rule_is_the_same_rule(rule: Rule) -> None:
    """A row has other keys than a permission, and -1 where there are no ports."""
    told = permission(rule, {}, "")
    peers: dict[str, dict[str, Any]] = {
        "network": {"CidrIpv6" if ":" in rule.peer.value else "CidrIpv4": rule.peer.value},
        "list": {"PrefixListId": rule.peer.value},
        "id": {"ReferencedGroupInfo": {"GroupId": rule.peer.value}},
        "group": {"ReferencedGroupInfo": {"GroupId": rule.peer.value}},
    }
    row = {
        "IsEgress": rule.egress,
        "IpProtocol": told["IpProtocol"],
        "FromPort": told.get("FromPort", -1),
        "ToPort": told.get("ToPort", -1),
        **peers[rule.peer.kind],
    }
    expected = rule._replace(peer=Peer("id", rule.peer.value)) if rule.peer.kind == "group" else rule
    assert of_row(row) == expected


@given(st.lists(rules(), unique=True))
def test_every_rule_has_a_text_of_its_own(found: list[Rule]) -> None:
    assert len({str(rule) for rule in found}) == len(found)


@pytest.mark.parametrize(
    ("told", "name"),
    [("6", "tcp"), (17, "udp"), ("TCP", "tcp"), ("58", "icmpv6"), (-1, "-1"), ("all", "-1"), (50, "50")],
)
def test_protocols_have_one_name(told: Any, name: str) -> None:
    assert protocol_of(told) == name


@pytest.mark.parametrize("told", ["256", "http", None, True, "", "-2", "٦"])
def test_t09_what_is_no_protocol_is_refused(told: Any) -> None:
    with pytest.raises(ValueError, match="is no protocol"):
        protocol_of(told)


@pytest.mark.parametrize(
    ("protocol", "low", "high"),
    [
        ("tcp", None, None),
        ("tcp", -1, -1),
        ("tcp", 0, 65536),
        ("udp", 90, 80),
        ("tcp", "80", "80"),
        ("tcp", 80.0, 80.0),
        ("tcp", True, True),
        ("icmp", 256, -1),
        ("icmp", 80, 443),
    ],
)
def test_t08_ports_that_are_none_are_refused(protocol: str, low: Any, high: Any) -> None:
    with pytest.raises(ValueError, match=r"is no port|is above|no type and code"):
        ports_of(protocol, low, high)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10.0.0.1/8", "has bits of a host; write 10.0.0.0/8"),
        ("10.0.0.0/33", "no network"),
        ("010.0.0.0/8", "no network"),
        ("example.com", "no network"),
        (None, "no network"),
        (167772160, "no network"),
    ],
)
def test_t07_networks_that_are_none_are_refused(text: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        network_of(text)


def test_networks_have_one_form() -> None:
    assert network_of("2001:DB8:0:0::/32") == "2001:db8::/32"
    assert network_of("192.0.2.7") == "192.0.2.7/32"


def test_the_quota_counts_families_apart_and_groups_in_both() -> None:
    peers = [Peer("network", f"10.{at}.0.0/16") for at in range(4)] + [Peer("network", "::/0")]
    assert count(peers, {}) == 4
    assert count([*peers, Peer("group", "a"), Peer("id", "sg-1")], {}) == 6
    assert count([*peers, Peer("list", "pl-1"), Peer("list", "pl-2")], {"pl-1": 5}) == 10
