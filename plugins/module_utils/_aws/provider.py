# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The security groups of a VPC: the engine's provider.

    documents ─▶ declaration.py ─▶ Group ─┐
                                          ├▶ Desired, Actual ─▶ engine ─▶ writing.py
    VPC ─▶ vpc.py ─▶ rows ────────────────┘

Groups and rules are two kinds. A rule needs its groups, so groups that refer to each other are no circle: all groups
are made first, and rules are revoked before groups are deleted. A rule is named by all that EC2 knows it by, so of a
rule only description and tags ever change, and another port is a new rule that comes before the old one goes.

Ours is what carries our owner tag. In a group of ours

- a rule that is declared is ours, whoever has made it; it gets the tag;
- the egress rule that AWS gives each new group is a fact of the group and no rule, as it is never to stay;
- any other rule without the tag is foreign: told, and removed only if we `prune`.

A group's description cannot be changed, so another one is told and left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._aws import rules, vpc, writing
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.client import Ec2
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.declaration import OWNER_TAG, Group
from ansible_collections.zerotrust.platform.plugins.module_utils._aws.rules import Peer, Rule
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError, refuse
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Actual, Desired, Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import ApplyError, Provider

GROUP = "SecurityGroup"
RULE = "SecurityGroupRule"
INTERFACE = "NetworkInterface"

#: Rules in one call.
BATCH = 100

_EVERYWHERE = (Peer("network", "0.0.0.0/0"), Peer("network", "::/0"))
_LEVELS = {GROUP: 0, RULE: 1, INTERFACE: 2}


@dataclass(frozen=True)
class Options:
    """prunes: whether what is no longer declared is going to be deleted. tags: of each group and rule, the owner's too.

    adopts: whether declared groups of others are taken over, with all that is in them.

    max_rules: in one direction of a group, as the account's quota is.
    """

    owner: str
    tags: Mapping[str, str] = field(default_factory=dict)
    prunes: bool = False
    adopts: bool = False
    max_rules: int = 60


