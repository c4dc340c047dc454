# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engine knows of an object, wanted or found, and of one write.

A kind of system (a gateway, a cluster, a cloud) is told in these terms by its provider, and the planner, the executor
and the rollback know nothing else of it.

    declaration ─▶ Desired ─┐
                            ├─▶ planner ─▶ Step, Step, … ─▶ executor ─▶ provider
    system      ─▶ Actual  ─┘

`name` is the natural key: what makes an object the same one over the years, unique among the objects of its kind. It is
shown everywhere, so it never holds a secret. Neither do `origin`, `owner` and the first half of a claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

#: (kind, name).
Ref = tuple[str, str]

#: A value that only one object may have: (what it is, the value), such as ("consumer custom_id", "42").
Claim = tuple[str, str]

#: Keys from the top of an object's data down to a value. "*" is any key or any item of a list.
Path = tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """What wanted and found objects have in common.

    data: JSON-like. What is in it is compared, shown, and enough to make the object again. It names other objects by
        their names, as ids change when an object is made again.
    needs: the objects that must be there before this one is, and that cannot go before it.
    unique: what this object claims for itself, beside its name.
    secrets: where in `data` secrets are.
    """

    kind: str
    name: str
    # No repr: a traceback or a failed comparison must not print a secret.
    data: Mapping[str, Any] = field(repr=False)
    needs: tuple[Ref, ...] = ()
    unique: tuple[Claim, ...] = field(default=(), repr=False)
    secrets: tuple[Path, ...] = ()

    @property
    def ref(self) -> Ref:
        return self.kind, self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}"


@dataclass(frozen=True)
class Actual(Item):
    """An object that is there.

    handle: what the provider needs to write to it, such as an id; the engine only hands it back.
    owned: whether it carries our marker. What does not is foreign: reported, and never touched unless it is adopted.
    owner: whose marker it carries, for a sentence; empty if nobody's.
    """

    handle: Any = None
    owned: bool = True
    owner: str = ""


@dataclass(frozen=True)
class Desired(Item):
    """An object that should be there.

    origin: where it is declared, such as "kong.yml:12", for a sentence.
    restores: set only in a rollback: the object as it was, which is to be brought back with its marker or without.
    generated: those of its secrets that a run makes up. No plan can foretell them, so no fingerprint has them.
    """

    origin: str = ""
    restores: Optional[Actual] = None
    generated: tuple[Path, ...] = ()

    def __str__(self) -> str:
        return f"{self.origin}: {super().__str__()}" if self.origin else super().__str__()


@dataclass(frozen=True)
class Step:
    """One write of one object: all that a provider needs to do it.

    action: `create` (no actual), `update` (both), `delete` (no desired).
    before, after: both sides in the form in which they were compared, secrets not masked; None where there is nothing.
    reasons: why, as codes and as paths of what differs.

    An `update` whose `actual` is foreign adopts it: the provider sets the marker too.
    """

    action: str
    desired: Optional[Desired]
    actual: Optional[Actual]
    before: Any = field(default=None, repr=False)
    after: Any = field(default=None, repr=False)
    reasons: tuple[str, ...] = ()

    @property
    def item(self) -> Item:
        item = self.desired or self.actual
        if item is None:
            raise ValueError("a step of nothing")
        return item

    @property
    def ref(self) -> Ref:
        return self.item.ref

    @property
    def secrets(self) -> tuple[Path, ...]:
        return (self.desired.secrets if self.desired else ()) + (self.actual.secrets if self.actual else ())

    def __str__(self) -> str:
        return f"{self.action} {self.item.kind} {self.item.name!r}"


#: Steps of one action that do not depend on each other, unless the provider writes all at once.
Stage = tuple[Step, ...]
