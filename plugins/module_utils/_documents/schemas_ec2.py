# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of AWS security groups as EC2's DescribeSecurityGroups gives them (API version 2016-11-15)."""

from __future__ import annotations

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.schema_words import (
    Schema,
    list_of,
    record,
    text,
    whole,
)

# EC2, "IpRange", "UserIdGroupPair" and "CreateSecurityGroup": what a name or a description may hold.
DESCRIPTION = text(
    "a description of what EC2 allows in one", r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]*", most=255, least=0
)
GROUP_NAME = text(
    "a group's name that does not begin with sg-", r"(?!sg-)[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]+", most=255
)
GROUP_ID = text("a group's id", r"sg-[0-9a-f]{8,17}")
_V4 = text("an IPv4 network", r"([0-9]{1,3}\.){3}[0-9]{1,3}/([0-9]|[12][0-9]|3[0-2])")
_V6 = text("an IPv6 network", r"[0-9a-fA-F:.]+/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8])")

PERMISSION: Schema = {
    **record(
        {
            "IpProtocol": text("a protocol's name or number, -1 for all", r"-1|tcp|udp|icmp|icmpv6|[0-9]{1,3}"),
            "FromPort": whole(-1, 65535),
            "ToPort": whole(-1, 65535),
            "UserIdGroupPairs": list_of(
                {
                    **record(
                        {
                            "GroupId": GROUP_ID,
                            "GroupName": GROUP_NAME,
                            "Description": DESCRIPTION,
                            "UserId": text(),
                            "VpcId": text(),
                            "VpcPeeringConnectionId": text(),
                            "PeeringStatus": text(),
                        }
                    ),
                    "anyOf": [{"required": ["GroupId"]}, {"required": ["GroupName"]}],
                    "title": "a GroupId or a GroupName",
                }
            ),
            "IpRanges": list_of(record({"CidrIp": _V4, "Description": DESCRIPTION}, ("CidrIp",))),
            "Ipv6Ranges": list_of(record({"CidrIpv6": _V6, "Description": DESCRIPTION}, ("CidrIpv6",))),
            "PrefixListIds": list_of(
                record(
                    {"PrefixListId": text("a prefix list's id", r"pl-[0-9a-f]+"), "Description": DESCRIPTION},
                    ("PrefixListId",),
                )
            ),
        },
        ("IpProtocol",),
    ),
    "if": {"properties": {"IpProtocol": {"enum": ["tcp", "udp", "6", "17"]}}, "required": ["IpProtocol"]},
    "then": {"required": ["FromPort", "ToPort"]},
}

SECURITY_GROUP: Schema = record(
    {
        "GroupId": GROUP_ID,
        "GroupName": GROUP_NAME,
        "Description": DESCRIPTION,
        "OwnerId": text(),
        "VpcId": text(),
        "SecurityGroupArn": text(),
        "Tags": list_of(record({"Key": text(most=128), "Value": text(least=0, most=256)}, ("Key",))),
        "IpPermissions": list_of(PERMISSION),
        "IpPermissionsEgress": list_of(PERMISSION),
    },
    ("GroupName",),
)

SECURITY_GROUPS: Schema = record({"SecurityGroups": list_of(SECURITY_GROUP), "NextToken": text()}, ("SecurityGroups",))
