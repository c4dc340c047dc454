# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS security groups as they are judged, whoever made them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from itertools import product

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import (
    security_group,
    security_group_audit,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import MISSING, OPEN, TCP, UDP, compare
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Aws
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import Request
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import World
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.strategies import generated, parsed_graphs

DATA = {
    "name": "shop",
    "trust_domain": "example.org",
    "cluster": {"pod_cidrs": ["10.1.0.0/16"], "node_cidrs": ["10.0.0.0/16"]},
    "gateways": {"istio": {"security_group": "sg-0123456789abcdef0"}},
    "callers": {"office": {"cidrs": ["203.0.113.0/24"], "calls": ["web"]}},
    "services": {
        "web": {"port": 8080, "calls": ["api"], "exposes": [{}]},
        "api": {"port": 3000, "calls": ["db"], "egress": [{"hosts": ["api.openai.com"]}]},
        "db": {"port": 5432, "protocol": "tcp"},
    },
}
GRAPH = graph_of(DATA)

DEFAULT_EGRESS = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "UserIdGroupPairs": []}]


def described(**groups):
    """Groups as the API answers them: `name=(ingress, egress)`, with ids of the form sg-<name>."""
    found = []
    for name, (ingress, egress) in groups.items():
        found.append(
            {
                "GroupName": f"shop-{name}",
                "GroupId": f"sg-{name}",
                "OwnerId": "111111111111",
                "VpcId": "vpc-1",
                "IpPermissions": ingress,
                "IpPermissionsEgress": egress,
            }
        )
    return [Sourced({"SecurityGroups": found}, "sg.json")]


def allow(port, *others, protocol="tcp", to=None):
    """A permission for groups (sg-…), networks, prefix lists (pl-…)."""
    return {
        "IpProtocol": protocol,
        "FromPort": port,
        "ToPort": to or port,
        "UserIdGroupPairs": [
            {"GroupId": other, "UserId": "111111111111"} for other in others if other.startswith("sg-")
        ],
        "IpRanges": [{"CidrIp": other} for other in others if "/" in other and ":" not in other],
        "Ipv6Ranges": [{"CidrIpv6": other} for other in others if ":" in other],
        "PrefixListIds": [{"PrefixListId": other} for other in others if other.startswith("pl-")],
    }


def judged(documents, graph=GRAPH):
    world = World(graph, security_group_audit.mentions(documents).cidrs)
    return world, security_group_audit.flows(documents, world)


def callers_of(documents, callee, port, protocol=TCP, graph=GRAPH):
    _world, flows = judged(documents, graph)
    return {
        caller
        for grant in flows.allows.get(callee, ())
        if port in grant.ports and grant.protocol == protocol
        for caller in grant.callers
    }


def findings(documents, graph=GRAPH):
    world, flows = judged(documents, graph)
    return compare("security_group", security_group.expected(graph, world), flows, world.services)


def differences(graph, documents):
    return {
        (item.kind, caller, item.callee, item.protocol, str(item.ports))
        for item in findings(documents, graph)
        for caller in item.callers
    }


def test_what_the_graph_says_as_an_account_answers_it():
    documents = described(
        web=([allow(8080, "sg-0123456789abcdef0", "203.0.113.0/24")], [allow(3000, "sg-api")]),
        api=([allow(3000, "sg-web")], [allow(5432, "sg-db"), allow(443, "0.0.0.0/0", "::/0")]),
        db=([allow(5432, "sg-api")], []),
    )
    assert findings(documents) == []


def test_both_ends_must_allow():
    """E2: with the default egress removed, the callee's ingress alone lets nothing pass."""
    ingress = [allow(5432, "sg-api")]
    assert callers_of(described(api=([], []), db=(ingress, [])), "db", 5432) == set()
    assert callers_of(described(api=([], [allow(5432, "sg-db")]), db=([], [])), "db", 5432) == set()
    assert callers_of(described(api=([], [allow(5432, "sg-db")]), db=(ingress, [])), "db", 5432) == {"api"}
    assert callers_of(described(api=([], [allow(5433, "sg-db")]), db=(ingress, [])), "db", 5432) == set()
    assert callers_of(described(api=([], DEFAULT_EGRESS), db=(ingress, [])), "db", 5432) == {"api"}


