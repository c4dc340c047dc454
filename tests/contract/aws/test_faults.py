# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What breaks on the way to EC2: what is tried again, what is told, and that a new run always goes on from there."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.client import connect
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

from tests.contract.aws.standin import CREDENTIALS, Vpc
from tests.contract.aws.syncing import PARAMETERS, egress, group, ingress, planned, run

A = group("a", ingress("10.0.0.0/8", 443, "the office"), egress("b"))
B = group("b", ingress("a"))


def failed(vpc: Vpc, *groups: dict[str, Any], **params: Any) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        run(vpc, *groups, **params)
    error = caught.value
    text = " ".join([error.message, *error.details, str(error.result)])
    assert CREDENTIALS["secret_key"] not in text
    return error


def converges(vpc: Vpc, *groups: dict[str, Any]) -> None:
    vpc.cloud.fail()
    run(vpc, *groups, purge=True)
    assert run(vpc, *groups, purge=True) == []
    assert list(vpc.groups()) == [one["GroupName"] for one in groups]


@pytest.mark.parametrize("action", ["DescribeSecurityGroupRules", "CreateSecurityGroup"])
def test_a_throttled_call_is_tried_again(vpc: Vpc, action: str) -> None:
    run(vpc, B, group("a"))
    vpc.cloud.fail(action=action, code="RequestLimitExceeded", status=503, times=2)
    run(vpc, A, B, group("c"))
    assert run(vpc, A, B, group("c")) == []


@pytest.mark.parametrize(
    ("action", "groups"),
    [
        ("CreateSecurityGroup", (A, B)),
        ("RevokeSecurityGroupEgress", (A, B)),
        ("AuthorizeSecurityGroupIngress", (A, B)),
        ("AuthorizeSecurityGroupEgress", (A, B)),
    ],
)
def test_a_lost_answer_makes_no_twin_and_no_error(vpc: Vpc, action: str, groups: tuple[dict[str, Any], ...]) -> None:
    """botocore calls again and hears Duplicate, or NotFound."""
    vpc.cloud.fail(action=action, code="InternalError", status=500, done=True)
    run(vpc, *groups)
    assert vpc.groups()["a"]["ingress"] == {"tcp 443-443 10.0.0.0/8": "the office"}
    assert run(vpc, *groups) == []


@pytest.mark.parametrize("action", ["RevokeSecurityGroupIngress", "DeleteSecurityGroup"])
def test_a_lost_answer_to_a_delete_is_no_error(vpc: Vpc, action: str) -> None:
    run(vpc, A, B)
    vpc.cloud.fail(action=action, code="InternalError", status=500, done=True)
    run(vpc, state="absent")
    assert vpc.groups() == {}


def test_a_rule_that_somebody_makes_meanwhile_becomes_ours_and_the_rest_is_made(vpc: Vpc) -> None:
    ident = (run(vpc, group("a")), vpc.groups()["a"]["id"])[1]
    wanted = group("a", ingress("10.0.0.0/8", 443, "the office"), ingress("10.0.0.0/8", 80))
    with planned(vpc, wanted) as found:
        vpc.allow(ident, IpProtocol="tcp", FromPort=443, ToPort=443, IpRanges=[{"CidrIp": "10.0.0.0/8"}])
        found.sync.apply()
    assert vpc.groups()["a"]["ingress"] == {"tcp 443-443 10.0.0.0/8": "the office", "tcp 80-80 10.0.0.0/8": ""}
    assert run(vpc, wanted) == []


def test_a_group_that_somebody_makes_meanwhile_is_a_conflict(vpc: Vpc) -> None:
    with planned(vpc, group("a")) as found:
        vpc.group("a")
        with pytest.raises(PlatformError, match="somebody else has made a group of this name") as caught:
            found.sync.apply()
    assert caught.value.reason == "conflict"


def test_a_new_group_that_is_not_known_everywhere_yet_is_waited_for(vpc: Vpc) -> None:
    code = "InvalidGroup.NotFound"
    vpc.cloud.fail(action="RevokeSecurityGroupEgress", code=code)
    run(vpc, group("a"))
    assert vpc.groups()["a"]["egress"] == {}
    vpc.cloud.fail(action="AuthorizeSecurityGroupIngress", code=code, times=3)
    run(vpc, group("a"), group("b", ingress("a")))
    assert list(vpc.groups()["b"]["ingress"]) == ["tcp 443-443 a"]


def test_a_group_that_is_gone_since_it_was_read_is_a_conflict(vpc: Vpc) -> None:
    run(vpc, group("a"))
    with planned(vpc, group("a", ingress("10.0.0.0/8"))) as found:
        vpc.cloud.client.delete_security_group(GroupId=vpc.groups()["a"]["id"])
        with pytest.raises(PlatformError) as caught:
            found.sync.apply()
    assert caught.value.reason == "conflict"
    converges(vpc, group("a", ingress("10.0.0.0/8")))


def test_a_group_that_is_used_from_somewhere_else_is_told_with_its_users(vpc: Vpc) -> None:
    """It has got an interface between planning and deleting."""
    run(vpc, A, B)
    with planned(vpc, group("b"), purge=True) as found:
        interface = vpc.interface(vpc.groups()["a"]["id"])
        with pytest.raises(PlatformError, match=f"it is still used by {interface}") as caught:
            found.sync.apply()
    assert caught.value.reason == "in_use"


