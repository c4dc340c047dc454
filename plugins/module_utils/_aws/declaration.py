# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared security groups, from documents in the form of the EC2 API's ``DescribeSecurityGroups``.

    {"SecurityGroups": [{"GroupName", "Description", "IpPermissions", "IpPermissionsEgress", "Tags"}, …]}

That is what the graph renders to and what ``aws ec2 describe-security-groups`` prints. Groups name each other by
GroupName; by GroupId too, where the documents say whose it is. Every mistake is told at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._aws.rules import (
    Peer,
    Rule,
    network_of,
    ports_of,
    protocol_of,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import MANAGED_BY, Sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import refuse

OWNER_TAG = f"{MANAGED_BY}/owner"

#: Of names and descriptions (EC2 API, `CreateSecurityGroup` and `IpRange`).
_TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")
_CHARSET = "at most 255 of a-z, A-Z, 0-9, spaces and ._-:/()#,@[]+=&;{}!$*"
_MOST_TAGS = 50


@dataclass(frozen=True)
class Group:
    """A declared group. rules: with their descriptions. accounts: of the groups that are named by id, where told."""

    name: str
    description: str
    tags: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[Rule, str] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""


def declared(documents: Iterable[Sourced], tags: Mapping[str, str]) -> list[Group]:
    """All groups of the documents. tags: laid on each. Raises PlatformError with every mistake."""
    problems: list[str] = []
    entries = list(_entries(documents, problems))
    names = {
        entry["GroupId"]: entry["GroupName"] for entry, _where in entries if entry.get("GroupId") and _named(entry)
    }
    groups = [_Reader(entry, where, names, problems).group(tags) for entry, where in entries]
    refuse(problems, "bad_document")
    return groups


def owners(groups: Iterable[Group]) -> list[str]:
    """Whose the documents say that the groups are."""
    return sorted({group.tags[OWNER_TAG] for group in groups if group.tags.get(OWNER_TAG)})


def _named(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry.get("GroupName"), str)


def _entries(documents: Iterable[Sourced], problems: list[str]) -> Iterator[tuple[Mapping[str, Any], str]]:
    for item in documents:
        listed = item.document.get("SecurityGroups")
        start = f"{item.source}: " if item.source else ""
        if not isinstance(listed, list):
            problems.append(
                f"{start}there is no list SecurityGroups; give documents as describe-security-groups has them"
            )
            continue
        for index, entry in enumerate(listed):
            where = f"{start}SecurityGroups[{index}]"
            if isinstance(entry, dict):
                yield entry, where
            else:
                problems.append(f"{where}: {entry!r} is not a mapping")


class _Reader:
    """One group of a document."""

    def __init__(self, entry: Mapping[str, Any], where: str, names: Mapping[str, str], problems: list[str]) -> None:
        self.entry, self.where, self.names, self.problems = entry, where, names, problems
        self.accounts: dict[str, str] = {}

    def problem(self, text: str) -> None:
        self.problems.append(f"{self.where}: {text}")

    def group(self, tags: Mapping[str, str]) -> Group:
        name = self.text("GroupName")
        if not name:
            self.problem("GroupName is missing")
        else:
            self.where = f"{self.where} ({name})"
        if name == "default":
            self.problem("GroupName 'default' is the VPC's own group, which always is there; choose another name")
        elif name != name.strip():
            self.problem(f"GroupName {name!r} begins or ends with a space, which AWS does not keep; take it away")
        elif name.lower().startswith("sg-"):
            self.problem("GroupName cannot begin with 'sg-', as ids do; choose another name")
        description = self.text("Description") or name
        rules: dict[Rule, str] = {}
        for egress, key in ((False, "IpPermissions"), (True, "IpPermissionsEgress")):
            for index, permission in enumerate(self.items(self.entry, key, "")):
                self.rules(permission, egress, f"{key}[{index}]", rules)
        return Group(name, description, {**self.tags(), **tags}, rules, self.accounts, self.where)

    def text(self, key: str) -> str:
        value = self.entry.get(key)
        if value is None:
            return ""
        if not isinstance(value, str) or not _TEXT.fullmatch(value):
            self.problem(f"{key} {value!r} is not text that AWS takes: {_CHARSET}")
            return ""
        return value

    def items(self, holder: Mapping[str, Any], key: str, place: str) -> Iterator[Mapping[str, Any]]:
        found = holder.get(key)
        if found is None:
            return
        if not isinstance(found, list):
            self.problem(f"{place}{key}: {found!r} is not a list")
            return
        for entry in found:
            if isinstance(entry, dict):
                yield entry
            else:
                self.problem(f"{place}{key}: {entry!r} is not a mapping")

    def tags(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for tag in self.items(self.entry, "Tags", ""):
            key, value = tag.get("Key"), tag.get("Value", "")
            if not isinstance(key, str) or not isinstance(value, str) or not 1 <= len(key) <= 128 or len(value) > 256:
                self.problem(
                    f"Tags: {key!r} = {value!r} is no tag: a key of 1 to 128 and a value of up to 256 characters"
                )
            elif not key.lower().startswith("aws:"):
                # Those are AWS's own, as a group that was exported has them.
                found[key] = value
        if len(found) > _MOST_TAGS - 2:
            self.problem(f"has {len(found)} tags, and AWS takes {_MOST_TAGS}, ours included")
        return found

    def rules(self, permission: Mapping[str, Any], egress: bool, place: str, into: dict[Rule, str]) -> None:
        try:
            protocol = protocol_of(permission.get("IpProtocol"))
            low, high = ports_of(protocol, permission.get("FromPort"), permission.get("ToPort"))
        except ValueError as error:
            self.problem(f"{place}: {error}")
            return
        count = len(self.problems)
        peers = list(self.peers(permission, f"{place}."))
        if not peers and count == len(self.problems):
            self.problem(f"{place}: names no network, group or prefix list")
        for peer, described in peers:
            if described is not None and (not isinstance(described, str) or not _TEXT.fullmatch(described)):
                self.problem(f"{place}: Description {described!r} is not text that AWS takes: {_CHARSET}")
                continue
            rule, text = Rule(egress, protocol, low, high, peer), described or ""
            if into.setdefault(rule, text) != text:
                self.problem(f"{place}: {rule} is declared twice, as {into[rule]!r} and as {text!r}")

    def peers(self, permission: Mapping[str, Any], place: str) -> Iterator[tuple[Peer, Any]]:
        for kind, key in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")):
            for entry in self.items(permission, kind, place):
                try:
                    network = network_of(entry.get(key))
                except ValueError as error:
                    self.problem(f"{place}{kind}: {error}")
                    continue
                if (":" in network) != (kind == "Ipv6Ranges"):
                    self.problem(
                        f"{place}{kind}: {network} belongs to {'Ipv6Ranges' if ':' in network else 'IpRanges'}"
                    )
                    continue
                yield Peer("network", network), entry.get("Description")
        for entry in self.items(permission, "PrefixListIds", place):
            ident = entry.get("PrefixListId")
            if not isinstance(ident, str) or not ident.startswith("pl-"):
                self.problem(f"{place}PrefixListIds: {ident!r} is no id of a prefix list, such as pl-0123456789abcdef0")
                continue
            yield Peer("list", ident), entry.get("Description")
        for entry in self.items(permission, "UserIdGroupPairs", place):
            ident, name, account = entry.get("GroupId"), entry.get("GroupName"), entry.get("UserId")
            known = self.names.get(ident) if isinstance(ident, str) else None
            if known or (not ident and isinstance(name, str) and name):
                yield Peer("group", known or str(name)), entry.get("Description")
            elif isinstance(ident, str) and ident.startswith("sg-"):
                if isinstance(account, str) and account:
                    self.accounts[ident] = account
                yield Peer("id", ident), entry.get("Description")
            else:
                self.problem(
                    f"{place}UserIdGroupPairs: {ident or name!r} names no group; give GroupName, or GroupId such as "
                    "sg-0123456789abcdef0"
                )
