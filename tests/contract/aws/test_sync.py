# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""E2: a VPC's security groups become what is declared, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.client import connect
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

from tests.contract.aws.standin import Cloud, Vpc
from tests.contract.aws.syncing import OWNER, OWNER_TAG, PARAMETERS, egress, group, ingress, planned, run

REPO = Path(__file__).resolve().parents[3]
OURS = {OWNER_TAG: OWNER}
GRAPH = {"src": str(REPO / "inventories" / "local" / "service_graph.yml"), "overrides": {"aws": {}}}


def refusal(vpc: Vpc, *groups: dict[str, Any], **params: Any) -> PlatformError:
    before = vpc.groups()
    with pytest.raises(PlatformError) as caught:
        run(vpc, *groups, **params)
    assert vpc.groups() == before
    return caught.value


def test_e2_the_graph_s_groups_and_nothing_else(vpc: Vpc) -> None:
    run(vpc, graph=GRAPH, security_groups=None, owner=None, purge=True)
    found = {name: {**rules["ingress"], **rules["egress"]} for name, rules in vpc.groups().items()}
    assert {name: sorted(rules) for name, rules in found.items()} == {
        "tradingrobotplug-frontend": ["tcp 3000-3000 tradingrobotplug-api"],
        "tradingrobotplug-api": [
            "tcp 3000-3000 tradingrobotplug-frontend",
            "tcp 443-443 0.0.0.0/0",
            "tcp 443-443 ::/0",
            "tcp 5432-5432 tradingrobotplug-db",
        ],
        "tradingrobotplug-db": ["tcp 5432-5432 tradingrobotplug-api"],
        "tradingrobotplug-flask": [],
        "tradingrobotplug-fastapi": [],
    }
    with planned(vpc, graph=GRAPH, security_groups=None, owner=None, purge=True) as again:
        assert not again.plan.changed
    vpc.cloud.calls()
    assert run(vpc, graph=GRAPH, security_groups=None, owner=None, purge=True) == []
    assert vpc.cloud.actions() == ["DescribeVpcs", "DescribeSecurityGroups", "DescribeSecurityGroupRules"]


def test_groups_that_name_each_other_and_themselves_are_made_in_two_steps(vpc: Vpc) -> None:
    """T01, T23: circles and a reference to itself."""
    a, b = group("a", ingress("b"), egress("b"), ingress("a", 7)), group("b", ingress("a"), egress("a"))
    run(vpc, a, b)
    assert list(vpc.groups()["a"]["ingress"]) == ["tcp 443-443 b", "tcp 7-7 a"]
    assert run(vpc, a, b) == []
    run(vpc, state="absent")
    assert vpc.groups() == {}


def test_t23_the_egress_that_aws_opens_is_closed_for_ipv6_too(cloud: Cloud) -> None:
    vpc = cloud.vpc(ipv6=True)
    run(vpc, group("a"))
    assert vpc.groups()["a"]["egress"] == {}


def test_t23_a_group_of_ours_that_was_left_open_is_closed_without_purge(vpc: Vpc) -> None:
    """As after a crash between the two calls, or by hand."""
    vpc.group("a", OURS)
    with planned(vpc, group("a")) as found:
        (change,) = found.plan.changes
        assert (change.action, change.name, change.reasons) == ("update", "a", ("default_egress",))
    assert run(vpc, group("a")) == ["update a"]
    assert vpc.groups()["a"]["egress"] == {}


def test_an_egress_to_everywhere_that_is_declared_stays(vpc: Vpc) -> None:
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "egress": True}
    vpc.group("old", OURS)
    groups = [group(name, everything) for name in ("old", "new")]
    assert "create new" in run(vpc, *groups)
    assert [list(one["egress"]) for one in vpc.groups().values()] == [["-1 0.0.0.0/0"]] * 2
    assert run(vpc, *groups) == []