def test_an_error_in_the_middle_is_told_exactly_and_the_next_run_goes_on(vpc: Vpc) -> None:
    vpc.cloud.fail(action="AuthorizeSecurityGroupEgress", code="InvalidParameterValue", message="no such thing")
    error = failed(vpc, A, B, concurrency=1)
    assert "AWS refuses ec2:AuthorizeSecurityGroupEgress: no such thing (InvalidParameterValue)" in error.message
    counts = error.result["outcome"]["counts"]
    assert (counts["applied"] + counts["not_attempted"], counts["failed"]) == (4, 1)
    converges(vpc, A, B)


def test_a_rollback_brings_back_what_was_there(vpc: Vpc) -> None:
    run(vpc, A, B)
    ident = vpc.groups()["a"]["id"]
    vpc.allow(
        ident, IpProtocol="tcp", FromPort=22, ToPort=22, IpRanges=[{"CidrIp": "10.0.0.0/8", "Description": "ssh"}]
    )
    before = vpc.groups()
    vpc.cloud.fail(action="DeleteSecurityGroup", code="InvalidParameterValue", contains=before["b"]["id"])
    error = failed(vpc, group("a", ingress("10.0.0.0/8", 8443)), purge=True, on_failure="rollback")
    assert "all is as before" in error.message
    assert vpc.groups() == before


def test_a_rollback_makes_a_deleted_group_anew(vpc: Vpc) -> None:
    run(vpc, A, B, group("c", ingress("10.0.0.0/8")))
    before = vpc.groups()
    vpc.cloud.fail(action="DeleteSecurityGroup", code="InvalidParameterValue", contains=before["b"]["id"])
    error = failed(vpc, group("c"), purge=True, on_failure="rollback", concurrency=1)
    assert "all is as before" in error.message
    assert {name: {**one, "id": ""} for name, one in vpc.groups().items()} == {
        name: {**one, "id": ""} for name, one in before.items()
    }


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        ("UnauthorizedOperation", "unauthorized", "allow the IAM action ec2:CreateSecurityGroup"),
        ("RequestExpired", "expired", "the credentials have expired; renew them"),
        ("ExpiredToken", "expired", "the credentials have expired; renew them"),
        ("AuthFailure", "bad_credentials", "it does not know the credentials"),
    ],
)
def test_refused_credentials_are_told_with_what_to_do(vpc: Vpc, code: str, reason: str, said: str) -> None:
    vpc.cloud.fail(action="CreateSecurityGroup", code=code, status=403, times=-1)
    error = failed(vpc, A, B)
    assert error.reason == reason
    assert said in error.message
    assert vpc.groups() == {}


def test_permissions_are_asked_for_while_planning(vpc: Vpc) -> None:
    run(vpc, group("a", ingress("10.0.0.0/8"), ingress("10.0.0.0/8", 80)), group("c"))
    vpc.cloud.fail(action="RevokeSecurityGroupIngress", code="UnauthorizedOperation", status=403, times=-1)
    vpc.cloud.calls()
    wanted = group("a", ingress("10.0.0.0/8", 80, "text"), egress("b"), Tags=[{"Key": "team", "Value": "blue"}])
    error = failed(vpc, wanted, group("b"), check_permissions=True, purge=True)
    assert error.reason == "unauthorized"
    assert error.message == (
        "The credentials lack permissions that this plan needs; allow the IAM actions ec2:RevokeSecurityGroupIngress"
    )
    asked = [call["Action"] for call in vpc.cloud.calls() if call.get("DryRun") == "true"]
    assert asked == [
        "AuthorizeSecurityGroupEgress",
        "CreateSecurityGroup",
        "CreateTags",
        "DeleteSecurityGroup",
        "ModifySecurityGroupRules",
        "RevokeSecurityGroupEgress",
        "RevokeSecurityGroupIngress",
    ]
    assert sorted(vpc.groups()) == ["a", "c"]
    vpc.cloud.fail()
    assert run(vpc, wanted, group("b"), check_permissions=True, purge=True)


def test_a_place_where_nobody_answers_and_options_that_lack_are_told(
    vpc: Vpc, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("ansible_collections.zerotrust.platform.plugins.module_utils._aws.client.ATTEMPTS", 1)
    error = failed(vpc, A, endpoint_url="http://127.0.0.1:1")
    assert (error.reason, error.message[:43]) == ("unreachable", "AWS cannot be reached: Could not connect to")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    assert failed(vpc, A, access_key=None, secret_key=None).reason == "no_credentials"
    assert failed(vpc, A, region=None).reason == "no_region"
    assert failed(vpc, A, access_key=None, secret_key=None, profile="nobody").reason == "bad_option"


def test_the_environment_is_used_as_by_every_tool_of_aws(vpc: Vpc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS["access_key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS["secret_key"])
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", vpc.cloud.url)
    ec2 = connect({**PARAMETERS, "region": None, "access_key": None, "secret_key": None, "endpoint_url": None})
    vpc.cloud.calls()
    assert list(ec2.pages("DescribeSecurityGroups", "SecurityGroups"))
    assert (ec2.region, len(vpc.cloud.calls())) == ("us-east-1", 1)
    ec2.close()