def test_who_is_in_no_group_of_ours_needs_ingress_only():
    documents = described(db=([allow(5432, "203.0.113.0/24", "sg-0123456789abcdef0", "sg-bastion", "pl-0a1b")], []))
    assert callers_of(documents, "db", 5432) == {
        "ip:203.0.113.0/24",
        "istio",
        "group:sg-bastion",
        "prefix-list:pl-0a1b",
    }


def test_the_default_egress_left_in_place_is_found():
    """T23: IPv4 and IPv6, every protocol and port."""
    both = [*DEFAULT_EGRESS, {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]
    documents = sourced(security_group.render(GRAPH))
    db = next(item for item in documents[0].document["SecurityGroups"] if item["GroupName"] == "shop-db")
    db["IpPermissionsEgress"] = both
    found = {item for item in findings(documents) if item.callers == {"db"}}
    assert {item.kind for item in found} == {OPEN}
    assert {(item.callee, item.protocol, str(item.ports)) for item in found} >= set(
        product(("ip:0.0.0.0/0", "ip:::/0", "ip:169.254.0.0/16"), (TCP, UDP, "SCTP"), ("1-65535",))
    )
    assert {item.causes for item in found} == {("SecurityGroup shop-db (security_group/security_groups.json)",)}


@pytest.mark.parametrize(
    ("permission", "open_ports"),
    [
        (allow(22, "203.0.113.0/24"), {(TCP, 22)}),
        (allow(22, "203.0.113.0/24", to=80), {(TCP, 22), (TCP, 53), (TCP, 80)}),
        (allow(53, "203.0.113.0/24", protocol="udp"), {(UDP, 53)}),
        (allow(53, "203.0.113.0/24", protocol="17"), {(UDP, 53)}),
        (allow(0, "203.0.113.0/24", protocol="6", to=65535), {(TCP, 22), (TCP, 53), (TCP, 80)}),
        (allow(-1, "203.0.113.0/24", protocol="icmp"), set()),
        (allow(-1, "203.0.113.0/24", protocol="50"), set()),
        (
            {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "203.0.113.0/24"}]},
            {(TCP, 22), (TCP, 53), (TCP, 80), (UDP, 53)},
        ),
        (allow(-1, "203.0.113.0/24", protocol="-1"), {(TCP, 22), (TCP, 53), (TCP, 80), (UDP, 53)}),
    ],
)
def test_which_ports_a_permission_opens(permission, open_ports):
    documents = described(db=([permission], []))
    asked = {(TCP, 22), (TCP, 53), (TCP, 80), (UDP, 53)}
    assert {(proto, port) for proto, port in asked if callers_of(documents, "db", port, proto)} == open_ports


def test_a_group_that_refers_to_itself_opens_its_tier():
    """T23"""
    data = deepcopy(DATA)
    data["services"]["replica"] = {"port": 5432, "protocol": "tcp", "tier": "db"}
    data["services"]["db"]["tier"] = "db"
    itself = [allow(5432, "sg-db")]
    assert callers_of(described(db=(itself, itself)), "replica", 5432, graph=graph_of(data)) == {"db", "replica"}


def test_networks_hold_services_where_they_hold_all_of_the_clusters():
    """The VPC's own range in a rule lets every service in, whatever its group."""
    egress = [], [allow(5432, "sg-db")]

    def from_services(cidr, graph=GRAPH):
        documents = described(web=egress, api=egress, db=([allow(5432, cidr)], []))
        return callers_of(documents, "db", 5432, graph=graph) & graph.services.keys()

    assert from_services("10.0.0.0/8") == {"web", "api"}
    assert from_services("0.0.0.0/0") == {"web", "api"}
    assert from_services("10.0.0.0/16") == set()
    assert from_services("::/0") == set()
    unknown = graph_of({key: value for key, value in DATA.items() if key != "cluster"})
    assert from_services("0.0.0.0/0", unknown) == {"web", "api"}
    assert from_services("10.0.0.0/8", unknown) == set()


def test_a_part_of_the_clusters_networks_is_open_as_addresses():
    documents = [*sourced(security_group.render(GRAPH)), *described(db=([allow(5432, "10.0.7.0/24")], []))]
    assert differences(GRAPH, documents) == {(OPEN, "ip:10.0.7.0/24", "db", TCP, "5432")}


