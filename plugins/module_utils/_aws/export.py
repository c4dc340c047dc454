# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VPC's security groups as a document, in the form of the EC2 API's ``DescribeSecurityGroups``.

The same groups give the same bytes, in whichever order the API answers: groups by name, and what is in a rule sorted.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._aws.client import Ec2
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.declaration import OWNER_TAG
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.vpc import Row, Vpc, tags_of


def document(groups: Iterable[Row]) -> bytes:
    found = sorted(map(_sorted, groups), key=lambda group: (group.get("GroupName", ""), group.get("GroupId", "")))
    return (json.dumps({"SecurityGroups": found}, indent=1, sort_keys=True) + "\n").encode("utf-8")


def _sorted(value: Any) -> Any:
    """Every list in the order of its items' text: the API gives none of them an order."""
    if isinstance(value, Mapping):
        return {key: _sorted(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted(map(_sorted, value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def companions(ec2: Ec2, vpc: Vpc) -> list[dict[str, Any]]:
    """Groups that are on an interface beside one that has an owner, whose rules add up with that one's.

    A dict for each pair: ``group``, ``other`` (name and id) and on how many ``interfaces``, with one as ``example``.
    """
    owned = {ident for ident, row in vpc.by_id.items() if OWNER_TAG in tags_of(row)}
    pairs: dict[tuple[str, str], list[str]] = defaultdict(list)
    filters = [{"Name": "vpc-id", "Values": [vpc.ident]}]
    for row in ec2.pages("DescribeNetworkInterfaces", "NetworkInterfaces", Filters=filters) if owned else ():
        idents = {group["GroupId"] for group in row.get("Groups") or ()}
        for ours in idents & owned:
            for other in idents - {ours}:
                pairs[ours, other].append(row["NetworkInterfaceId"])
    names = {ident: row["GroupName"] for ident, row in vpc.by_id.items()}
    found = [
        {
            "group": names[ours],
            "other": f"{names.get(other, '')} ({other})".strip(),
            "interfaces": len(used),
            "example": min(used),
        }
        for (ours, other), used in pairs.items()
    ]
    return sorted(found, key=lambda pair: (pair["group"], pair["other"]))
