# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there: a VPC's security groups and their rules, in as few calls as there are pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._aws.client import Ec2, Ec2Error
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Vpc:
    """ipv6: whether it has networks of IPv6, and so new groups a second egress rule. groups: as the API has them."""

    ident: str
    account: str
    ipv6: bool
    groups: Sequence[Row]
    by_name: Mapping[str, Row] = field(default_factory=dict)
    by_id: Mapping[str, Row] = field(default_factory=dict)


def read_vpc(ec2: Ec2, ident: str) -> Vpc:
    """Raises PlatformError for a VPC that is not there."""
    try:
        (found,) = ec2.call("DescribeVpcs", VpcIds=[ident])["Vpcs"]
    except Ec2Error as error:
        if error.code.startswith("InvalidVpc"):
            hint = "check vpc_id, region and account"
            raise PlatformError(f"There is no VPC {ident!r} in {ec2.region}; {hint}", "no_vpc") from error
        raise
    blocks = found.get("Ipv6CidrBlockAssociationSet") or ()
    ipv6 = any((one.get("Ipv6CidrBlockState") or {}).get("State") != "disassociated" for one in blocks)
    groups = read_groups(ec2, ident)
    return Vpc(
        ident,
        found.get("OwnerId") or "",
        ipv6,
        groups,
        {row["GroupName"]: row for row in groups},
        {row["GroupId"]: row for row in groups},
    )


def read_groups(ec2: Ec2, vpc: str) -> list[Row]:
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    rows = ec2.pages("DescribeSecurityGroups", "SecurityGroups", Filters=filters)
    # A page that repeats may give a group twice.
    return list({row["GroupId"]: row for row in rows}.values())


def read_rules(ec2: Ec2, groups: Sequence[str]) -> list[Row]:
    """The rules of these groups (ids)."""
    rows = ec2.filtered("DescribeSecurityGroupRules", "SecurityGroupRules", "group-id", groups)
    return list({row["SecurityGroupRuleId"]: row for row in rows}.values())


def read_interfaces(ec2: Ec2, groups: Sequence[str]) -> Iterator[tuple[str, set[str]]]:
    """The network interfaces that use these groups: a text for each, and which of the groups."""
    for row in ec2.filtered("DescribeNetworkInterfaces", "NetworkInterfaces", "group-id", groups):
        attached = (row.get("Attachment") or {}).get("InstanceId")
        parts = [f"of {attached}" if attached else "", row.get("Description") or ""]
        more = ", ".join(part for part in parts if part)
        text = row["NetworkInterfaceId"] + (f" ({more})" if more else "")
        yield text, {group["GroupId"] for group in row.get("Groups") or ()} & set(groups)


def read_weights(ec2: Ec2, lists: Iterable[str]) -> dict[str, int]:
    """How many rules each prefix list counts for. AWS does not say it of its own ones, which are left out."""
    found = ec2.filtered("DescribeManagedPrefixLists", "PrefixLists", "prefix-list-id", sorted(lists), page=100)
    return {row["PrefixListId"]: row["MaxEntries"] for row in found if row.get("MaxEntries")}


def tags_of(row: Row) -> dict[str, str]:
    """AWS's own tags left out, which nobody else can set."""
    tags = {tag["Key"]: tag.get("Value") or "" for tag in row.get("Tags") or ()}
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}