def test_only_what_differs_is_written_and_new_rules_come_before_old_ones_go(vpc: Vpc) -> None:
    run(vpc, group("a", ingress("10.0.0.0/8"), ingress("10.1.0.0/16", 80)), group("b", egress("a")))
    vpc.cloud.calls()
    changed = group("a", ingress("10.0.0.0/8", 8443), ingress("10.1.0.0/16", 80, "the office"))
    assert run(vpc, changed, group("b", egress("a")), purge=True) == [
        "create a ingress tcp 8443 from 10.0.0.0/8",
        "update a ingress tcp 80 from 10.1.0.0/16",
        "delete a ingress tcp 443 from 10.0.0.0/8",
    ]
    assert vpc.cloud.actions()[3:] == [
        "AuthorizeSecurityGroupIngress",
        "ModifySecurityGroupRules",
        "RevokeSecurityGroupIngress",
    ]
    assert vpc.groups()["a"]["ingress"] == {"tcp 8443-8443 10.0.0.0/8": "", "tcp 80-80 10.1.0.0/16": "the office"}


def test_rules_of_a_group_and_direction_are_one_call(vpc: Vpc) -> None:
    run(vpc, group("a", *(ingress(f"10.{at}.0.0/16") for at in range(50)), egress("10.0.0.0/8")))
    actions = vpc.cloud.actions()
    assert (actions.count("AuthorizeSecurityGroupIngress"), actions.count("AuthorizeSecurityGroupEgress")) == (1, 1)


def test_every_kind_of_other_end_and_protocol_is_unchanged_the_second_time(vpc: Vpc) -> None:
    made = vpc.cloud.client.create_managed_prefix_list(PrefixListName="p", MaxEntries=3, AddressFamily="IPv4")
    prefixes = made["PrefixList"]["PrefixListId"]
    foreign = vpc.group("balancer")
    groups = [
        group(
            "a",
            ingress("2001:db8::/32", 53, "six", IpProtocol="udp"),
            ingress(prefixes, 443, "a list"),
            ingress(foreign, 443, "a group by id"),
            ingress("balancer", 80, "a foreign group by name"),
            ingress("10.0.0.0/8", IpProtocol="6", FromPort=1000, ToPort=2000),
            ingress("10.0.0.0/8", IpProtocol="icmp", FromPort=8, ToPort=-1),
            ingress("10.0.0.0/8", IpProtocol="50"),
            egress("10.0.0.0/8", IpProtocol="-1"),
        )
    ]
    run(vpc, *groups)
    assert vpc.groups()["a"]["ingress"][f"tcp 443-443 {prefixes}"] == "a list"
    assert run(vpc, *groups, purge=True) == []
    groups[0]["IpPermissions"][2]["UserIdGroupPairs"][0]["Description"] = "another text"
    assert run(vpc, *groups) == [f"update a ingress tcp 443 from {foreign}"]
    assert vpc.groups()["a"]["ingress"]["tcp 443-443 balancer"] == "another text"


def test_tags_are_set_on_groups_and_rules_and_those_of_others_stay(vpc: Vpc) -> None:
    ident = vpc.group("a", {**OURS, "cost-centre": "42"})
    run(vpc, group("a", ingress("10.0.0.0/8"), Tags=[{"Key": "team", "Value": "blue"}]), tags={"stage": "test"})
    assert vpc.groups()["a"]["tags"] == {**OURS, "cost-centre": "42", "team": "blue", "stage": "test"}
    rows = vpc.cloud.client.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [ident]}])
    (tags,) = (row["Tags"] for row in rows["SecurityGroupRules"])
    assert {tag["Key"]: tag["Value"] for tag in tags} == {**OURS, "stage": "test"}


def test_a_foreign_rule_in_a_group_of_ours_is_told_and_goes_only_by_purge(vpc: Vpc) -> None:
    run(vpc, group("a", ingress("10.0.0.0/8")))
    ident = vpc.groups()["a"]["id"]
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    vpc.allow(ident, **ssh, IpRanges=[{"CidrIp": "0.0.0.0/0", "Description": "only for today"}])
    vpc.allow(ident, IpProtocol="tcp", FromPort=443, ToPort=443, IpRanges=[{"CidrIp": "10.9.0.0/16"}])
    with planned(vpc, group("a", ingress("10.0.0.0/8"))) as found:
        assert not found.plan.changed
        assert found.plan.foreign == (
            "SecurityGroupRule a ingress tcp 22 from 0.0.0.0/0",
            "SecurityGroupRule a ingress tcp 443 from 10.9.0.0/16",
        )
        # What is open anyway needs no warning.
        (warning,) = found.provider.warnings
        assert "a: ingress tcp 22 from 0.0.0.0/0 (sgr-" in warning
        assert "purge" in warning
    run(vpc, group("a", ingress("10.0.0.0/8")), purge=True)
    assert list(vpc.groups()["a"]["ingress"]) == ["tcp 443-443 10.0.0.0/8"]


