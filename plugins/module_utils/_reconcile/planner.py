# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done so that a system is as declared, and in which order. Pure.

    desired, actual ─▶ compare ─▶ policies ─▶ conflicts ─▶ limits ─▶ stages ─▶ Planned(plan, stages)

Policies are functions from steps to steps, as in external-dns. What they leave out is told (`Plan.withheld`), not done.

Conflicts are found here and not in the middle of a run: all of them at once, each a sentence.

Order: creates and updates, then deletes, so that nothing is cut off because its replacement comes later; within each
by the level of the kind, creates of a level first, and what is needed before what needs it (for deletes the other way
round). One thing is stronger: who holds a unique value that another object is to get is updated or deleted first, and
what that depends on before it. If objects take values from each other in a circle, one of them gives its value up for
a moment (`Rules.vacate`), or the plan is refused.

Cost: linear in the objects and their references; an unchanged object costs a look-up and a comparison.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Optional, Protocol

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError, first_of
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.masking import Veil, shown
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import (
    Actual,
    Claim,
    Desired,
    Item,
    Ref,
    Stage,
    Step,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import (
    ACTIONS,
    CREATE,
    DELETE,
    UPDATE,
    Plan,
    differences,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import (
    Limits,
    Policy,
    check_limits,
    listed,
    sync,
)

#: Paths in the reasons of one update.
_SHOWN_PATHS = 10


class Rules(Protocol):
    """What the planner has to be told of a kind of system. Pure, and never called with a foreign object to change.

    at_once: everything is written in one call, so there is no order: one stage of all steps.
    """

    at_once: bool = False

    def normalise(self, desired: Desired, actual: Actual) -> tuple[Any, Any]:
        """Both sides' data in one form, so that they are equal if nothing has to be written.

        Here defaults are filled in, set-like lists are sorted, quantities are brought to one unit, and what the server
        adds is dropped. Secrets stay at their paths.
        """
        return desired.data, actual.data

    def level(self, kind: str) -> int:
        """Kinds of a lower level are created and updated before, and deleted after, those of a higher one.

        Needed only where `needs` do not say it.
        """
        return 0

    def vacate(self, actual: Actual, claims: Sequence[Claim]) -> Optional[Mapping[str, Any]]:
        """The object's data without these claims (null, or a value that nobody else has); None if that cannot be."""
        return None


@dataclass(frozen=True)
class Planned:
    """The plan as it is shown, and as it is done."""

    plan: Plan
    stages: tuple[Stage, ...]


def plan_sync(
    desired: Iterable[Desired],
    actual: Iterable[Actual],
    rules: Rules,
    policies: Sequence[Policy] = (sync,),
    limits: Optional[Limits] = None,
    adopt: bool = False,
) -> Planned:
    """Plan. Raises PlatformError with all conflicts of one plan, or if a limit is exceeded; no limits, no limit."""
    return _Planner(tuple(desired), tuple(actual), rules).plan(policies, limits, adopt)


class _Planner:
    """One comparison of what is desired with what is there."""

    def __init__(self, desired: tuple[Desired, ...], actual: tuple[Actual, ...], rules: Rules) -> None:
        self.desired, self.actual, self.rules = desired, actual, rules
        self.problems: list[tuple[str, str]] = []
        self.wanted: dict[Ref, Desired] = {}
        self.found: dict[Ref, Actual] = {}
        self.unchanged = 0

    def plan(self, policies: Sequence[Policy], limits: Optional[Limits], adopt: bool) -> Planned:
        self.index()
        found = steps = self.compare(adopt)
        for policy in policies:
            steps = policy(steps)
        # Which object takes a detour must not depend on the order of declaring.
        steps = sorted(steps, key=_by_name)
        by_ref = {step.ref: step for step in steps}
        self.check_references(by_ref)
        moves = self.check_claims(by_ref)
        self.refuse()
        stages: tuple[Stage, ...] = (tuple(steps),) if steps else ()
        if not self.rules.at_once:
            order = _Order(steps, self.rules, moves)
            stages = order.stages()
            steps = order.steps[: len(steps)]
        plan = Plan(
            shown(steps),
            self.unchanged,
            tuple(f"{ref[0]} {ref[1]}" for ref, item in self.found.items() if not item.owned and ref not in by_ref),
            tuple(str(step) for step in found if step.ref not in by_ref),
        )
        if limits is not None:
            ours = sum(item.owned or ref in by_ref for ref, item in self.found.items())
            check_limits(plan, ours, len(self.wanted), limits)
        return Planned(plan, stages)

    def refuse(self) -> None:
        if self.problems:
            _refuse(self.problems, [*self.desired, *self.actual])

    def index(self) -> None:
        claimed: dict[Claim, Desired] = {}
        for item in self.desired:
            if self.wanted.setdefault(item.ref, item) is not item:
                self.problems.append(("duplicate", f"{item} is declared twice"))
                continue
            for claim in item.unique:
                other = claimed.setdefault(claim, item)
                if other is not item:
                    self.problems.append(("duplicate", f"{item} and {other} both claim {_claim(claim)}"))
        for there in self.actual:
            other_there = self.found.setdefault(there.ref, there)
            if other_there is not there and other_there.handle != there.handle:
                self.problems.append(
                    ("ambiguous", f"{there} is there twice ({other_there.handle}, {there.handle}); remove one of them")
                )
        self.refuse()

    def compare(self, adopt: bool) -> list[Step]:
        steps: list[Step] = []
        for ref, want in self.wanted.items():
            there = self.found.get(ref)
            if there is None:
                steps.append(Step(CREATE, want, None, None, want.data, ("declared",)))
                continue
            if not there.owned and not adopt:
                self.problems.append(
                    (
                        "foreign_owner",
                        f"{want} is there and {_belongs(there)}; give it another name, or set adopt to take it over",
                    )
                )
                continue
            after, before = self.rules.normalise(want, there)
            reasons = [] if there.owned else ["adopted"]
            if want.restores is not None and want.restores.owned != there.owned:
                reasons.append("released")
            if before == after and not reasons:
                self.unchanged += 1
                continue
            paths = list(differences(before, after)) if before != after else []
            reasons += paths[:_SHOWN_PATHS]
            if len(paths) > _SHOWN_PATHS:
                reasons.append(f"and {len(paths) - _SHOWN_PATHS} more")
            steps.append(Step(UPDATE, want, there, before, after, tuple(reasons)))
        steps.extend(
            Step(DELETE, None, there, there.data, None, ("not_declared",))
            for ref, there in self.found.items()
            if there.owned and ref not in self.wanted
        )
        return steps

    def check_references(self, steps: Mapping[Ref, Step]) -> None:
        """What is needed must be there in the end."""
        gone = {ref for ref, step in steps.items() if step.action == DELETE}
        for step in steps.values():
            for need in step.desired.needs if step.desired else ():
                if need not in steps and need not in self.found:
                    self.problems.append(
                        (
                            "missing_reference",
                            f"{step.desired} needs {need[0]} {need[1]!r}, which is nowhere; declare it",
                        )
                    )
                elif need in gone:
                    self.problems.append(
                        (
                            "missing_reference",
                            f"{step.desired} needs {need[0]} {need[1]!r}, which is to be deleted as it is not declared",
                        )
                    )
        for ref, there in self.found.items() if gone else ():
            if ref in steps:
                continue
            self.problems.extend(
                (
                    "in_use",
                    f"{need[0]} {need[1]!r} is to be deleted, but {there} needs it and {_belongs(there)}; "
                    "declare it again, or change what needs it",
                )
                for need in there.needs
                if need in gone
            )

    def check_claims(self, steps: Mapping[Ref, Step]) -> dict[tuple[Ref, Ref], list[Claim]]:
        """(who gives, who gets) → what, for each unique value that moves."""
        holders = {claim: there for there in self.found.values() for claim in there.unique}
        moves: dict[tuple[Ref, Ref], list[Claim]] = defaultdict(list)
        for ref, step in steps.items():
            for claim in step.desired.unique if step.desired else ():
                holder = holders.get(claim)
                if holder is None or holder.ref == ref:
                    continue
                if holder.ref in steps:
                    # It goes, or is to have another value: no two desired objects claim the same.
                    moves[holder.ref, ref].append(claim)
                    continue
                what = f"{step.desired} claims {_claim(claim)}, which {holder} has"
                if not holder.owned:
                    self.problems.append(
                        (
                            "foreign_owner",
                            f"{what}, and {holder.kind} {holder.name!r} {_belongs(holder)}; choose another",
                        )
                    )
                else:
                    self.problems.append(
                        (
                            "unique_held",
                            f"{what} and keeps, as this policy does not change or delete it; choose another value, or "
                            "let the policy do so (sync, with purge)",
                        )
                    )
        return moves


class _Order:
    """Steps and who waits for whom, as indices."""

    def __init__(self, steps: Sequence[Step], rules: Rules, moves: Mapping[tuple[Ref, Ref], Sequence[Claim]]) -> None:
        self.steps = list(steps)
        self.rules = rules
        at = {step.ref: index for index, step in enumerate(self.steps)}
        self.waits: list[set[int]] = [set() for _step in self.steps]
        for index, step in enumerate(self.steps):
            for need in step.desired.needs if step.desired else ():
                if need in at:
                    self.waits[index].add(at[need])
            for need in step.actual.needs if step.actual else ():
                if need in at and self.steps[at[need]].action == DELETE:
                    self.waits[at[need]].add(index)
        self.needed = [set(waits) for waits in self.waits]
        self.moves = {(at[giver], at[taker]): claims for (giver, taker), claims in moves.items()}
        for giver, taker in self.moves:
            self.waits[taker].add(giver)
        self.done: set[int] = set()

    def stages(self) -> tuple[Stage, ...]:
        """Each group of one level and action in its turn, with whatever it waits for."""
        groups: dict[tuple[bool, int, int], list[int]] = defaultdict(list)
        for index, step in enumerate(self.steps):
            level, is_delete = self.rules.level(step.ref[0]), step.action == DELETE
            groups[is_delete, -level if is_delete else level, ACTIONS.index(step.action)].append(index)
        result: list[Stage] = []
        for _key, group in sorted(groups.items()):
            while True:
                left = self.run(self.with_waited_for(group), result)
                if not left:
                    break
                self.break_circle(left)
        return tuple(result)

    def with_waited_for(self, group: Iterable[int]) -> set[int]:
        needed: set[int] = set()
        open_ = [index for index in group if index not in self.done]
        while open_:
            index = open_.pop()
            if index not in needed:
                needed.add(index)
                open_.extend(self.waits[index] - self.done - needed)
        return needed

    def run(self, needed: set[int], result: list[Stage]) -> set[int]:
        """Append stages until nothing is left, or only circles. Creates go first, deletes only if all else waits."""
        waiting = {index: self.waits[index] - self.done for index in needed}
        followers: dict[int, list[int]] = defaultdict(list)
        ready: dict[str, list[int]] = {action: [] for action in ACTIONS}
        for index, waits in waiting.items():
            for other in waits:
                followers[other].append(index)
            if not waits:
                ready[self.steps[index].action].append(index)
        while any(ready.values()):
            action = next(action for action in ACTIONS if ready[action])
            stage, ready[action] = ready[action], []
            result.append(tuple(sorted((self.steps[index] for index in stage), key=_by_name)))
            self.done.update(stage)
            for index in stage:
                for follower in followers[index]:
                    waiting[follower].discard(index)
                    if not waiting[follower]:
                        ready[self.steps[follower].action].append(follower)
        return needed - self.done

    def break_circle(self, left: set[int]) -> None:
        """Let one object of a circle give up its unique values before all else; refuse if none can."""
        circle = self.circle(left)
        moves = [pair for pair in zip([*circle[1:], circle[0]], circle) if pair in self.moves]
        if any(self.vacate(giver) for giver, _taker in moves):
            return
        items = [self.steps[index].item for index in (*circle, circle[0])]
        chain = " → ".join(f"{item.kind} {item.name!r}" for item in items)
        if moves:
            problem = "wait for each other's unique values; give one of them another value first, and run again"
            _refuse([("circular_move", f"{chain} {problem}")], ())
        _refuse([("circular_reference", f"{chain} need each other in a circle; break it")], ())

    def circle(self, left: set[int]) -> list[int]:
        """Some circle among steps each of which waits for another: each waits for the one after it."""
        path: list[int] = []
        at: dict[int, int] = {}
        index = min(left)
        while index not in at:
            at[index] = len(path)
            path.append(index)
            index = min(self.waits[index] & left)
        return path[at[index] :]

    def vacate(self, giver: int) -> bool:
        step = self.steps[giver]
        takers = [taker for (index, taker) in self.moves if index == giver]
        claims = tuple(claim for taker in takers for claim in self.moves[giver, taker])
        actual = step.actual
        data = self.rules.vacate(actual, claims) if actual is not None else None
        if actual is None or data is None:
            return False
        rest = tuple(claim for claim in actual.unique if claim not in claims)
        empty = Desired(actual.kind, actual.name, data, actual.needs, rest, actual.secrets)
        self.steps.append(Step(UPDATE, empty, actual, actual.data, data, ("vacated",)))
        reasons = (*step.reasons, "vacated_first")
        self.steps[giver] = replace(step, actual=replace(actual, data=data, unique=rest), reasons=reasons)
        self.waits.append(set())
        # The giver itself waits for a taker, or this were no circle, and so for its own detour.
        for taker in takers:
            del self.moves[giver, taker]
            self.waits[taker].add(len(self.waits) - 1)
            if giver not in self.needed[taker]:
                self.waits[taker].discard(giver)
        return True


def _by_name(step: Step) -> tuple[int, str, str]:
    return ACTIONS.index(step.action), step.item.kind, step.item.name


def _claim(claim: Claim) -> str:
    return f"{claim[0]} {claim[1]!r}"


def _belongs(item: Actual) -> str:
    if item.owned:
        return "is to stay"
    return f"belongs to {item.owner!r}" if item.owner else "is not ours"


def _refuse(problems: Sequence[tuple[str, str]], items: Sequence[Item]) -> NoReturn:
    veil, sentences = Veil(items), [sentence for _reason, sentence in problems]
    details = listed(sentences) if len(problems) > 1 else []
    raise PlatformError(first_of([veil(sentences[0]), *sentences[1:]]), problems[0][0], list(map(veil, details)))
