# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What security_group_sync costs: 50 and 500 groups of 10 rules, made and unchanged.

    python tests/benchmarks/aws.py [SIZE ...]

- **The floor** is bare boto3, which knows what to do: for the first run a group, no egress, five rules in and five out
  with their tags, four calls a group; for an unchanged one the pages of groups and of rules.
- **amazon.aws** is its ec2_security_group in a loop, for 50 groups. It is in PyPI's `ansible` package.
  `make bench` puts it into build/ansible with boto3; without that its figures are left out.

The API is the tests' stand-in, as a process of its own that is not counted. CPU seconds of the client with its start.
`task` is what our module costs before it begins; the ratio is what is beyond that, in terms of the floor.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / ".venv" / "collections"), str(REPO)]

from tests.contract.aws.standin import CREDENTIALS, REGION, Cloud, standin  # noqa: E402

SIZES = (50, 500)
TURNS = {50: 3}
"""Runs of each, of which the cheapest counts; one for more groups, as the stand-in takes its time."""
GOALS = {"first": 1.5, "unchanged": 1.3}
GOAL_LOOP = 30
LOOPED = 50
OTHERS = REPO / "build" / "ansible"


def group(at: int) -> dict[str, Any]:
    def rules(first: int) -> list[dict[str, Any]]:
        return [
            {
                "IpProtocol": "tcp",
                "FromPort": 8000 + port,
                "ToPort": 8000 + port,
                "IpRanges": [{"CidrIp": f"10.{first + port}.0.0/16", "Description": f"rule {port} of g{at:03}"}],
            }
            for port in range(5)
        ]

    return {
        "GroupName": f"g{at:03}",
        "Description": f"g{at:03} of a benchmark",
        "IpPermissions": rules(0),
        "IpPermissionsEgress": rules(100),
    }


