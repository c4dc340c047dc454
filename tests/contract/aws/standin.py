# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The EC2 API for tests: `server.py` as a process, and a VPC in it.

with standin() as cloud:
    vpc = cloud.vpc()
    vpc.groups()                     # {name: {"id", "ingress", "egress", "tags"}}
    cloud.fail(action="CreateTags", code="RequestLimitExceeded")
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[3]
REGION = "eu-central-1"
#: Of nobody: moto takes any.
CREDENTIALS = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "not-a-secret-of-anybody"}


def python() -> str:
    """One that has moto: an environment with an older ansible-core has not."""
    return sys.executable if importlib.util.find_spec("moto") else str(REPO / ".venv" / "bin" / "python")


@dataclass
class Cloud:
    url: str

    @property
    def options(self) -> dict[str, Any]:
        """The options of the modules."""
        return {"region": REGION, "endpoint_url": self.url, **CREDENTIALS}

    @cached_property
    def client(self) -> Any:
        """EC2 as botocore has it, for what is no business of the code under test."""
        from botocore.session import Session

        session = Session()
        session.set_credentials(*CREDENTIALS.values())
        return session.create_client("ec2", region_name=REGION, endpoint_url=self.url)

    def _post(self, path: str, data: Any) -> Any:
        request = urllib.request.Request(f"{self.url}/standin/{path}", json.dumps(data).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def fail(self, **fault: Any) -> None:
        """One fault, in place of all that were there; see `server.Fault`."""
        self._post("faults", [fault] if fault else [])

    def calls(self) -> list[dict[str, str]]:
        """What was called since the last time."""
        found: list[dict[str, str]] = self._post("calls", None)
        return found

    def actions(self) -> list[str]:
        return [call["Action"] for call in self.calls()]

    def vpc(self, ipv6: bool = False) -> Vpc:
        made = self.client.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=ipv6)
        return Vpc(self, made["Vpc"]["VpcId"])


@dataclass
class Vpc:
    cloud: Cloud
    ident: str

    def group(self, name: str, tags: dict[str, str] | None = None, **_more: Any) -> str:
        """A group that somebody else has made; its id."""
        told = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
        more = {"TagSpecifications": [{"ResourceType": "security-group", "Tags": told}]} if told else {}
        made = self.cloud.client.create_security_group(GroupName=name, Description=name, VpcId=self.ident, **more)
        return str(made["GroupId"])

    def allow(self, group: str, direction: str = "ingress", **rule: Any) -> None:
        """A rule that somebody else has made."""
        getattr(self.cloud.client, f"authorize_security_group_{direction}")(GroupId=group, IpPermissions=[rule])

    def interface(self, *groups: str) -> str:
        subnets = self.cloud.client.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.ident]}])["Subnets"]
        subnet = (
            subnets[0]["SubnetId"]
            if subnets
            else self.cloud.client.create_subnet(VpcId=self.ident, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        )
        made = self.cloud.client.create_network_interface(
            SubnetId=subnet, Groups=list(groups), Description="ELB app/shop/50dc6c495c0c9188"
        )
        return str(made["NetworkInterface"]["NetworkInterfaceId"])

    def groups(self) -> dict[str, dict[str, Any]]:
        """All groups but the VPC's own, with their rules as texts."""
        filters = [{"Name": "vpc-id", "Values": [self.ident]}]
        rows = self.cloud.client.describe_security_groups(Filters=filters)["SecurityGroups"]
        names = {row["GroupId"]: row["GroupName"] for row in rows}
        found: dict[str, dict[str, Any]] = {
            row["GroupName"]: {
                "id": row["GroupId"],
                "description": row["Description"],
                "tags": _tags(row),
                "ingress": {},
                "egress": {},
            }
            for row in rows
        }
        for row in self.cloud.client.describe_security_group_rules()["SecurityGroupRules"]:
            if row["GroupId"] not in names:
                continue
            referred = (row.get("ReferencedGroupInfo") or {}).get("GroupId", "")
            peer = (
                row.get("CidrIpv4") or row.get("CidrIpv6") or row.get("PrefixListId") or names.get(referred, referred)
            )
            ports = "" if row["IpProtocol"] == "-1" else f" {row['FromPort']}-{row['ToPort']}"
            rules = found[names[row["GroupId"]]]["egress" if row["IsEgress"] else "ingress"]
            rules[f"{row['IpProtocol']}{ports} {peer}"] = row.get("Description", "")
        found.pop("default")
        return found


def _tags(row: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in row.get("Tags", ())}


@contextlib.contextmanager
def standin() -> Iterator[Cloud]:
    command = [python(), str(Path(__file__).with_name("server.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            if not port:
                raise RuntimeError(f"{' '.join(command)} has not begun to listen")
            yield Cloud(f"http://127.0.0.1:{port}")
        finally:
            process.kill()