def test_a_rule_of_ours_that_is_no_longer_declared_is_withheld_without_purge(vpc: Vpc) -> None:
    run(vpc, group("a", ingress("10.0.0.0/8")))
    with planned(vpc, group("a")) as found:
        assert not found.plan.changed
        assert found.plan.withheld == ("delete SecurityGroupRule 'a ingress tcp 443 from 10.0.0.0/8'",)


def test_a_declared_rule_that_somebody_has_made_becomes_ours(vpc: Vpc) -> None:
    ident = vpc.group("a", OURS)
    vpc.allow(ident, IpProtocol="tcp", FromPort=443, ToPort=443, IpRanges=[{"CidrIp": "10.0.0.0/8"}])
    run(vpc, group("a", ingress("10.0.0.0/8")))
    assert run(vpc, group("a"), purge=True) == ["delete a ingress tcp 443 from 10.0.0.0/8"]


def test_a_foreign_group_is_refused_or_adopted_and_other_groups_are_never_touched(vpc: Vpc) -> None:
    ident = vpc.group("theirs", {OWNER_TAG: "another"})
    vpc.allow(ident, IpProtocol="tcp", FromPort=22, ToPort=22, IpRanges=[{"CidrIp": "0.0.0.0/0"}])
    vpc.group("bystander")
    error = refusal(vpc, group("theirs", ingress("10.0.0.0/8")), purge=True)
    assert error.reason == "foreign_owner"
    assert "'another'" in error.message
    bystander = vpc.groups()["bystander"]
    run(vpc, group("theirs", ingress("10.0.0.0/8")), adopt=True, purge=True)
    assert list(vpc.groups()["theirs"]["ingress"]) == ["tcp 443-443 10.0.0.0/8"]
    assert vpc.groups()["theirs"]["tags"] == OURS
    assert vpc.groups()["theirs"]["egress"] == {}
    assert run(vpc, group("theirs", ingress("10.0.0.0/8")), adopt=True, purge=True) == []
    run(vpc, state="absent")
    assert vpc.groups() == {"bystander": bystander}


def test_a_group_in_use_is_refused_while_planning_with_all_that_uses_it(vpc: Vpc) -> None:
    run(vpc, group("a", ingress("10.0.0.0/8")), group("b"))
    found = vpc.groups()
    interface = vpc.interface(found["a"]["id"])
    other = vpc.group("theirs")
    vpc.allow(other, IpProtocol="tcp", FromPort=1, ToPort=1, UserIdGroupPairs=[{"GroupId": found["a"]["id"]}])
    error = refusal(vpc, group("b"), purge=True)
    assert error.reason == "in_use"
    text = " ".join([error.message, *error.details])
    assert f"{interface} (ELB app/shop/50dc6c495c0c9188)" in text
    assert f"theirs ({other}), which names a" in text


def test_what_another_group_of_ours_names_is_revoked_before_the_group_goes(vpc: Vpc) -> None:
    run(vpc, group("a", ingress("b")), group("b", egress("a"), ingress("c")), group("c"))
    run(vpc, group("a"), purge=True)
    assert list(vpc.groups()) == ["a"]
    assert vpc.groups()["a"]["ingress"] == {}


def test_t23_more_rules_than_the_quota_are_refused_before_anything_is_called(vpc: Vpc) -> None:
    many = group("a", *(ingress(f"10.{at}.0.0/16") for at in range(61)))
    error = refusal(vpc, many, group("b"))
    assert error.reason == "aws_limit"
    assert error.message.startswith("a would have 61 ingress rules as AWS counts them, and max_rules is 60; ")
    run(vpc, group("a", *many["IpPermissions"][:60]), max_rules=60)
    moved = group("a", *(ingress(f"10.{at}.0.0/16", 80) for at in range(10)), *many["IpPermissions"][:50])
    assert "for a moment" in refusal(vpc, moved, purge=True).message


