# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much of a plan is wanted: policies, and limits.

A policy is a function from steps to steps, as in external-dns; policies are applied one after another. Limits refuse a
whole plan, as in octoDNS. `check_limits` needs a `Plan` only, so it serves planners of all kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import CREATE, DELETE, UPDATE, Plan

#: At most so many sentences in one error.
_SHOWN = 100

Policy = Callable[[Sequence[Step]], list[Step]]


def sync(steps: Sequence[Step]) -> list[Step]:
    return list(steps)


def upsert_only(steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if step.action != DELETE]


def create_only(steps: Sequence[Step]) -> list[Step]:
    return [step for step in steps if step.action == CREATE]


POLICIES: Mapping[str, Policy] = {"sync": sync, "upsert_only": upsert_only, "create_only": create_only}


def policies(name: str, purge: bool) -> tuple[Policy, ...]:
    """The policy of this name; without `purge` it deletes nothing."""
    return (POLICIES[name],) if purge else (POLICIES[name], upsert_only)


@dataclass(frozen=True)
class Limits:
    """How much a plan may delete and update of what is ours, in percent; see octoDNS, which saved its users by that.

    objects: with fewer objects than this there is no limit, as one of three is a third.
    allow_empty: whether everything may go because nothing is declared, which more often is a mistake.
    announced: deletes that are no surprise, as an earlier run has said when they come; they do not count.
    """

    delete: int = 30
    update: int = 30
    objects: int = 10
    allow_empty: bool = False
    announced: int = 0


def check_limits(plan: Plan, existing: int, declared: int, limits: Limits) -> None:
    """Refuse a plan that takes away or changes too much of the `existing` objects that are ours."""
    counts = plan.counts
    if counts[DELETE] and not declared:
        if limits.allow_empty:
            return
        raise PlatformError(
            f"Nothing is declared, so all {counts[DELETE]} objects would be deleted. Nothing was changed. If that is "
            "meant, set limits.allow_empty",
            "empty_desired",
            listed([f"delete {change.kind} {change.name!r}" for change in plan.changes]),
        )
    for action, allowed, announced in ((DELETE, limits.delete, limits.announced), (UPDATE, limits.update, 0)):
        counted = counts[action] - announced
        if existing >= limits.objects and counted * 100 > allowed * existing:
            share = -(-counted * 100 // existing)
            raise PlatformError(
                f"The plan would {action} {counted} of {existing} objects, which is more than {allowed} %. "
                f"Nothing was changed. If that is meant, set limits.{action} to {share}",
                "limit_exceeded",
                listed(
                    [f"{action} {change.kind} {change.name!r}" for change in plan.changes if change.action == action]
                ),
            )


def listed(sentences: Sequence[str]) -> list[str]:
    """As many as one error shows, and how many more there are."""
    rest = len(sentences) - _SHOWN
    return [*sentences[:_SHOWN], *([f"and {rest} more"] if rest > 0 else [])]