def test_groups_of_other_accounts_are_others():
    pair = {"GroupId": "sg-web", "GroupName": "shop-web", "UserId": "222222222222"}
    permission = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [pair]}
    documents = described(web=([], DEFAULT_EGRESS), db=([permission], []))
    assert callers_of(documents, "db", 5432) == {"group:222222222222/sg-web"}


def test_an_undeclared_group_is_called_by_its_name_where_that_is_known():
    documents = [
        *described(db=([allow(5432, "sg-ops")], [])),
        Sourced({"SecurityGroups": [{"GroupName": "operators", "GroupId": "sg-ops"}]}),
    ]
    assert callers_of(documents, "db", 5432) == {"group:operators"}


def test_callers_that_share_a_group_are_let_in_together():
    data = deepcopy(DATA)
    data["gateways"]["kong"] = {"security_group": "sg-0123456789abcdef0"}
    data["services"]["web"]["exposes"] = [{"gateway": "istio"}]
    graph = graph_of(data)
    documents = sourced(security_group.render(graph))
    assert callers_of(documents, "web", 8080, graph=graph) == {"istio", "kong", "ip:203.0.113.0/24"}
    assert findings(documents, graph) == []


def test_a_group_that_is_not_there_lets_nothing_pass_and_says_so():
    documents = described(api=([], [allow(5432, "sg-db")]))
    _world, flows = judged(documents)
    assert "db" not in flows.allows
    assert flows.refused_by("api", "db", TCP, 5432, Request()) == (
        "SecurityGroup shop-api (sg.json)",
        "no security group shop-db",
    )
    assert flows.refused_by("web", "api", TCP, 3000, Request()) == (
        "SecurityGroup shop-api (sg.json)",
        "no security group shop-web",
    )


def test_a_group_in_two_vpcs_opens_what_either_opens():
    one, other = described(db=([allow(5432, "203.0.113.0/24")], [])), described(db=([allow(22, "203.0.113.0/24")], []))
    assert callers_of([*one, *other], "db", 5432) == callers_of([*one, *other], "db", 22) == {"ip:203.0.113.0/24"}


def test_other_documents_are_passed_over():
    _world, flows = judged(
        [Sourced({"kind": "Service"}), Sourced({"SecurityGroups": {}}), Sourced({"SecurityGroups": []})]
    )
    assert flows.allows == {}


@pytest.mark.parametrize(
    ("group", "complaint"),
    [
        ("shop-db", "SecurityGroups[0] (x.json): 'shop-db' is not a mapping"),
        ({}, "SecurityGroups[0] (x.json): has neither GroupName nor GroupId"),
        ({"GroupName": 7}, "SecurityGroups[0] (x.json).GroupName: 7 is not text"),
        ({"IpPermissions": {}}, "SecurityGroup g (x.json): IpPermissions: "),
        ({"IpPermissions": ["x"]}, "IpPermissions[0]: "),
        ({"IpPermissions": [{}]}, "IpPermissions[0].IpProtocol: is missing"),
        ({"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 1}]}, "IpPermissions[0].ToPort: "),
        (
            {"IpPermissionsEgress": [{"IpProtocol": "tcp", "FromPort": 70000, "ToPort": 70000}]},
            "IpPermissionsEgress[0].FromPort: 70000 is not a port from 0 to 65535",
        ),
        (
            {"IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/33"}]}]},
            "IpPermissions[0].IpRanges: ",
        ),
        (
            {"IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": ["sg-1"]}]},
            "IpPermissions[0].UserIdGroupPairs: ",
        ),
    ],
)
def test_what_the_api_could_not_have_answered_is_an_error_with_its_place(group, complaint):
    """T07, T08 and T22, in documents that nobody here wrote."""
    if isinstance(group, dict) and group and "GroupName" not in group:
        group = {"GroupName": "g", **group}
    with pytest.raises(PlatformError) as error:
        judged([Sourced({"SecurityGroups": [group]}, "x.json")])
    assert complaint in error.value.message
    assert error.value.reason == "bad_document"


def unlimited(graph):
    return replace(graph, aws=Aws(graph.name, 1000))


GRAPHS = parsed_graphs(min_services=2).map(unlimited)


@given(GRAPHS)
def test_what_is_rendered_is_what_is_declared(graph):
    assert differences(graph, sourced(security_group.render(graph))) == set()