def test_t23_the_quota_counts_families_apart_and_prefix_lists_by_their_room(vpc: Vpc) -> None:
    both = [ingress(f"10.{at}.0.0/16") for at in range(5)] + [ingress(f"2001:db8:{at}::/48") for at in range(5)]
    assert run(vpc, group("a", *both), max_rules=5)
    made = vpc.cloud.client.create_managed_prefix_list(PrefixListName="p", MaxEntries=3, AddressFamily="IPv4")
    prefixes = made["PrefixList"]["PrefixListId"]
    assert "would have 8 ingress" in refusal(vpc, group("a", *both, ingress(prefixes)), max_rules=7).message


def test_t23_more_rules_for_an_interface_than_aws_allows_are_refused(vpc: Vpc) -> None:
    error = refusal(vpc, group("a"), max_rules=201)
    assert error.message.startswith("max_rules 201 times groups_per_interface 5 is more than 1000")
    assert run(vpc, group("a"), max_rules=201, groups_per_interface=4)


def test_t25_a_second_declaration_with_the_same_owner_is_stopped_by_the_limits(vpc: Vpc) -> None:
    run(vpc, *(group(f"a{at}") for at in range(12)))
    limits = {"delete": 30, "update": 30, "objects": 10, "allow_empty": False}
    error = refusal(vpc, group("b"), purge=True, limits=limits)
    assert error.reason == "limit_exceeded"
    assert refusal(vpc, purge=True, limits=limits).reason == "empty_desired"


def test_a_description_that_cannot_be_changed_is_told_and_left(vpc: Vpc) -> None:
    run(vpc, group("a"))
    with planned(vpc, group("a", Description="another")) as found:
        assert not found.plan.changed
        assert found.provider.warnings == [
            "a: its description is 'a of a test' and is declared as 'another'; AWS cannot change it, so it stays"
        ]


def test_names_that_aws_takes_for_the_same_are_refused_while_planning(vpc: Vpc) -> None:
    vpc.group("Web")
    error = refusal(vpc, group("web"))
    assert (error.reason, "'Web' is not ours" in error.message) == ("foreign_owner", True)
    assert "both claim the name 'api'" in refusal(vpc, group("api"), group("API")).message


def test_t02_a_group_that_is_nowhere_is_refused_and_a_vpc_too(vpc: Vpc) -> None:
    assert "needs SecurityGroup 'nowhere'" in refusal(vpc, group("a", ingress("nowhere"))).message
    missing = Vpc(vpc.cloud, "vpc-00000000000000000")
    with pytest.raises(PlatformError, match="There is no VPC 'vpc-00000000000000000' in eu-central-1") as caught:
        run(missing, group("a"))
    assert caught.value.reason == "no_vpc"


def test_hundreds_of_groups_are_read_in_as_few_calls_as_there_are_pages(vpc: Vpc) -> None:
    count = 205
    groups = [group(f"g{at:03}", ingress(f"g{(at + 1) % count:03}")) for at in range(count)]
    run(vpc, *groups)
    vpc.cloud.calls()
    assert run(vpc, *groups, purge=True) == []
    # A filter has room for 200 groups.
    assert vpc.cloud.actions() == ["DescribeVpcs", "DescribeSecurityGroups", *["DescribeSecurityGroupRules"] * 2]


def test_pages_are_followed_to_the_last_one(vpc: Vpc) -> None:
    for at in range(12):
        vpc.group(f"g{at}")
    ec2 = connect({**PARAMETERS, **vpc.cloud.options})
    filters = [{"Name": "vpc-id", "Values": [vpc.ident]}]
    found = list(ec2.pages("DescribeSecurityGroups", "SecurityGroups", page=5, Filters=filters))
    assert (len(found), ec2.calls) == (13, 3)
    ec2.close()
