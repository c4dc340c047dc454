# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a live VPC has, as a document: the audit judges it, and it can be declared again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._audit.audit import Audit, audit
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.client import connect
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.export import companions, document
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.vpc import read_vpc
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph

from tests.contract.aws.standin import Vpc
from tests.contract.aws.syncing import PARAMETERS, egress, group, ingress, run

REPO = Path(__file__).resolve().parents[3]
GRAPH = {"src": str(REPO / "inventories" / "local" / "service_graph.yml"), "overrides": {"aws": {}}}


def exported(vpc: Vpc) -> tuple[bytes, list[dict[str, Any]]]:
    ec2 = connect({**PARAMETERS, **vpc.cloud.options})
    found = read_vpc(ec2, vpc.ident)
    beside = companions(ec2, found)
    ec2.close()
    return document(found.groups), beside


def judged(vpc: Vpc) -> Audit:
    content, _beside = exported(vpc)
    return audit(read_graph(**GRAPH), [Sourced(json.loads(content), "aws_live.json")], ["security_group"])


def test_e2_the_audit_of_the_live_vpc_finds_what_is_missing_and_what_is_open(vpc: Vpc) -> None:
    vpc.group("bystander")
    run(vpc, graph=GRAPH, security_groups=None, owner=None)
    assert (judged(vpc).count("missing"), judged(vpc).count("open")) == (0, 0)

    database = vpc.groups()["tradingrobotplug-db"]["id"]
    vpc.allow(database, IpProtocol="tcp", FromPort=5432, ToPort=5432, IpRanges=[{"CidrIp": "0.0.0.0/0"}])
    rows = vpc.cloud.client.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [database]}])
    asked = next(row for row in rows["SecurityGroupRules"] if "ReferencedGroupInfo" in row)
    vpc.cloud.client.revoke_security_group_ingress(
        GroupId=database, SecurityGroupRuleIds=[asked["SecurityGroupRuleId"]]
    )
    found = judged(vpc).to_data()
    opened = [one["text"] for one in found["findings"] if one["kind"] == "open"]
    assert any("postgres on TCP 5432" in text and "aws_live.json" in text for text in opened)

    run(vpc, graph=GRAPH, security_groups=None, owner=None, purge=True)
    assert (judged(vpc).count("missing"), judged(vpc).count("open")) == (0, 0)


def test_what_was_exported_makes_the_same_groups_elsewhere(vpc: Vpc) -> None:
    run(vpc, group("a", ingress("b", 443, "from b"), egress("10.0.0.0/8")), group("b", ingress("2001:db8::/32")))
    content, _beside = exported(vpc)
    listed = [one for one in json.loads(content)["SecurityGroups"] if one["GroupName"] != "default"]
    assert run(vpc, *listed, owner=None) == []
    other = vpc.cloud.vpc()
    run(other, *listed, owner=None)
    assert {**other.groups()["a"], "id": ""} == {**vpc.groups()["a"], "id": ""}


def test_the_same_groups_give_the_same_bytes(vpc: Vpc) -> None:
    run(vpc, group("b", ingress("10.0.0.0/8"), ingress("10.0.0.0/8", 80)), group("a"))
    content, _beside = exported(vpc)
    assert content == document(list(reversed(json.loads(content)["SecurityGroups"])))


def test_groups_that_lie_beside_ours_on_an_interface_are_told(vpc: Vpc) -> None:
    other = vpc.group("admin")
    vpc.interface(other)
    assert exported(vpc)[1] == []
    run(vpc, group("a"))
    interface = vpc.interface(vpc.groups()["a"]["id"], other)
    assert exported(vpc)[1] == [{"group": "a", "other": f"admin ({other})", "interfaces": 1, "example": interface}]
