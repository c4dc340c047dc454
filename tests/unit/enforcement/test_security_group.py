# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS security groups as they are rendered."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import security_group
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Aws
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from hypothesis import given

from tests.unit.strategies import parsed_graphs

FILE = "security_group/security_groups.json"

SHOP = {
    "name": "shop",
    "trust_domain": "example.org",
    "aws": {"group_prefix": "prod"},
    "gateways": {"istio": {"security_group": "sg-0123456789abcdef0"}},
    "callers": {
        "office": {"cidrs": ["203.0.113.0/24", "2001:db8::/32"], "calls": ["web"]},
        "prometheus": {"namespace": "monitoring", "scrapes": True},
    },
    "services": {
        "web": {
            "tier": "frontend",
            "port": 80,
            "target_port": 8080,
            "calls": ["api"],
            "exposes": [{"host": "shop.example.com"}],
        },
        "api": {"port": 3000, "metrics": True, "calls": ["orders", "users"], "egress": [{"hosts": ["api.openai.com"]}]},
        "orders": {"tier": "db", "port": 5432, "protocol": "tcp"},
        "users": {
            "tier": "db",
            "port": 5432,
            "protocol": "tcp",
            "egress": [{"cidrs": ["198.51.100.0/24"], "port": 5433}],
        },
    },
}


def groups(data):
    (document,) = security_group.render(graph_of(data))[FILE]
    return {group["GroupName"]: group for group in document["SecurityGroups"]}


def rule(port, pairs=(), v4=(), v6=()):
    return {
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
        "UserIdGroupPairs": list(pairs),
        "IpRanges": list(v4),
        "Ipv6Ranges": list(v6),
        "PrefixListIds": [],
    }


def group(name, ingress, egress):
    return {
        "GroupName": name,
        "Description": f"{name} of the service graph shop",
        "IpPermissions": ingress,
        "IpPermissionsEgress": egress,
        "Tags": [{"Key": "Name", "Value": name}, {"Key": "zerotrust.platform/owner", "Value": "shop"}],
    }


def test_a_small_graph_to_the_letter():
    """E2: rules that refer to groups, both ends of each flow, nothing else; the default egress is not there."""
    openai = "api to api.openai.com"
    both_dbs = "api to orders; api to users"
    assert security_group.render(graph_of(SHOP)) == {
        FILE: [
            {
                "SecurityGroups": [
                    group(
                        "prod-api",
                        [rule(3000, [{"GroupName": "prod-frontend", "Description": "web to api"}])],
                        [
                            rule(
                                443,
                                v4=[{"CidrIp": "0.0.0.0/0", "Description": openai}],
                                v6=[{"CidrIpv6": "::/0", "Description": openai}],
                            ),
                            rule(5432, [{"GroupName": "prod-db", "Description": both_dbs}]),
                        ],
                    ),
                    group(
                        "prod-db",
                        [rule(5432, [{"GroupName": "prod-api", "Description": both_dbs}])],
                        [rule(5433, v4=[{"CidrIp": "198.51.100.0/24", "Description": "users to 198.51.100.0/24"}])],
                    ),
                    group(
                        "prod-frontend",
                        [
                            rule(
                                8080,
                                [{"GroupId": "sg-0123456789abcdef0", "Description": "istio to web"}],
                                [{"CidrIp": "203.0.113.0/24", "Description": "office to web"}],
                                [{"CidrIpv6": "2001:db8::/32", "Description": "office to web"}],
                            )
                        ],
                        [rule(3000, [{"GroupName": "prod-api", "Description": "web to api"}])],
                    ),
                ]
            }
        ]
    }


def test_what_a_group_cannot_say_is_told():
    """A scraper without a group of its own cannot be let in."""
    assert [(flow.caller, flow.callee) for flow in security_group.untold(graph_of(SHOP))] == [("prometheus", "api")]


def test_what_a_tier_opens_beyond_the_graph_is_told():
    found = security_group.shared(graph_of(SHOP))
    assert found == [security_group.Shared(("orders", "users"), ("198.51.100.0/24",), 5433, 1)]

    data = {
        "name": "g",
        "trust_domain": "example.org",
        "gateways": {"istio": {"security_group": "sg-0a1b2c3d"}, "kong": {"security_group": "sg-0a1b2c3d"}},
        "services": {
            "a": {"tier": "t", "calls": ["b", "d"]},
            "b": {"tier": "t", "port": 80, "exposes": [{"gateway": "istio"}]},
            "c": {"tier": "t"},
            "d": {"port": 80},
        },
    }
    assert security_group.shared(graph_of(data)) == [
        # a, b and c may call d, and only a was meant.
        security_group.Shared(("a", "b", "c"), ("d",), 80, 2),
        # Of a, b and c, each may call each other at 80 (six pairs), and only a to b was meant.
        security_group.Shared(("a", "b", "c"), ("a", "b", "c"), 80, 5),
        # Both gateways have one group: each reaches all three, and only istio to b was meant.
        security_group.Shared(("istio", "kong"), ("a", "b", "c"), 80, 5),
    ]


