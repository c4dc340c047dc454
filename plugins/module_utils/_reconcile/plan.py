# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run is going to do, as data.

A planner compares desired with actual and returns a `Plan`. Check mode shows it, `--diff` prints it, the apply follows
it, and `fingerprint` names it, so that what was approved is what is applied. Pure: no I/O, no clock, no randomness.

Secrets: `before`, `after` and `reasons` are shown to everybody. What must not be shown, or is too long to show, is told
apart by `digest`, which enters the fingerprint only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CREATE = "create"
UPDATE = "update"
DELETE = "delete"
#: Deletes come last: an allowed flow is never cut because its replacement comes later.
ACTIONS = (CREATE, UPDATE, DELETE)


@dataclass(frozen=True)
class Change:
    """One object that is going to be created, updated or deleted.

    kind, name: what it is called; together unique in a plan.
    reasons: why, as codes (`issuer_changed`) or sentences.
    before, after: what may be shown of it: JSON-like data, text, or None where there is nothing.
    digest: a hash of what the change writes, where before and after do not show all of it.
    """

    action: str
    kind: str
    name: str
    reasons: tuple[str, ...] = ()
    before: Any = None
    after: Any = None
    digest: str = ""

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"action {self.action!r} is none of {', '.join(ACTIONS)}")

    def to_data(self) -> dict[str, Any]:
        """What a result and a plan file show."""
        return {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "reasons": list(self.reasons),
            "before": self.before,
            "after": self.after,
        }


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Paths of what differs, in order, such as `config.minute`; a list is one value."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        yield path or "data"
        return
    for key in sorted({*before, *after}, key=str):
        if key not in before or key not in after:
            yield f"{path}{key}"
        elif before[key] != after[key]:
            inner = isinstance(before[key], Mapping) and isinstance(after[key], Mapping)
            yield from differences(before[key], after[key], f"{path}{key}." if inner else f"{path}{key}")


def _order(change: Change) -> tuple[int, str, str]:
    return ACTIONS.index(change.action), change.kind, change.name


@dataclass(frozen=True)
class Plan:
    """All changes of a run, in one order whatever order they were found in.

    unchanged: how many objects are as declared.
    foreign: names of objects seen that are not ours and are left alone.
    withheld: what would have to be done too, but is not, as the policy says.
    """

    changes: tuple[Change, ...] = ()
    unchanged: int = 0
    foreign: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        changes = tuple(sorted(self.changes, key=_order))
        if len({(change.kind, change.name) for change in changes}) != len(changes):
            raise ValueError("two changes of one object in a plan")
        object.__setattr__(self, "changes", changes)
        object.__setattr__(self, "foreign", tuple(sorted(set(self.foreign))))
        object.__setattr__(self, "withheld", tuple(sorted(self.withheld)))

    @property
    def changed(self) -> bool:
        return bool(self.changes)

    @property
    def counts(self) -> dict[str, int]:
        counts = dict.fromkeys(ACTIONS, 0)
        for change in self.changes:
            counts[change.action] += 1
        return {**counts, "unchanged": self.unchanged}

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of the canonical JSON of the changes.

        What is unchanged, foreign or withheld does not enter: it makes no difference to what is going to be done.
        """
        canonical = [{**change.to_data(), "digest": change.digest} for change in self.changes]
        text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def to_data(self, limit: int = 100) -> dict[str, Any]:
        """Counts, and at most `limit` changes, foreign names and withheld ones.

        `left_off` says how many changes are not shown, the other counts are of all. A negative limit shows everything.
        """
        end = None if limit < 0 else limit
        shown = self.changes[:end]
        return {
            "changed": self.changed,
            "counts": self.counts,
            "fingerprint": self.fingerprint,
            "changes": [change.to_data() for change in shown],
            "left_off": len(self.changes) - len(shown),
            "foreign": list(self.foreign[:end]),
            "foreign_count": len(self.foreign),
            "withheld": list(self.withheld[:end]),
            "withheld_count": len(self.withheld),
        }
