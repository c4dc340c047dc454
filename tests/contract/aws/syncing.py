# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of security_group_sync without Ansible, for tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._aws.client import connect
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.provider import SecurityGroups, refuse_denied
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.source import declaration
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.executor import Timing
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import Plan
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Sync, prepare

from tests.contract.aws.standin import Vpc

OWNER = "shop"
OWNER_TAG = "zerotrust.platform/owner"
#: The module's defaults.
PARAMETERS: dict[str, Any] = {
    "policy": "sync",
    "purge": False,
    "adopt": False,
    "limits": {"delete": 100, "update": 100, "objects": 10, "allow_empty": False},
    "on_failure": "stop",
    "concurrency": 8,
    "journal_file": None,
    "src": None,
    "graph": None,
    "security_groups": None,
    "owner": OWNER,
    "tags": {},
    "max_rules": None,
    "groups_per_interface": 5,
    "check_permissions": False,
    "state": "present",
    "profile": None,
    "session_token": None,
    "aws_ca_bundle": None,
    "validate_certs": True,
}


@dataclass(frozen=True)
class Planned:
    sync: Sync
    provider: SecurityGroups

    @property
    def plan(self) -> Plan:
        return self.sync.plan

    @property
    def texts(self) -> list[str]:
        return [f"{change.action} {change.name}" for change in self.plan.changes]


@contextlib.contextmanager
def planned(vpc: Vpc, *groups: dict[str, Any], **params: Any) -> Iterator[Planned]:
    told = {**PARAMETERS, **vpc.cloud.options, "security_groups": list(groups), **params}
    declared = declaration(told)
    ec2 = connect(told)
    try:
        provider = SecurityGroups(ec2, vpc.ident, declared.groups, declared.options)
        sync = prepare(provider, provider.desired, declared.settings)
        if told["check_permissions"]:
            refuse_denied(provider.denied(sync.planned.stages))
        yield Planned(sync, provider)
    finally:
        ec2.close()


def run(vpc: Vpc, *groups: dict[str, Any], **params: Any) -> list[str]:
    """Plan and do; what was done. A second plan finds nothing to do."""
    with planned(vpc, *groups, **params) as found:
        # The waits of the engine are not what is tested.
        found.sync.apply(Timing(sleep=lambda _seconds: None))
        return found.texts


def group(name: str, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A declared group. Rules are made by `ingress` and `egress`."""
    return {
        "GroupName": name,
        "Description": f"{name} of a test",
        "IpPermissions": [rule for rule in rules if "egress" not in rule],
        "IpPermissionsEgress": [
            {key: value for key, value in rule.items() if key != "egress"} for rule in rules if "egress" in rule
        ],
        **more,
    }


def ingress(other: str, port: int = 443, description: str = "", **more: Any) -> dict[str, Any]:
    """other: a network, the id of a prefix list or a group, or the name of a group."""
    told = {"Description": description} if description else {}
    if other.startswith("pl-"):
        ends: dict[str, Any] = {"PrefixListIds": [{"PrefixListId": other, **told}]}
    elif other.startswith("sg-"):
        ends = {"UserIdGroupPairs": [{"GroupId": other, **told}]}
    elif "/" in other:
        kind, key = ("Ipv6Ranges", "CidrIpv6") if ":" in other else ("IpRanges", "CidrIp")
        ends = {kind: [{key: other, **told}]}
    else:
        ends = {"UserIdGroupPairs": [{"GroupName": other, **told}]}
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **ends, **more}


def egress(other: str, port: int = 443, description: str = "", **more: Any) -> dict[str, Any]:
    return ingress(other, port, description, egress=True, **more)
