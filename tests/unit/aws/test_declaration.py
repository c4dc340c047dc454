# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared security groups: what documents say, and every mistake in them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.declaration import OWNER_TAG, Group, declared
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.rules import Peer
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.source import declaration
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

from tests.contract.aws.syncing import PARAMETERS, egress, group, ingress


def of(*groups: dict[str, Any]) -> list[Group]:
    return declared([Sourced({"SecurityGroups": list(groups)}, "groups.json")], {})


def refused(*groups: dict[str, Any]) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        of(*groups)
    assert caught.value.reason == "bad_document"
    return caught.value


def rule(**more: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}], **more}


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ({"GroupName": None}, "GroupName is missing"),
        ({"GroupName": "sg-web"}, "GroupName cannot begin with 'sg-'"),
        ({"GroupName": "web "}, "GroupName 'web ' begins or ends with a space"),
        ({"GroupName": "default"}, "the VPC's own group"),
        ({"GroupName": "x" * 256}, "is not text that AWS takes"),
        ({"Description": "für alle"}, "Description 'für alle' is not text that AWS takes: at most 255 of a-z"),
        ({"Description": "a\nb"}, "is not text that AWS takes"),
        ({"Description": 7}, "is not text that AWS takes"),
        ({"Tags": [{"Key": "k" * 129, "Value": ""}]}, "is no tag"),
        ({"Tags": [{"Key": str(at), "Value": ""} for at in range(49)]}, "has 49 tags"),
        ({"IpPermissions": {}}, "IpPermissions: {} is not a list"),
        ({"IpPermissions": ["all"]}, "'all' is not a mapping"),
        ({"IpPermissions": [rule(IpRanges=[])]}, "IpPermissions[0]: names no network, group or prefix list"),
        ({"IpPermissions": [rule(IpRanges=[{"CidrIp": "10.0.0.1/8"}])]}, "write 10.0.0.0/8"),
        ({"IpPermissions": [rule(IpRanges=[{"CidrIp": "::/0"}])]}, "::/0 belongs to Ipv6Ranges"),
        ({"IpPermissions": [rule(IpRanges=[{"CidrIp": "10.0.0.0/8", "Description": "<all>"}])]}, "Description '<all>'"),
        ({"IpPermissions": [rule(PrefixListIds=[{"PrefixListId": "s3"}])]}, "'s3' is no id of a prefix list"),
        ({"IpPermissions": [rule(UserIdGroupPairs=[{}])]}, "names no group"),
        ({"IpPermissions": [rule(UserIdGroupPairs=[{"GroupId": "web"}])]}, "'web' names no group"),
        ({"IpPermissions": [rule(ToPort=None)]}, "tcp needs FromPort and ToPort"),
        (
            {"IpPermissions": [rule(), rule(IpRanges=[{"CidrIp": "10.0.0.0/8", "Description": "b"}])]},
            "ingress tcp 443 from 10.0.0.0/8 is declared twice, as '' and as 'b'",
        ),
    ],
)
def test_t23_what_aws_would_refuse_is_told_with_its_place(mistake: dict[str, Any], said: str) -> None:
    error = refused({**group("a"), **mistake})
    assert error.message.startswith("groups.json: SecurityGroups[0]")
    assert said in error.message


def test_every_mistake_is_told_at_once() -> None:
    error = refused(group("default"), group("a", rule(FromPort=-1)), group("b", rule(IpProtocol="http")))
    assert (len(error.details), error.message.endswith("(and 2 more)")) == (3, True)


def test_a_document_of_something_else_is_refused() -> None:
    with pytest.raises(PlatformError, match=r"policy.yml: there is no list SecurityGroups"):
        declared([Sourced({"kind": "NetworkPolicy"}, "policy.yml")], {})


def test_t08_the_same_rule_twice_is_one() -> None:
    (found,) = of(group("a", ingress("10.0.0.0/8"), rule(IpProtocol="6")))
    assert len(found.rules) == 1


def test_what_was_exported_can_be_declared() -> None:
    """Groups by id are named where the documents say whose it is; what is AWS's own is left out."""
    exported = {
        **group("a", ingress("sg-2"), egress("sg-9")),
        "GroupId": "sg-1",
        "OwnerId": "1",
        "Tags": [{"Key": "aws:cloudformation:stack-name", "Value": "x"}, {"Key": "team", "Value": "blue"}],
    }
    exported["IpPermissionsEgress"][0]["UserIdGroupPairs"][0]["UserId"] = "123456789012"
    found, _other = of(exported, {**group("b"), "GroupId": "sg-2"})
    assert [one.peer for one in found.rules] == [Peer("group", "b"), Peer("id", "sg-9")]
    assert (found.tags, found.accounts) == ({"team": "blue"}, {"sg-9": "123456789012"})


def test_t25_whose_the_groups_are_is_told_once() -> None:
    def owner(*tags: str, given: str = "") -> str:
        groups = [
            group(f"g{at}", Tags=[{"Key": OWNER_TAG, "Value": tag}] if tag else []) for at, tag in enumerate(tags)
        ]
        return declaration({**PARAMETERS, "owner": given or None, "security_groups": groups}).options.owner

    assert owner("shop", "shop") == "shop"
    assert owner("", given="shop") == "shop"
    for tags in (("shop", "bank"), ("shop", ""), ("",)):
        with pytest.raises(PlatformError, match="set owner") as caught:
            owner(*tags)
        assert caught.value.reason == "missing_owner"
    with pytest.raises(PlatformError, match="owner is 'shop', and the documents carry 'bank'"):
        owner("bank", given="shop")
