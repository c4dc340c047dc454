# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""E2: the playbooks make a VPC's security groups, watch over them, and take them back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.aws.standin import CREDENTIALS, Cloud, standin
from tests.integration.ansible_run import Run, run_playbook, run_tasks

REPO = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with standin() as found:
        yield found


def ok(run: Run) -> Run:
    assert run.status == 0, run.output
    assert "[WARNING]" not in run.output
    return run


def test_e2_from_the_plan_to_the_teardown(cloud: Cloud, tmp_path: Path) -> None:
    build = tmp_path / "build" / "local"
    vpc = cloud.vpc()
    given = {
        "zerotrust_build_dir": str(build),
        "aws_security_groups_vpc_id": vpc.ident,
        "aws_security_groups_connection": cloud.options,
    }

    def run(playbook: str, **more: Any) -> Run:
        arguments = ["-e", json.dumps({**given, **more}), "-v"]
        hosts = REPO / "inventories" / "local" / "hosts.yml"
        found = run_playbook(REPO / "playbooks" / f"{playbook}.yml", *arguments, inventory=hosts)
        told = json.dumps([one for one in found.results if "zerotrust" in one.get("action", "")])
        assert CREDENTIALS["secret_key"] not in told + found.output.replace(json.dumps(given), "")
        return found

    vpc.group("bystander")
    planned = ok(run("plan"))
    assert list(vpc.groups()) == ["bystander"]
    plan = json.loads((build / "plan" / "aws_security_groups.json").read_text("utf-8"))
    approved = {"aws_security_groups_plan_fingerprint": plan["fingerprint"]}
    assert f"-e aws_security_groups_plan_fingerprint={plan['fingerprint']}" in planned.output

    ok(run("site", **approved))
    assert set(vpc.groups()) == {
        "bystander",
        *(f"tradingrobotplug-{name}" for name in ("frontend", "api", "db", "flask", "fastapi")),
    }
    report = json.loads((build / "report.json").read_text(encoding="utf-8"))
    (said,) = (one for one in report["systems"] if one["name"] == "security_group")
    assert (said["state"], said["reason"]) == ("applied", f"to {vpc.ident} in eu-central-1")

    assert ok(run("site", **approved)).changed == 0
    database = vpc.groups()["tradingrobotplug-db"]["id"]
    vpc.allow(database, IpProtocol="tcp", FromPort=22, ToPort=22, IpRanges=[{"CidrIp": "0.0.0.0/0"}])
    verified = run("verify")
    assert verified.status != 0
    assert verified.last["action"] == "zerotrust.platform.security_group_sync"
    assert "tcp 22-22 0.0.0.0/0" in vpc.groups()["tradingrobotplug-db"]["ingress"], "verifying repairs nothing"

    ok(run("teardown"))
    assert list(vpc.groups()) == ["bystander"]
    assert list(build.parent.iterdir()) == []


def test_the_module_tells_in_check_mode_what_it_does_and_shows_it(cloud: Cloud, tmp_path: Path) -> None:
    vpc = cloud.vpc()
    task: dict[str, Any] = {
        "zerotrust.platform.security_group_sync": {
            **cloud.options,
            "vpc_id": vpc.ident,
            "owner": "shop",
            "security_groups": [
                {
                    "GroupName": "a",
                    "IpPermissions": [
                        {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
                    ],
                }
            ],
        }
    }
    checked = run_tasks(tmp_path, task, arguments=["--check"]).last
    assert vpc.groups() == {}
    ran = run_tasks(tmp_path, task, arguments=["--diff"])
    done = ran.last
    assert "+++ after: SecurityGroupRule a ingress tcp 443 from 10.0.0.0/8 (declared)" in ran.output
    assert (checked["changed"], done["changed"]) == (True, True)
    assert checked["plan"] == done["plan"]
    assert done["vpc"]["region"] == "eu-central-1"
    again = run_tasks(tmp_path, task).last
    assert (again["changed"], again["calls"]) == (False, 3)


def test_a_mistake_is_one_sentence(cloud: Cloud, tmp_path: Path) -> None:
    vpc = cloud.vpc()
    told = {**cloud.options, "vpc_id": vpc.ident, "owner": "shop", "security_groups": [{"GroupName": "default"}]}
    failed = run_tasks(tmp_path, {"zerotrust.platform.security_group_sync": told})
    assert failed.status != 0
    assert failed.last["msg"] == (
        "SecurityGroups[0] (default): GroupName 'default' is the VPC's own group, which always is there; choose "
        "another name"
    )
    assert (failed.last["reason"], "Traceback" in failed.output) == ("bad_document", False)