def test_a_big_graph_is_judged_without_looking_at_pairs():
    graph = graph_of(generated(300))
    _world, flows = judged(sourced(security_group.render(graph)), graph)
    assert findings(sourced(security_group.render(graph)), graph) == []
    assert sum(len(grants) for grants in flows.allows.values()) < 20 * len(graph.services)


def group_of(graph, name):
    return graph.security_group(graph.services[name])


@given(GRAPHS)
def test_between_services_exactly_the_groups_of_declared_flows_are_open(graph):
    """The closure, pair by pair: a flow of one service is a flow of its whole group."""
    documents = sourced(security_group.render(graph))
    said = {
        (group_of(graph, flow.caller), group_of(graph, flow.callee), flow.port.target)
        for flow in graph.flows
        if flow.caller in graph.services
    }
    ports = {port.target for service in graph.services.values() for port in service.ports} | {9}
    _world, flows = judged(documents, graph)
    for callee, port in product(graph.services, ports):
        allowed = {
            caller for grant in flows.allows.get(callee, ()) if port in grant.ports for caller in grant.callers
        } & graph.services.keys()
        assert allowed == {
            caller for caller in graph.services if (group_of(graph, caller), group_of(graph, callee), port) in said
        }


@given(GRAPHS)
def test_what_is_open_beyond_the_graph_is_what_tiers_share(graph):
    """`shared` counts, for each rule, the pairs that are open and not declared."""
    said = {(flow.caller, flow.callee, flow.port.target) for flow in graph.flows}
    beyond = {
        (caller, callee, item.port)
        for item in security_group.shared(graph)
        for caller, callee in product(item.callers, item.callees)
        if caller != callee and callee in graph.services
    } - said
    _world, flows = judged(sourced(security_group.render(graph)), graph)
    opened = {
        (caller, callee, port)
        for callee in graph.services
        for grant in flows.allows.get(callee, ())
        for caller in grant.callers & graph.services.keys()
        for port in (grant.ports.pairs[0][0],)
        if caller != callee
    } - said
    assert opened == {row for row in beyond if row[0] in graph.services}


@given(GRAPHS, st.data())
def test_a_rule_taken_away_is_exactly_the_flow_that_is_missing(graph, data):
    flows = [flow for flow in graph.flows if flow.caller in graph.services]
    assume(flows)
    flow = data.draw(st.sampled_from(flows))
    caller, callee = group_of(graph, flow.caller), group_of(graph, flow.callee)
    documents = deepcopy(sourced(security_group.render(graph)))
    by_name = {item["GroupName"]: item for item in documents[0].document["SecurityGroups"]}
    # Whoever may reach every address at that port may reach the callee's too, whatever its group.
    anyway = any(
        permission["FromPort"] == flow.port.target and entry["CidrIp"] == "0.0.0.0/0"
        for permission in by_name[caller]["IpPermissionsEgress"]
        for entry in permission["IpRanges"]
    )
    if anyway or data.draw(st.booleans()):
        permissions, other = by_name[callee]["IpPermissions"], caller
    else:
        permissions, other = by_name[caller]["IpPermissionsEgress"], callee
    for permission in permissions:
        if permission["FromPort"] == flow.port.target:
            pairs = permission["UserIdGroupPairs"]
            permission["UserIdGroupPairs"] = [pair for pair in pairs if pair.get("GroupName") != other]
    inside = security_group_audit.members(graph)
    assert differences(graph, documents) == {
        (MISSING, one, another, TCP, str(flow.port.target)) for one, another in product(inside[caller], inside[callee])
    }


@given(GRAPHS, st.data())
def test_a_rule_added_is_exactly_the_flow_that_is_open(graph, data):
    name = data.draw(st.sampled_from(sorted(graph.services)))
    documents = deepcopy(sourced(security_group.render(graph)))
    (group,) = [item for item in documents[0].document["SecurityGroups"] if item["GroupName"] == group_of(graph, name)]
    group["IpPermissions"].append(allow(22, "203.0.113.77/32", "sg-0badc0de"))
    inside = security_group_audit.members(graph)[group["GroupName"]]
    assert differences(graph, documents) == {
        (OPEN, caller, callee, TCP, "22")
        for caller, callee in product(("ip:203.0.113.77/32", "group:sg-0badc0de"), inside)
    }
