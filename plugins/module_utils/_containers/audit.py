# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge containers, count, and weigh exceptions.

    Subjects ─▶ FEATURES and CHECKS ─▶ Rows: outcome, evidence, exception ─▶ scores, findings, verdict

A score is the share of passed checks among those that passed or failed, in per cent, rounded down: 100 is all of them.
An exception says why a failure is accepted. It does not fail the task, and it does not make the score better.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._containers.cis import CHECKS, swarm
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.features import FEATURES
from ansible_collections.zerotrust.platform.plugins.module_utils._containers.model import (
    FAIL,
    PASS,
    Document,
    Judged,
    Subject,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import first_of, refuse

FEATURE_IDS = [check.id for check in FEATURES]
CIS_IDS = ["5.1", *(check.id for check in CHECKS)]
#: The name under which a check of the engine itself stands.
ENGINE = "(engine)"


@dataclass(frozen=True)
class Waiver:
    """expires: the last day on which it holds; None for ever. container: a name, or `*`."""

    check: str
    container: str
    reason: str
    expires: Optional[datetime.date] = None

    def covers(self, row: Row) -> bool:
        return self.check == row.check and self.container in ("*", row.container)


@dataclass(frozen=True)
class Row:
    container: str
    group: str
    check: str
    title: str
    outcome: str
    evidence: str
    exception: str = ""

    @property
    def text(self) -> str:
        return f"{self.container}: {self.check} ({self.title}) {self.outcome}: {self.evidence}"


@dataclass(frozen=True)
class Audit:
    rows: Sequence[Row]
    notes: Sequence[str] = ()

    @property
    def failures(self) -> list[Row]:
        return [row for row in self.rows if row.outcome == FAIL]

    def scores(self) -> dict[str, dict[str, Any]]:
        """By container: of features and of CIS, how many passed and were applicable, and the score; None for none."""
        counted = [row for row in self.rows if row.container != ENGINE]
        return {
            name: {
                group: _score(row for row in counted if (row.container, row.group) == (name, group))
                for group in ("features", "cis")
            }
            for name in dict.fromkeys(row.container for row in counted)
        }

    def to_data(self, limit: int = -1) -> dict[str, Any]:
        failures = self.failures if limit < 0 else self.failures[:limit]
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[row.outcome] = counts.get(row.outcome, 0) + 1
        data: dict[str, Any] = {
            "score": _score(row for row in self.rows if row.group == "features"),
            "cis_score": _score(row for row in self.rows if row.group == "cis"),
            "containers": self.scores(),
            "counts": counts,
            "findings": [{**asdict(row), "text": row.text} for row in failures],
            "notes": list(self.notes),
        }
        if limit < 0:
            data["checks"] = [asdict(row) for row in self.rows]
        return data


def _score(rows: Iterable[Row]) -> dict[str, Any]:
    outcomes = [row.outcome for row in rows]
    passed = outcomes.count(PASS)
    applicable = passed + outcomes.count(FAIL)
    return {"passed": passed, "applicable": applicable, "score": 100 * passed // applicable if applicable else None}


def waivers(items: Sequence[Mapping[str, Any]]) -> list[Waiver]:
    """From the module's option `exceptions`. Raises PlatformError for all mistakes."""
    found, problems = [], []
    for at, item in enumerate(items):
        where = f"exceptions[{at}]"
        if item["check"] not in (*FEATURE_IDS, *CIS_IDS):
            problems.append(f"{where}.check: there is no check {item['check']}; see the documentation for their ids")
        if not item["reason"].strip():
            problems.append(f"{where}.reason: is empty; say why the failure is accepted")
        expires = None
        if item.get("expires"):
            try:
                expires = datetime.date.fromisoformat(item["expires"])
            except ValueError:
                problems.append(f"{where}.expires: {item['expires']} is no date such as 2027-01-31")
        found.append(Waiver(item["check"], item["container"], item["reason"], expires))
    refuse(problems, "bad_exception")
    return found


def audit(
    subjects: Sequence[Subject],
    info: Document,
    accepted: Sequence[Waiver] = (),
    today: Optional[datetime.date] = None,
    notes: Sequence[str] = (),
) -> Audit:
    now = today or datetime.datetime.now(datetime.timezone.utc).date()
    rows = [_row(ENGINE, "cis", "5.1", "Swarm mode is off", swarm(info))]
    for subject in subjects:
        for group, checks in (("features", FEATURES), ("cis", CHECKS)):
            rows += [_row(subject.name, group, check.id, check.title, check.judge(subject)) for check in checks]
    said = list(notes)
    live = [waiver for waiver in accepted if waiver.expires is None or waiver.expires >= now]
    for waiver in accepted:
        which = f"The exception from {waiver.check} for {waiver.container}"
        if waiver not in live:
            said.append(f"{which} has expired on {waiver.expires}.")
        elif not any(row.outcome == FAIL and waiver.covers(row) for row in rows):
            said.append(f"{which} is not needed: nothing fails so.")
    return Audit([_excepted(row, live) for row in rows], said)


def _row(container: str, group: str, check: str, title: str, judged: Judged) -> Row:
    return Row(container, group, check, title, judged.outcome, judged.evidence)


def _excepted(row: Row, live: Sequence[Waiver]) -> Row:
    reason = next((waiver.reason for waiver in live if row.outcome == FAIL and waiver.covers(row)), "")
    return Row(row.container, row.group, row.check, row.title, row.outcome, row.evidence, reason) if reason else row


def failure(found: Audit, fail_on: Sequence[str], minimum: int) -> str:
    """Why the task fails; empty if it does not. fail_on: `features`, `cis`, or ids of checks."""
    problems = [
        row.text for row in found.failures if not row.exception and (row.group in fail_on or row.check in fail_on)
    ]
    for name, scores in found.scores().items():
        score = scores["features"]["score"]
        if score is not None and score < minimum:
            problems.append(f"{name}: its score is {score}, and minimum_score is {minimum}")
    return first_of(problems) if problems else ""


def verdict(found: Audit) -> str:
    """One sentence."""
    total, cis = (found.to_data(0)[name] for name in ("score", "cis_score"))
    excepted = sum(1 for row in found.failures if row.exception)
    return (
        f"{len(found.scores())} containers: {total['passed']} of {total['applicable']} features, "
        f"{cis['passed']} of {cis['applicable']} checks of CIS passed"
        + (f"; {excepted} failures are accepted." if excepted else ".")
    )
