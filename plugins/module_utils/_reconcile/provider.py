# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The seam to a kind of system: what a provider tells and does.

    read      the only look at the system: all objects that matter, in as few calls as there are pages
    Rules     normalise, level, vacate, at_once: what the planner asks (planner.py)
    batches   how a stage is cut into calls
    apply     one call: one or many writes
    settle    what takes its time after it was written

How it fits those it was made for:

Kong with a database: `read` lists each kind page by page, foreign objects too, so that a name held by somebody else is
    found while planning; ids are the handles. `normalise` fills the node's defaults in. `apply` is one PUT or DELETE by
    an id that is made from the name, so each is safe to repeat. A consumer's `custom_id` is a claim; `vacate` sets it
    to null. `level` is 0: `needs` say all.
Kong without one: `at_once`; `batches` is the whole stage; `apply` posts the declaration and says which entity was
    refused. A rollback posts the former one.
SPIRE: one stage is thousands of entries; `batches` cuts by count and bytes; `apply` is one `entry create`, `update` or
    `delete` and returns each row's error. The claim is (SPIFFE ID, parent, selectors), of foreign entries only, as
    ours may be twins for a moment. Each write is safe to repeat, as entries are made under ids of ours.
Kubernetes: `level` orders CRDs, namespaces, RBAC, configuration, workloads; custom objects need their CRD. `read` has
    the server judge what is in doubt; `normalise` shows our manager's fields only. `settle` waits for CRDs, rollouts
    and ends, as the next level builds on them. An ApplySet's label is the marker.
AWS security groups: groups and rules are two kinds, and a rule needs its groups, so groups that refer to each other are
    no circle. `batches` puts the rules of one group and direction into a call. A name that is unique in its VPC is a
    natural key with the VPC in it.

An object whose change means that it has to be made anew (immutable fields) is deleted and made in one `apply`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Optional, Protocol

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Actual, Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.planner import Rules

#: Somebody else has changed the object since it was read.
CONFLICT = "conflict"


class ApplyError(PlatformError):
    """A write that did not succeed, as the provider judges it.

    reason: a code, `conflict` if the object is no longer what was read: another run plans anew and may succeed.
    transient: it may succeed if it is tried again, **and** trying again is safe, even if the answer was lost only.
    retry_after: how many seconds the system asks to wait, if it does.

    The message need not be masked: the engine takes the secrets of the run out of it.
    """

    def __init__(
        self, message: str, reason: str = "failed", transient: bool = False, retry_after: Optional[float] = None
    ) -> None:
        super().__init__(message, reason)
        self.transient = transient
        self.retry_after = retry_after


class Provider(Rules, Protocol):
    """A kind of system. Inherit from it to get what is told in a body here.

    What `apply` uses must bear threads: it is called from several at a time, for steps of one stage.
    """

    def read(self) -> Iterable[Actual]:
        """All objects that the desired ones could meet, ours and foreign. Called before planning, and for a rollback.

        Raises PlatformError. An object that comes twice (a page that repeats) may be given twice.
        """

    def batches(self, stage: Sequence[Step]) -> Iterable[Sequence[Step]]:
        """The calls in which a stage is written; by default each step is one."""
        return [(step,) for step in stage]

    def apply(self, batch: Sequence[Step]) -> Optional[Sequence[Optional[ApplyError]]]:
        """Write, and return when it is written. None: all succeeded; else one item a step, None where it succeeded.

        Raises ApplyError if the batch failed as a whole or nobody knows how far it got. Any other exception is fatal.
        """

    def settle(self, stage: Sequence[Step]) -> Optional[Sequence[Optional[ApplyError]]]:
        """Return when what was written in a stage is as the next one needs it; answers as `apply` does.

        Called after each stage, with those of its steps that succeeded. A step that is told here has failed after all.
        """
        return None