def callers(count, **service):
    services = {f"c{number}": {"calls": ["db"], **service} for number in range(count)}
    return {
        "name": "g",
        "trust_domain": "example.org",
        "services": {"db": {"port": 5432, "protocol": "tcp"}, **services},
    }


def test_too_many_rules_are_refused_with_the_group_the_count_and_the_remedy():
    """T23: a group of 61 sources, where AWS takes 60."""
    assert len(groups(callers(60))) == 61
    with pytest.raises(PlatformError) as error:
        groups(callers(61))
    assert error.value.message == (
        "security group 'g-db' would have 61 ingress rules, and aws.max_rules is 60; put services that call the same "
        "into one tier, or have the quota raised and aws.max_rules with it"
    )
    assert error.value.reason == "aws_limit"
    assert len(groups({**callers(61), "aws": {"max_rules": 61}})) == 62
    assert len(groups(callers(61, tier="all"))) == 2


def test_rules_are_counted_as_aws_counts_them():
    """T23: IPv4 and IPv6 have a quota each, and a group counts in both."""
    data = {
        "name": "g",
        "trust_domain": "example.org",
        "aws": {"max_rules": 3},
        "callers": {
            "v4": {"cidrs": ["192.0.2.0/25", "198.51.100.0/24"], "calls": ["db"]},
            "v6": {"cidrs": ["2001:db8::/48", "2001:db8:1::/48"], "calls": ["db"]},
        },
        "services": {"db": {"port": 80}, "one": {"calls": ["db"]}},
    }
    assert len(groups(data)) == 2
    data["services"]["two"] = {"calls": ["db"]}
    with pytest.raises(PlatformError, match="'g-db' would have 4 ingress rules"):
        groups(data)


def test_a_name_that_aws_keeps_for_ids_is_refused():
    """T23"""
    data = {"name": "sg", "trust_domain": "example.org", "services": {"a": {}, "b": {}}}
    with pytest.raises(PlatformError) as error:
        groups(data)
    assert error.value.details == tuple(
        f"'sg-{name}': the name of a security group cannot begin with 'sg-'; set aws.group_prefix" for name in "ab"
    )
    assert set(groups({**data, "aws": {"group_prefix": "prod"}})) == {"prod-a", "prod-b"}


def test_a_long_description_is_cut_at_a_whole_flow():
    """T23: AWS takes 255 characters."""
    (rule_,) = groups(callers(61, tier="all"))["g-db"]["IpPermissions"]
    (pair,) = rule_["UserIdGroupPairs"]
    assert re.fullmatch(r"(c\d+ to db; )*c\d+ to db and \d+ more", pair["Description"])
    assert 240 < len(pair["Description"]) <= 255
    shown, more = pair["Description"].count(" to db"), int(pair["Description"].split()[-2])
    assert shown + more == 61


@given(parsed_graphs())
def test_aws_takes_whatever_is_rendered(graph):
    """T23: names, descriptions and counts; and the same graph gives the same document."""
    graph = replace(graph, aws=Aws(graph.name, 1000))
    rendered = security_group.render(graph)
    assert rendered == security_group.render(graph)
    ((document,),) = rendered.values()
    assert json.loads(json.dumps(document)) == document
    allowed = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=;{}!$*]{1,255}")
    for item in document["SecurityGroups"]:
        assert allowed.fullmatch(item["GroupName"])
        assert allowed.fullmatch(item["Description"])
        for direction in ("IpPermissions", "IpPermissionsEgress"):
            ports = [(entry["IpProtocol"], entry["FromPort"], entry["ToPort"]) for entry in item[direction]]
            assert len(ports) == len(set(ports))
            assert ("-1", -1, -1) not in ports
            for entry in item[direction]:
                others = [*entry["UserIdGroupPairs"], *entry["IpRanges"], *entry["Ipv6Ranges"]]
                assert others
                for other in others:
                    assert allowed.fullmatch(other["Description"])
                keys = [value for other in others for key, value in other.items() if key != "Description"]
                assert len(keys) == len(set(keys))
