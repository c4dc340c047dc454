# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes to a VPC's security groups.

EC2 takes or refuses a call as a whole, and its answer can be lost: then botocore calls again, and hears that the group
or rule is there already, or no longer. So such a refusal is looked into, and what is left of the call is done.

EC2 is eventually consistent: for some seconds a new group may be unknown to the calls that follow. Only for groups
that were made in this run that is a reason to try again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._aws.client import Ec2, Ec2Error
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.declaration import OWNER_TAG
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.rules import ALL, Peer, Rule, of_row, permission
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.vpc import (
    Vpc,
    read_interfaces,
    read_rules,
    tags_of,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import CREATE, DELETE
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import CONFLICT, ApplyError

_NO_GROUP = ("InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound", "InvalidID")
_NO_RULE = ("InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound")
#: Seconds between attempts while a new group is not yet known everywhere; the engine makes five.
_SETTLING = 2.0

_AUTHORIZE = {False: "AuthorizeSecurityGroupIngress", True: "AuthorizeSecurityGroupEgress"}
_REVOKE = {False: "RevokeSecurityGroupIngress", True: "RevokeSecurityGroupEgress"}

_IPV4, _IPV6 = (Rule(True, ALL, -1, -1, Peer("network", text)) for text in ("0.0.0.0/0", "::/0"))
_DENIALS_ARE_ANSWERS = ("expired", "bad_credentials", "throttled")


class Placed(NamedTuple):
    """A rule and the name of its group."""

    group: str
    rule: Rule


def tags_key(step: Step) -> str:
    """Rules with other tags need another call, when they are made."""
    return json.dumps(step.after["tags"], sort_keys=True) if step.action == CREATE else ""


class Writer:
    """accounts: of groups by id, where it is told, as those of other accounts need."""

    def __init__(self, ec2: Ec2, vpc: Vpc, accounts: Mapping[str, str]) -> None:
        self.ec2, self.vpc, self.accounts = ec2, vpc, accounts
        self._made: dict[str, str] = {}

    def _id(self, group: str) -> str:
        made = self._made.get(group)
        return made or str(self.vpc.by_name[group]["GroupId"])

    # -- groups -------------------------------------------------------------------------------------------------------

    def group(self, step: Step) -> None:
        name = step.ref[1]
        if step.action == CREATE:
            self._create(name, step.after)
        elif step.action == DELETE:
            self._delete(name)
        else:
            self._update(name, step.before, step.after)

    def _create(self, name: str, data: Mapping[str, Any]) -> None:
        if name not in self._made:
            try:
                answer = self.ec2.call("CreateSecurityGroup", **self._new(name, data))
                self._made[name] = answer["GroupId"]
            except Ec2Error as error:
                if error.code != "InvalidGroup.Duplicate":
                    raise
                self._made[name] = self._found(name, data)
        if not data["default_egress"]:
            self._close(name)

    def _new(self, name: str, data: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "GroupName": name,
            "Description": data["description"] or name,
            "VpcId": self.vpc.ident,
            **_tagged("security-group", data["tags"]),
        }

    def _found(self, name: str, data: Mapping[str, Any]) -> str:
        """The id of a group that is said to be there, which was made by a call whose answer was lost."""
        filters = [{"Name": "vpc-id", "Values": [self.vpc.ident]}, {"Name": "group-name", "Values": [name]}]
        for row in self.ec2.pages("DescribeSecurityGroups", "SecurityGroups", Filters=filters):
            if tags_of(row).get(OWNER_TAG) == data["tags"].get(OWNER_TAG):
                return str(row["GroupId"])
        raise ApplyError("somebody else has made a group of this name since it was read", CONFLICT)

    def _close(self, name: str) -> None:
        """Revoke the egress that AWS gives a group."""
        ident = self._id(name)
        rules = [_IPV4, _IPV6] if self.vpc.ipv6 else [_IPV4]
        permissions = [permission(rule, _network(rule.peer), "") for rule in rules]
        try:
            self.ec2.call(_REVOKE[True], GroupId=ident, IpPermissions=permissions)
        except Ec2Error as error:
            if error.code not in _NO_RULE:
                raise self._explained(error, [name]) from error
            rows = [row for row in read_rules(self.ec2, [ident]) if of_row(row) in (_IPV4, _IPV6)]
            if rows:
                self._revoke(name, True, [row["SecurityGroupRuleId"] for row in rows])

    def _update(self, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        self._retag([self._id(name)], before["tags"], after["tags"])
        if before["default_egress"] and not after["default_egress"]:
            self._close(name)
        elif after["default_egress"] and not before["default_egress"]:
            self._authorize(name, [_IPV4], [""], {})

    def _delete(self, name: str) -> None:
        ident = self._id(name)
        try:
            self.ec2.call("DeleteSecurityGroup", GroupId=ident)
        except Ec2Error as error:
            if error.code in _NO_GROUP:
                return
            if error.code == "DependencyViolation":
                users = [text for text, _used in read_interfaces(self.ec2, [ident])]
                who = ", ".join(users) or "a group of another VPC, or a load balancer or the like that is being deleted"
                raise ApplyError(f"it is still used by {who}; change that, and run again", "in_use") from error
            raise

    # -- rules --------------------------------------------------------------------------------------------------------

    def rules(self, batch: Sequence[Step], placed: Sequence[Placed]) -> None:
        """Steps of one action, for rules of one group and direction."""
        name, egress = placed[0].group, placed[0].rule.egress
        try:
            if batch[0].action == CREATE:
                texts = [step.after["description"] for step in batch]
                self._authorize(name, [one.rule for one in placed], texts, batch[0].after["tags"])
            elif batch[0].action == DELETE:
                self._revoke(name, egress, [step.actual.handle for step in batch if step.actual])
            else:
                self._modify(name, batch, [one.rule for one in placed])
        except Ec2Error as error:
            peers = [one.rule.peer.value for one in placed if one.rule.peer.kind == "group"]
            raise self._explained(error, [name, *peers]) from error

    def _authorize(self, name: str, rules: Sequence[Rule], texts: Sequence[str], tags: Mapping[str, str]) -> None:
        arguments = self._new_rules(name, rules, texts, tags)
        try:
            self.ec2.call(_AUTHORIZE[rules[0].egress], **arguments)
        except Ec2Error as error:
            if error.code != "InvalidPermission.Duplicate":
                raise
            self._authorize_rest(name, rules, texts, tags)

    def _authorize_rest(self, name: str, rules: Sequence[Rule], texts: Sequence[str], tags: Mapping[str, str]) -> None:
        """Some are there: made by a call whose answer was lost, or by somebody else meanwhile."""
        there = {self._named(of_row(row)): row for row in read_rules(self.ec2, [self._id(name)])}
        rest = [(rule, text) for rule, text in zip(rules, texts) if rule not in there]
        if rest:
            left = self._new_rules(name, [rule for rule, _text in rest], [text for _rule, text in rest], tags)
            self.ec2.call(_AUTHORIZE[rules[0].egress], **left)
        for rule, text in zip(rules, texts):
            row = there.get(rule)
            if row is not None:
                if (row.get("Description") or "") != text:
                    self._describe(name, [(row["SecurityGroupRuleId"], rule, text)])
                self._retag([row["SecurityGroupRuleId"]], {}, tags)

    def _named(self, rule: Rule) -> Rule:
        """With groups by name, as the steps have them."""
        if rule.peer.kind == "id":
            names = {str(row["GroupId"]): name for name, row in self.vpc.by_name.items()}
            names.update((ident, name) for name, ident in self._made.items())
            name = names.get(rule.peer.value)
            return rule._replace(peer=Peer("group", name)) if name else rule
        return rule

    def _new_rules(
        self, name: str, rules: Sequence[Rule], texts: Sequence[str], tags: Mapping[str, str]
    ) -> dict[str, Any]:
        permissions = [permission(rule, self._peer(rule.peer), text) for rule, text in zip(rules, texts)]
        return {
            "GroupId": self._id(name),
            "IpPermissions": permissions,
            **_tagged("security-group-rule", tags),
        }

    def _peer(self, peer: Peer) -> dict[str, str]:
        if peer.kind == "group":
            return {"GroupId": self._id(peer.value)}
        if peer.kind == "id":
            account = self.accounts.get(peer.value)
            return {"GroupId": peer.value, **({"UserId": account} if account else {})}
        return {"PrefixListId": peer.value} if peer.kind == "list" else _network(peer)

    def _revoke(self, name: str, egress: bool, idents: Sequence[str]) -> None:
        ident = self._id(name)
        try:
            self.ec2.call(_REVOKE[egress], GroupId=ident, SecurityGroupRuleIds=list(idents))
        except Ec2Error as error:
            if error.code not in _NO_RULE:
                raise
            there = {row["SecurityGroupRuleId"] for row in read_rules(self.ec2, [ident])}
            left = [one for one in idents if one in there]
            if left:
                self.ec2.call(_REVOKE[egress], GroupId=ident, SecurityGroupRuleIds=left)

    def _modify(self, name: str, batch: Sequence[Step], rules: Sequence[Rule]) -> None:
        texts = [
            (step.actual.handle, rule, step.after["description"])
            for step, rule in zip(batch, rules)
            if step.actual and step.before["description"] != step.after["description"]
        ]
        if texts:
            self._describe(name, texts)
        same: dict[str, list[Step]] = defaultdict(list)
        for step in batch:
            same[json.dumps([step.before["tags"], step.after["tags"]], sort_keys=True)].append(step)
        for steps in same.values():
            idents = [step.actual.handle for step in steps if step.actual]
            self._retag(idents, steps[0].before["tags"], steps[0].after["tags"])

    def _describe(self, name: str, texts: Iterable[tuple[str, Rule, str]]) -> None:
        self.ec2.call(
            "ModifySecurityGroupRules",
            GroupId=self._id(name),
            SecurityGroupRules=[
                {
                    "SecurityGroupRuleId": ident,
                    "SecurityGroupRule": {
                        "IpProtocol": rule.protocol,
                        "FromPort": rule.low,
                        "ToPort": rule.high,
                        **self._modified_peer(rule.peer),
                        "Description": text,
                    },
                }
                for ident, rule, text in texts
            ],
        )

    def _modified_peer(self, peer: Peer) -> dict[str, str]:
        other = {"CidrIp": "CidrIpv4", "GroupId": "ReferencedGroupId"}
        return {other.get(key, key): value for key, value in self._peer(peer).items() if key != "UserId"}

    def _retag(self, idents: Sequence[str], before: Mapping[str, str], after: Mapping[str, str]) -> None:
        more = {key: value for key, value in after.items() if before.get(key) != value}
        less = [key for key in before if key not in after]
        if more:
            self.ec2.call("CreateTags", Resources=list(idents), Tags=_tags(more))
        if less:
            self.ec2.call("DeleteTags", Resources=list(idents), Tags=[{"Key": key} for key in less])

    def _explained(self, error: Ec2Error, groups: Iterable[str]) -> Ec2Error:
        if error.code not in _NO_GROUP:
            return error
        if any(name in self._made for name in groups):
            text = "AWS does not know the new group yet"
            return Ec2Error(f"{text}; run again", "not_settled", True, _SETTLING, code=error.code)
        return Ec2Error(f"a group is gone since it was read ({error.message})", CONFLICT, code=error.code)

    # -- permissions --------------------------------------------------------------------------------------------------

    def denied(self, steps: Iterable[tuple[Step, Optional[Placed]]]) -> list[str]:
        """The operations that these steps need and the credentials may not do. One question for each."""
        samples: dict[str, dict[str, Any]] = {}
        for step, placed in steps:
            for operation, arguments in self._samples(step, placed):
                samples.setdefault(operation, arguments)
        return [name for name, arguments in sorted(samples.items()) if not self._allowed(name, arguments)]

    def _allowed(self, operation: str, arguments: Mapping[str, Any]) -> bool:
        try:
            return self.ec2.allows(operation, **arguments)
        except Ec2Error as error:
            # Any other refusal comes after the permissions were looked at.
            if not error.code or error.reason in _DENIALS_ARE_ANSWERS:
                raise
            return True

    def _samples(self, step: Step, placed: Optional[Placed]) -> Iterable[tuple[str, dict[str, Any]]]:
        """Calls for this step. A group that is not there yet is stood for by one that is."""
        some = next(iter(self.vpc.by_id), "")
        if placed is None:
            ident = step.actual.handle if step.actual else some
            if step.action == DELETE:
                yield "DeleteSecurityGroup", {"GroupId": ident}
                return
            if step.action == CREATE:
                yield "CreateSecurityGroup", self._new(step.ref[1], step.after)
            elif step.before["tags"] != step.after["tags"]:
                yield "CreateTags", {"Resources": [ident], "Tags": _tags(step.after["tags"])}
            if step.action != CREATE and not step.before["default_egress"]:
                return
            yield _REVOKE[True], {"GroupId": ident, "IpPermissions": [permission(_IPV4, _network(_IPV4.peer), "")]}
            return
        row = self.vpc.by_name.get(placed.group)
        ident, egress = row["GroupId"] if row else some, placed.rule.egress
        if step.action == CREATE:
            sample = Rule(egress, "tcp", 443, 443, Peer("network", "192.0.2.0/24"))
            told = {"IpPermissions": [permission(sample, _network(sample.peer), "")]}
            yield _AUTHORIZE[egress], {"GroupId": ident, **told, **_tagged("security-group-rule", step.after["tags"])}
        elif step.action == DELETE:
            handle = step.actual.handle if step.actual else ""
            yield _REVOKE[egress], {"GroupId": ident, "SecurityGroupRuleIds": [handle]}
        else:
            handle = step.actual.handle if step.actual else ""
            if step.before["tags"] != step.after["tags"]:
                yield "CreateTags", {"Resources": [handle], "Tags": _tags(step.after["tags"])}
            if step.before["description"] != step.after["description"]:
                changed = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "192.0.2.0/24"}
                rule = {"SecurityGroupRuleId": handle, "SecurityGroupRule": changed}
                yield "ModifySecurityGroupRules", {"GroupId": ident, "SecurityGroupRules": [rule]}


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _tagged(kind: str, tags: Mapping[str, str]) -> dict[str, Any]:
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": _tags(tags)}]} if tags else {}


def _network(peer: Peer) -> dict[str, str]:
    return {"CidrIpv6" if ":" in peer.value else "CidrIp": peer.value}