def cpu(command: list[str], **more: Any) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed:\n{done.stdout[-3000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


# The floor


def floor(run: str, url: str, vpc: str, size: int) -> None:
    import boto3

    ec2 = boto3.client(
        "ec2",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=CREDENTIALS["access_key"],
        aws_secret_access_key=CREDENTIALS["secret_key"],
    )
    tags = [{"Key": "zerotrust.platform/owner", "Value": "floor"}]
    if run == "first":
        for at in range(size):
            one = group(at)
            told = [{"ResourceType": "security-group", "Tags": tags}]
            made = ec2.create_security_group(
                GroupName=one["GroupName"], Description=one["Description"], VpcId=vpc, TagSpecifications=told
            )["GroupId"]
            everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
            ec2.revoke_security_group_egress(GroupId=made, IpPermissions=everything)
            told = [{"ResourceType": "security-group-rule", "Tags": tags}]
            ec2.authorize_security_group_ingress(
                GroupId=made, IpPermissions=one["IpPermissions"], TagSpecifications=told
            )
            ec2.authorize_security_group_egress(
                GroupId=made, IpPermissions=one["IpPermissionsEgress"], TagSpecifications=told
            )
        return
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    pages = ec2.get_paginator("describe_security_groups").paginate(Filters=filters, PaginationConfig={"PageSize": 1000})
    ids = [row["GroupId"] for page in pages for row in page["SecurityGroups"]]
    count = 0
    for at in range(0, len(ids), 200):
        filters = [{"Name": "group-id", "Values": ids[at : at + 200]}]
        pages = ec2.get_paginator("describe_security_group_rules").paginate(
            Filters=filters, PaginationConfig={"PageSize": 1000}
        )
        count += sum(len(page["SecurityGroupRules"]) for page in pages)
    assert count >= size * 10


# Ours


def arguments(cloud: Cloud, vpc: str, size: int, folder: Path) -> dict[str, Any]:
    src = folder / f"groups-{size}.json"
    src.write_text(json.dumps({"SecurityGroups": [group(at) for at in range(size)]}), encoding="utf-8")
    return {**cloud.options, "vpc_id": vpc, "owner": "bench", "src": [str(src)], "purge": True}


def ours(told: dict[str, Any], folder: Path) -> list[str]:
    told = {**told, "_ansible_remote_tmp": str(folder), "_ansible_keep_remote_files": False}
    return [sys.executable, __file__, "--module", json.dumps(told)]


def module(told: str) -> None:
    from ansible.module_utils.testing import patch_module_args
    from ansible_collections.zerotrust.platform.plugins.modules import security_group_sync

    with patch_module_args(json.loads(told)), contextlib.suppress(SystemExit):
        security_group_sync.main()


def start_of_one_task(cloud: Cloud, folder: Path) -> float:
    """Of the module that is told a mistake before it reads anything."""
    told = {**cloud.options, "vpc_id": "none", "owner": "bench", "security_groups": [{"GroupName": "default"}]}
    return min(cpu(ours(told, folder)) for _turn in range(3))


# amazon.aws


def others() -> bool:
    """Whether build/ansible is there, which `make bench` makes."""
    python = OTHERS / "bin" / "python"
    return python.exists() and subprocess.run([str(python), "-c", "import boto3"], check=False).returncode == 0


def playbook(tasks: list[dict[str, Any]], folder: Path) -> float:
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    path = folder / "playbook.json"
    path.write_text(json.dumps([play]), encoding="utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(REPO / ".venv" / "collections"),
        "ANSIBLE_DISPLAY_OK_HOSTS": "false",
    }
    python = OTHERS / "bin" / "python"
    command = [str(OTHERS / "bin" / "ansible-playbook"), "-i", "localhost,", str(path)]
    return cpu([*command, "-e", f"ansible_python_interpreter={python}"], env=environment, cwd=folder)


def looped(cloud: Cloud, vpc: str) -> dict[str, Any]:
    def rules(permissions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {
                "proto": "tcp",
                "from_port": one["FromPort"],
                "to_port": one["ToPort"],
                "cidr_ip": one["IpRanges"][0]["CidrIp"],
                "rule_desc": one["IpRanges"][0]["Description"],
            }
            for one in permissions
        ]

    found = [group(at) for at in range(LOOPED)]
    return {
        "amazon.aws.ec2_security_group": {
            **cloud.options,
            "vpc_id": vpc,
            "name": "{{ item.name }}",
            "description": "{{ item.name }} of a benchmark",
            "rules": "{{ item.rules }}",
            "rules_egress": "{{ item.rules_egress }}",
        },
        "loop": [
            {
                "name": one["GroupName"],
                "rules": rules(one["IpPermissions"]),
                "rules_egress": rules(one["IpPermissionsEgress"]),
            }
            for one in found
        ],
        "loop_control": {"label": "{{ item.name }}"},
    }


# All of it


def aws(sizes: tuple[int, ...] = SIZES) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {"floor": [], "loop": []}
    with standin() as cloud, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = start_of_one_task(cloud, folder)
        for size in sizes:
            firsts, seconds, lowest_firsts, lowest_seconds = [], [], [], []
            for _turn in range(TURNS.get(size, 1)):
                vpc, other = cloud.vpc().ident, cloud.vpc().ident
                told = arguments(cloud, vpc, size, folder)
                firsts.append(cpu(ours(told, folder)))
                seconds.append(cpu(ours(told, folder)))
                for run, into in (("first", lowest_firsts), ("unchanged", lowest_seconds)):
                    into.append(cpu([sys.executable, __file__, "--floor", run, cloud.url, other, str(size)]))
            for run, mine, lowest in (("first", firsts, lowest_firsts), ("unchanged", seconds, lowest_seconds)):
                own, least = min(mine), min(lowest)
                row = {"run": run, "groups": size, "cpu_seconds": own, "task": start, "floor": least}
                rows["floor"].append({**row, "ratio": (own - start) / least})
        if others():
            vpc, mine = cloud.vpc().ident, cloud.vpc().ident
            empty = playbook([], folder)
            ours_task = {"zerotrust.platform.security_group_sync": arguments(cloud, mine, LOOPED, folder)}
            for run in ("first", "unchanged"):
                theirs = playbook([looped(cloud, vpc)], folder) - empty
                own = playbook([{**ours_task, "vars": {"ansible_python_interpreter": sys.executable}}], folder) - empty
                rows["loop"].append({"run": run, "groups": LOOPED, "cpu_seconds": own, "loop": theirs})
    show(rows)
    return rows


def show(rows: dict[str, list[dict[str, Any]]]) -> None:
    print("\nsecurity_group_sync beside bare boto3, 10 rules a group, CPU seconds of the client\n")
    print(" ".join(f"{column:>12}" for column in ("run", "groups", "CPU", "task", "floor", "ratio", "goal")))
    for row in rows["floor"]:
        cells = [f"{row[key]:.2f}" for key in ("cpu_seconds", "task", "floor", "ratio")]
        print(" ".join(f"{cell!s:>12}" for cell in (row["run"], row["groups"], *cells, GOALS[row["run"]])))
    if rows["loop"]:
        print("\nAs one task beside amazon.aws.ec2_security_group in a loop, CPU seconds beyond an empty playbook's\n")
        print(" ".join(f"{column:>12}" for column in ("run", "groups", "CPU", "loop", "times less", "goal")))
        for row in rows["loop"]:
            cells = (f"{row['cpu_seconds']:.2f}", f"{row['loop']:.1f}", f"{row['loop'] / row['cpu_seconds']:.0f}")
            print(" ".join(f"{cell!s:>12}" for cell in (row["run"], row["groups"], *cells, GOAL_LOOP)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--module"]:
        module(sys.argv[2])
    elif sys.argv[1:2] == ["--floor"]:
        floor(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
    else:
        aws(tuple(map(int, sys.argv[1:])) or SIZES)
