# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run from reading to its account; what a `*_sync` module calls.

    prepare(provider, desired, settings) ─▶ Sync(plan, apply)
        read, plan                            apply: execute ─┬─▶ result
                                                              └─ failed ─▶ stop, or roll back ─▶ SyncError

The rollback reads again instead of trusting its own account, as a lost answer may or may not have been a write. It
plans from what is there now to what was there before, for the objects that the run attempted to write, by the same
planner and so in a safe order; and carries on where a single step fails. What is foreign now stays as it is. An adopted
object gets its former marker back.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.executor import (
    Failure,
    Journal,
    Outcome,
    Progress,
    Timing,
    execute,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.masking import Veil
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Actual, Desired, Ref, Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import Plan
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.planner import Planned, Rules, plan_sync
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits, policies
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import CONFLICT, Provider

#: What a result shows of each list. The journal has all.
_SHOWN = 100

STOP = "stop"
ROLLBACK = "rollback"


@dataclass(frozen=True)
class Settings:
    """The options that all `*_sync` modules share; documented in the fragment `zerotrust.platform.sync`."""

    policy: str = "sync"
    purge: bool = False
    adopt: bool = False
    limits: Limits = field(default_factory=Limits)
    on_failure: str = STOP
    concurrency: int = 8
    journal_file: str = ""

    def __post_init__(self) -> None:
        for name, value, most in (
            ("limits.delete", self.limits.delete, 100),
            ("limits.update", self.limits.update, 100),
            ("concurrency", self.concurrency - 1, 63),
        ):
            if not 0 <= value <= most:
                low = 1 if name == "concurrency" else 0
                raise PlatformError(f"{name}: {value + low} is not between {low} and {most + low}", "bad_option")

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Settings:
        """From a module's parameters (`_ansible.SYNC_OPTIONS`)."""
        return cls(
            params["policy"],
            params["purge"],
            params["adopt"],
            Limits(**(params["limits"] or {})),
            params["on_failure"],
            params["concurrency"],
            params["journal_file"] or "",
        )


class SyncError(PlatformError):
    """A run that did not come to its end, with its account in `result`."""


@dataclass(frozen=True)
class Sync:
    """What was read and planned."""

    provider: Provider
    before: tuple[Actual, ...]
    planned: Planned
    settings: Settings
    veil: Veil

    @property
    def plan(self) -> Plan:
        return self.planned.plan

    def apply(self, timing: Optional[Timing] = None, progress: Optional[Progress] = None) -> dict[str, Any]:
        """Do it. Returns `outcome`, and `journal_warning` if the journal ended early; raises SyncError."""
        timing = timing or Timing()
        with Journal(self.settings.journal_file, timing.time) as journal:
            journal.write("begin", fingerprint=self.plan.fingerprint, total=sum(map(len, self.planned.stages)))
            outcome = self._execute(self.planned, journal, timing, progress)
            undone: Optional[_Undone] = None
            if outcome.failed and self.settings.on_failure == ROLLBACK:
                journal.write("rollback")
                undone = self._roll_back(outcome, journal, timing)
            data = _account(outcome, undone)
            journal.write("end", **data["counts"])
        result = {"outcome": data, **({"journal_warning": journal.warning} if journal.warning else {})}
        if outcome.failed:
            raise self._error(outcome, undone, result)
        return result

    def _execute(
        self,
        planned: Planned,
        journal: Journal,
        timing: Timing,
        progress: Optional[Progress] = None,
        keep_going: bool = False,
    ) -> Outcome:
        return execute(
            planned.stages,
            self.provider,
            self.veil,
            self.settings.concurrency,
            keep_going,
            journal,
            timing,
            progress,
        )

    def _roll_back(self, outcome: Outcome, journal: Journal, timing: Timing) -> _Undone:
        attempted = [*outcome.applied, *(failure.step for failure in outcome.failed)]
        try:
            now = tuple(self.provider.read())
            planned = plan_rollback(self.before, now, {step.ref for step in attempted}, self.provider)
        except Exception as error:
            message = self.veil(
                error.message if isinstance(error, PlatformError) else f"{type(error).__name__}: {error}"
            )
            return _Undone(error=message, lost=tuple(Failure(step, message, "failed", 0) for step in outcome.applied))
        foreign = {item.ref for item in now if not item.owned}
        ours = {item.ref for item in self.before if item.owned}
        taken = tuple(
            Failure(step, "somebody else has taken it meanwhile", CONFLICT, 0)
            for step in outcome.applied
            if step.ref in foreign and (step.ref in ours or step.actual is None)
        )
        back = self._execute(planned, journal, timing, keep_going=True)
        return _Undone(back.applied, (*back.failed, *taken))

    def _error(self, outcome: Outcome, undone: Optional[_Undone], result: Mapping[str, Any]) -> SyncError:
        first = outcome.failed[0]
        applied, failed, left = len(outcome.applied), len(outcome.failed), len(outcome.left)
        item = f"{first.step.desired}" if first.step.desired else f"{first.step.item}"
        parts = [
            f"{first.step.action} {item}: {first.message.rstrip('.')}. "
            f"Of {applied + failed + left} writes {applied} were done, {failed} failed, {left} were not begun."
        ]
        whole = False
        if undone is None:
            parts.append("Run again to go on from here.")
        elif undone.error:
            parts.append(f"Nothing could be rolled back: {undone.error}")
        elif undone.lost:
            parts.append(f"{len(undone.lost)} could not be rolled back; outcome.not_rolled_back says which.")
        else:
            whole = True
            parts.append("What was done is rolled back: all is as before.")
        if first.reason == CONFLICT:
            parts.append("Somebody else has changed the system meanwhile; a new run plans anew.")
        error = SyncError(" ".join(parts), first.reason)
        shown: dict[str, Any] = {"changed": bool(outcome.applied) and not whole, **result}
        if outcome.unexpected is not None:
            unexpected = outcome.unexpected
            trace = traceback.format_exception(type(unexpected), unexpected, unexpected.__traceback__)
            shown["exception"] = self.veil("".join(trace))
        error.result = shown
        return error


@dataclass(frozen=True)
class _Undone:
    """steps: what was written to undo. lost: what could not be undone. error: why nothing could."""

    steps: Sequence[Step] = ()
    lost: Sequence[Failure] = ()
    error: str = ""


def prepare(provider: Provider, desired: Iterable[Desired], settings: Optional[Settings] = None) -> Sync:
    """Read, and plan. Changes nothing. Raises PlatformError, without the secrets of what was declared or read."""
    settings = settings or Settings()
    wanted = tuple(desired)
    actual: tuple[Actual, ...] = ()
    try:
        actual = tuple(provider.read())
        planned = plan_sync(
            wanted, actual, provider, policies(settings.policy, settings.purge), settings.limits, settings.adopt
        )
    except PlatformError as error:
        Veil((*wanted, *actual)).over(error)
        raise
    return Sync(provider, actual, planned, settings, Veil((*wanted, *actual)))


def plan_rollback(before: Sequence[Actual], now: Sequence[Actual], attempted: Iterable[Ref], rules: Rules) -> Planned:
    """From now to before, for what was attempted only. Pure."""
    foreign = {item.ref for item in now if not item.owned}
    attempted = set(attempted)
    only = attempted - foreign
    desired = [
        Desired(item.kind, item.name, item.data, item.needs, item.unique, item.secrets, restores=item)
        for item in before
        if item.ref not in foreign and (item.owned or item.ref in attempted)
    ]
    return plan_sync(desired, now, rules, [lambda steps: [step for step in steps if step.ref in only]])


def _account(outcome: Outcome, undone: Optional[_Undone]) -> dict[str, Any]:
    undone = undone or _Undone()
    counts = {
        "applied": len(outcome.applied),
        "failed": len(outcome.failed),
        "not_attempted": len(outcome.left),
        "rolled_back": len(undone.steps),
        "not_rolled_back": len(undone.lost),
        "retries": outcome.retries,
    }
    return {
        "counts": counts,
        "applied": [str(step) for step in outcome.applied[:_SHOWN]],
        "failed": [failure.to_data() for failure in outcome.failed[:_SHOWN]],
        "not_attempted": [str(step) for step in outcome.left[:_SHOWN]],
        "rolled_back": [str(step) for step in undone.steps[:_SHOWN]],
        "not_rolled_back": [failure.to_data() for failure in undone.lost[:_SHOWN]],
    }