class SecurityGroups(Provider):
    """It reads when it is made. `desired` is what is declared, in the engine's terms; `warnings` what is odd there."""

    def __init__(self, ec2: Ec2, vpc_id: str, declared: Sequence[Group], options: Options) -> None:
        self.ec2, self.options = ec2, options
        self.tags = {**options.tags, OWNER_TAG: options.owner}
        self._declared = {group.name: group for group in declared}
        self._accounts = {key: value for group in declared for key, value in group.accounts.items()}
        self._rules: dict[str, writing.Placed] = {}
        self._vpc_id = vpc_id
        self._look()
        self._fresh = True
        self.desired = [item for group in declared for item in self._desired(group)]
        self.warnings = [*self._odd_descriptions(), *self._odd_rules()]
        self._check_quotas()

    # -- reading ------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        self.vpc = vpc.read_vpc(self.ec2, self._vpc_id)
        ours = {name for name, row in self.vpc.by_name.items() if self._owns(row)}
        self._mine = ours | set(self._declared)
        self._going = ours - set(self._declared) if self.options.prunes else set()
        self.writer = writing.Writer(self.ec2, self.vpc, self._accounts)
        self._wanted = {
            name: {self._resolved(rule): text for rule, text in group.rules.items()}
            for name, group in self._declared.items()
        }
        there = [row["GroupId"] for name, row in self.vpc.by_name.items() if name in self._mine]
        self._there: dict[str, dict[Rule, vpc.Row]] = {name: {} for name in self._mine}
        for row in vpc.read_rules(self.ec2, there) if there else ():
            rule = self._resolved(rules.of_row(row))
            self._there[self.vpc.by_id[row["GroupId"]]["GroupName"]][rule] = row

    def _owns(self, row: vpc.Row) -> bool:
        return vpc.tags_of(row).get(OWNER_TAG) == self.options.owner

    def _resolved(self, rule: Rule) -> Rule:
        """Groups that are ours by name, as their ids change when they are made anew; all others by id."""
        kind, value = rule.peer
        if kind == "id":
            row = self.vpc.by_id.get(value)
            if row is not None and row["GroupName"] in self._mine:
                return rule._replace(peer=Peer("group", row["GroupName"]))
        elif kind == "group" and value not in self._mine:
            row = self.vpc.by_name.get(value)
            if row is not None:
                return rule._replace(peer=Peer("id", row["GroupId"]))
        return rule

    def _desired(self, group: Group) -> Iterator[Desired]:
        tags = {**group.tags, **self.tags}
        data = {"vpc": self._vpc_id, "description": group.description, "tags": tags, "default_egress": False}
        yield Desired(GROUP, group.name, data, unique=_claims(group.name), origin=group.origin)
        for rule, text in self._wanted[group.name].items():
            data = {"vpc": self._vpc_id, "description": text, "tags": self.tags}
            yield Desired(RULE, self._name(group.name, rule), data, _needs(group.name, rule), origin=group.origin)

    def _name(self, group: str, rule: Rule) -> str:
        name = f"{group} {rule}"
        self._rules[name] = writing.Placed(group, rule)
        return name

    def read(self) -> list[Actual]:
        # What was read to find out what is declared is as fresh as can be.
        if not self._fresh:
            self._look()
        self._fresh = False
        found = [item for name in sorted(self._mine & set(self.vpc.by_name)) for item in self._actual(name)]
        return [*found, *self._namesakes(), *self._users()]

    def _group(self, name: str, row: vpc.Row, data: Mapping[str, Any]) -> Actual:
        owner = vpc.tags_of(row).get(OWNER_TAG, "")
        return Actual(
            GROUP, name, data, unique=_claims(name), handle=row["GroupId"], owned=self._owns(row), owner=owner
        )

    def _namesakes(self) -> Iterator[Actual]:
        """Groups of others whose names AWS takes for the same as declared ones."""
        declared = {name.lower() for name in self._declared}
        for name, row in self.vpc.by_name.items():
            if name not in self._mine and name.lower() in declared:
                yield self._group(name, row, {})

    def _actual(self, name: str) -> Iterator[Actual]:
        row, wanted = self.vpc.by_name[name], self._wanted.get(name, {})
        inside = self._governs(name)
        there = self._there[name]
        default = [rule for rule, one in there.items() if rule not in wanted and self._is_default(rule, one)]
        data = {
            "vpc": self._vpc_id,
            "description": row.get("Description") or "",
            "tags": vpc.tags_of(row),
            "default_egress": bool(default),
        }
        yield self._group(name, row, data)
        for rule, one in there.items():
            if rule in default:
                continue
            tags = vpc.tags_of(one)
            yield Actual(
                RULE,
                self._name(name, rule),
                {"vpc": self._vpc_id, "description": one.get("Description") or "", "tags": tags},
                _needs(name, rule),
                handle=one["SecurityGroupRuleId"],
                # Of a foreign group only the group itself is a conflict.
                owned=rule in wanted or (inside and (self.options.prunes or self._owns(one))),
                owner=tags.get(OWNER_TAG, ""),
            )

    def _governs(self, name: str) -> bool:
        """Whether the rules in this group are our business."""
        return self.options.adopts or self._owns(self.vpc.by_name[name])

    def _is_default(self, rule: Rule, row: vpc.Row) -> bool:
        """Whether AWS has made it with the group, as nobody who means it would leave it without a word."""
        everything = rule.egress and rule.protocol == rules.ALL and rule.peer in _EVERYWHERE
        return everything and not row.get("Description") and not vpc.tags_of(row)

    def _users(self) -> Iterator[Actual]:
        """Who keeps groups that are to go: interfaces, and rules of groups that are not ours."""
        idents = {self.vpc.by_name[name]["GroupId"]: name for name in sorted(self._going)}
        if not idents:
            return
        for text, used in vpc.read_interfaces(self.ec2, list(idents)):
            yield Actual(INTERFACE, text, {}, tuple((GROUP, idents[ident]) for ident in sorted(used)), owned=False)
        for row in self.vpc.groups:
            if row["GroupName"] not in self._mine:
                used = {ident for ident in _references(row) if ident in idents}
                for ident in sorted(used):
                    name = f"{row['GroupName']} ({row['GroupId']}), which names {idents[ident]}"
                    yield Actual(RULE, name, {}, ((GROUP, idents[ident]),), owned=False)

    # -- what is told while planning ----------------------------------------------------------------------------------

    def _odd_descriptions(self) -> Iterator[str]:
        for name, group in self._declared.items():
            row = self.vpc.by_name.get(name)
            text = (row.get("Description") or "") if row else group.description
            if text != group.description:
                yield (
                    f"{name}: its description is {text!r} and is declared as {group.description!r}; AWS cannot change "
                    "it, so it stays"
                )

    def _odd_rules(self) -> Iterator[str]:
        """Foreign rules that open more than what is declared."""
        if self.options.prunes:
            return
        for name in sorted(self._mine & set(self.vpc.by_name)):
            if not self._governs(name):
                continue
            wanted = self._wanted.get(name, {})
            for rule, row in self._there[name].items():
                foreign = rule not in wanted and not self._owns(row) and not self._is_default(rule, row)
                if foreign and not rules.covered(rule, wanted):
                    yield (
                        f"{name}: {rule} ({row['SecurityGroupRuleId']}) is not ours and opens more than what is "
                        "declared; set purge to have it removed"
                    )

    def _check_quotas(self) -> None:
        """AWS would refuse it in the middle of a run."""
        lists = {
            rule.peer.value
            for name in self._declared
            for rule in (*self._wanted[name], *self._there[name])
            if rule.peer.kind == "list"
        }
        weights = vpc.read_weights(self.ec2, lists) if lists else {}
        most, problems = self.options.max_rules, []
        for name in self._declared:
            wanted, there = self._wanted[name], self._there[name]
            for egress in (False, True):
                direction = "egress" if egress else "ingress"
                final = {rule for rule in wanted if rule.egress == egress}
                during = final | {rule for rule in there if rule.egress == egress}
                if not self.options.prunes:
                    final = {rule for rule in during if rule in wanted or not self._is_default(rule, there[rule])}
                counted = rules.count((rule.peer for rule in final), weights)
                peak = rules.count((rule.peer for rule in during), weights)
                if counted > most:
                    problems.append(
                        f"{name} would have {counted} {direction} rules as AWS counts them, and max_rules is {most}; "
                        "put services that call the same into one tier, or have the quota raised and max_rules with it"
                    )
                elif peak > most and not final >= during:
                    problems.append(
                        f"{name} would have {peak} {direction} rules for a moment, as new ones come before old ones "
                        f"go, and max_rules is {most}; remove some first, or have the quota raised, and max_rules"
                    )
        refuse(problems, "aws_limit")

    # -- the planner's questions --------------------------------------------------------------------------------------

    def level(self, kind: str) -> int:
        return _LEVELS[kind]

    def normalise(self, desired: Desired, actual: Actual) -> tuple[Any, Any]:
        if desired.restores is not None:
            return desired.data, actual.data
        after = {**actual.data, **desired.data, "tags": {**actual.data["tags"], **desired.data["tags"]}}
        if desired.kind == GROUP:
            after["description"] = actual.data["description"]
        return after, actual.data

    # -- writing ------------------------------------------------------------------------------------------------------

    def batches(self, stage: Sequence[Step]) -> Iterator[Sequence[Step]]:
        """Each group alone; rules of one group, direction and action, and with the same tags, together."""
        calls: dict[tuple[str, ...], list[Step]] = defaultdict(list)
        for step in stage:
            if step.ref[0] != RULE:
                yield (step,)
                continue
            group, rule = self._rules[step.ref[1]]
            tags = writing.tags_key(step)
            calls[group, step.action, rule.direction, tags].append(step)
        for steps in calls.values():
            for at in range(0, len(steps), BATCH):
                yield steps[at : at + BATCH]

    def apply(self, batch: Sequence[Step]) -> Optional[Sequence[Optional[ApplyError]]]:
        if batch[0].ref[0] == GROUP:
            self.writer.group(batch[0])
        else:
            self.writer.rules(batch, [self._rules[step.ref[1]] for step in batch])
        return None

    def denied(self, stages: Iterable[Sequence[Step]]) -> list[str]:
        """The IAM actions that a run would need and that the credentials lack, asked by `DryRun`."""
        steps = [step for stage in stages for step in stage]
        return self.writer.denied([(step, self._rules.get(step.ref[1])) for step in steps])


def _claims(name: str) -> tuple[tuple[str, str], ...]:
    # "Names are case-insensitive and must be unique within the VPC" (EC2 API, CreateSecurityGroup).
    return (("the name", name.lower()),)


def _needs(group: str, rule: Rule) -> tuple[tuple[str, str], ...]:
    needs = {group, rule.peer.value} if rule.peer.kind == "group" else {group}
    return tuple((GROUP, name) for name in sorted(needs))


def _references(row: vpc.Row) -> set[str]:
    permissions = [*(row.get("IpPermissions") or ()), *(row.get("IpPermissionsEgress") or ())]
    return {pair.get("GroupId") or "" for one in permissions for pair in one.get("UserIdGroupPairs") or ()}


def refuse_denied(operations: Sequence[str]) -> None:
    """Raise PlatformError for operations that the credentials may not do."""
    if operations:
        actions = [f"ec2:{name}" for name in operations]
        raise PlatformError(
            f"The credentials lack permissions that this plan needs; allow the IAM actions {', '.join(actions)}",
            "unauthorized",
            actions,
        )
