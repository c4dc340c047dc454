# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entries of a SPIRE server, and whom it federates with: the engine's provider.

    entry show ─▶ rows ─▶ which is which ─▶ Actual ─▶ engine ─▶ entry create | update | delete, up to 1,000 at a time

**Which is which.** An entry's name is its id; one whose id begins with our prefix is ours. A foreign entry that has the
identity (SPIFFE ID, parent, selectors) of a declared one is that one, and may be adopted, unless
`token generate -spiffeID` made it.

**No gap.** An update by id changes everything in place. The server refuses to *create* a second entry of one identity,
but lets an update *make* one. So where an entry is to get an identity that another one still has, as it is renamed,
swapped or adopted, it is made with one selector more, then updated to what it is to be, and only then the other one
goes: no workload is without its SVID for a moment, and writes need not wait for each other.

**Lost answers.** The server makes each row of a batch by itself and keeps what it has made, whatever becomes of the
answer. So after a failure of which nobody knows how far it got, the entries are read again, and each row is told apart.
Every write may be repeated: a create that finds its entry made is done, and so is a delete that finds it gone.

Sources: SPIRE 1.15, `cmd/spire-server/cli/entry`, `pkg/server/api/entry/v1`, `pkg/server/datastore/sqlstore`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Actual, Claim, Desired, Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import CREATE, DELETE, UPDATE
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import (
    CONFLICT,
    ApplyError,
    Provider,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire import entries
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.declaration import Declared
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.entries import KIND, Row
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.federation import (
    BUNDLE,
    RELATIONSHIP,
    Federation,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.parents import Parents
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.reading import read_rows
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.server import (
    ALREADY_EXISTS,
    INTERNAL,
    NOT_FOUND,
    OK,
    Server,
    Status,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.transport import CallError

#: The most that goes into one call. The server takes and gives no message of more than 4 MiB, and its answer repeats
#: what it was sent.
MOST_BYTES = 2_000_000
MOST_ROWS = 1_000

#: A selector that no attestor makes, of an entry that is not yet what it is to be.
PLACEHOLDER = "zerotrust_platform:placeholder"

#: Where an entry's data tells of foreign entries that are the same, and go when it is adopted.
ALSO = "also_as"

_LEVELS = {BUNDLE: 0, RELATIONSHIP: 1, KIND: 2}

Errors = list[Optional[ApplyError]]


class Registry(Provider):
    """The provider. It reads when it is made; `desired` is what is declared, in the engine's terms.

    prefix: with which the ids of our entries begin.
    adopt: whether foreign entries may be taken over. prunes: whether what is no longer declared is going to be deleted.
    """

    def __init__(
        self,
        server: Server,
        declared: Sequence[Declared],
        federation: Federation,
        prefix: str,
        adopt: bool = False,
        prunes: bool = False,
    ) -> None:
        self.server, self.federation, self.prefix = server, federation, prefix
        self.adopt, self.prunes = adopt, prunes
        self._declared = declared
        self._federates = bool(federation.partners) or any("federates_with" in item.data for item in declared)
        self._others: list[Actual] = []
        self._rows: list[Row] = []
        self._look()
        self._fresh = True
        self.parents = Parents(declared, self._rows)
        self.desired = [*federation.desired(), *map(self._desired, declared)]

    # -- reading ------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        if self._federates:
            self._others = self.federation.read()
        self._rows = read_rows(self.server, self._declared, self.prunes)

    def read(self) -> list[Actual]:
        # What was read to find out what is declared is as fresh as can be.
        if not self._fresh:
            self._look()
        self._fresh = False
        return [*self._others, *self._actual()]

    def _desired(self, item: Declared) -> Desired:
        partners = self.federation.partners
        needs = [
            partners[domain].ref if domain in partners and partners[domain].present else (BUNDLE, domain)
            for domain in item.data.get("federates_with", ())
        ]
        return Desired(
            KIND,
            item.name,
            item.data,
            (*needs, *self.parents.needs(item.data["parent_id"])),
            (entries.identity(item.data),),
            origin=item.origin,
        )

    def _actual(self) -> Iterator[Actual]:
        wanted = {entries.identity(item.data): item.name for item in self._declared}
        there = {row.id: row.data for row in self._rows}
        twins: dict[str, list[Row]] = {}
        for row in self._rows:
            name = None if self._owns(row) else wanted.get(entries.identity(row.data))
            if name is not None and not row.is_token_alias:
                twins.setdefault(name, []).append(row)
        for row in self._rows:
            if self._owns(row):
                yield self._item(row.id, row, twins.get(row.id, ()) if self.adopt else ())
                continue
            claim = entries.identity(row.data)
            name = wanted.get(claim)
            if name is None or row.is_token_alias:
                yield self._item(row.id, row, (), () if name is None else (claim,))
            elif name in there:
                # A twin of one that is as it should be is in nobody's way.
                meets = not self.adopt and entries.identity(there[name]) != claim
                yield self._item(row.id, row, (), (claim,) if meets else ())
            elif twins[name][0] is row:
                yield self._item(name, row, twins[name][1:], (claim,))

    def _item(self, name: str, row: Row, others: Sequence[Row], claims: tuple[Claim, ...] = ()) -> Actual:
        data = {**row.data, ALSO: sorted(other.id for other in others)} if others else row.data
        needs = [(BUNDLE, domain) for domain in row.data.get("federates_with", ()) if self.federation.partners]
        return Actual(
            KIND,
            name,
            data,
            (*needs, *self.parents.needs(row.data["parent_id"])),
            claims,
            handle=row.id,
            owned=self._owns(row),
            owner="" if self._owns(row) else f"entry id {row.id}",
        )

    def _owns(self, row: Row) -> bool:
        return row.id.startswith(self.prefix)

    # -- the planner's questions --------------------------------------------------------------------------------------

    def level(self, kind: str) -> int:
        return _LEVELS[kind]

    def normalise(self, desired: Desired, actual: Actual) -> tuple[Any, Any]:
        if desired.kind != KIND:
            return self.federation.normalise(desired, actual)
        if entries.equal(desired.data, actual.data):
            return desired.data, desired.data
        return desired.data, actual.data

    # -- writing ------------------------------------------------------------------------------------------------------

    def batches(self, stage: Sequence[Step]) -> Iterator[Sequence[Step]]:
        batch: list[Step] = []
        size = 0
        for step in sorted(stage, key=_sort_of_call):
            more = len(json.dumps(step.desired.data)) if step.desired else len(step.ref[1])
            alone = step.ref[0] != KIND
            if batch and (
                alone
                or size + more > MOST_BYTES
                or len(batch) >= MOST_ROWS
                or _sort_of_call(batch[0]) != _sort_of_call(step)
            ):
                yield batch
                batch, size = [], 0
            batch.append(step)
            size += more
        if batch:
            yield batch

    def apply(self, batch: Sequence[Step]) -> Optional[Errors]:
        if batch[0].ref[0] != KIND:
            for step in batch:
                self.federation.apply(step)
            return None
        try:
            return self._write(batch)
        except CallError as error:
            if not error.began or error.reason == "timeout":
                raise
            return self._tell(batch, error)

    def _write(self, batch: Sequence[Step]) -> Errors:
        action = batch[0].action
        if action == DELETE:
            return [
                _error(status, NOT_FOUND) for status in self.server.delete_entries([_source(step) for step in batch])
            ]
        if _moves(batch[0]):
            errors = self._make_beside(batch)
        else:
            statuses = self.server.write_entries(action, [_row(step) for step in batch])
            errors = [_error(status) for status in statuses]
            held = [at for at, status in enumerate(statuses) if status.code == ALREADY_EXISTS]
            if held:
                self._make_held(batch, held, errors)
        self._remove_former(batch, errors)
        return errors

    def _make_held(self, batch: Sequence[Step], held: Sequence[int], errors: Errors) -> None:
        """Creates that were refused: done before, or in the place of another one of ours; or somebody was quicker."""
        rows = read_rows(self.server, self._declared, whole=False)
        there = {row.id: row.data for row in rows}
        foreign = {entries.identity(row.data): row.id for row in rows if not self._owns(row)}
        again: list[int] = []
        for at in held:
            data = there.get(_target(batch[at]))
            wanted = _data(batch[at])
            holder = foreign.get(entries.identity(wanted))
            if data is not None and entries.equal(data, wanted):
                errors[at] = None
            elif data is not None and PLACEHOLDER not in data["selectors"]:
                errors[at] = ApplyError("somebody else has made an entry of this id since it was read", CONFLICT)
            elif holder is not None:
                errors[at] = ApplyError(f"somebody else has made its twin {holder!r} since it was read", CONFLICT)
            else:
                again.append(at)
        if again:
            for at, error in zip(again, self._make_beside([batch[at] for at in again])):
                errors[at] = error

    def _make_beside(self, steps: Sequence[Step]) -> Errors:
        """Make entries whose identity another one has."""
        statuses = self.server.write_entries(CREATE, [_placeholder(_row(step)) for step in steps])
        errors = [_error(status, ALREADY_EXISTS) for status in statuses]
        made = [at for at, error in enumerate(errors) if error is None]
        if made:
            statuses = self.server.write_entries(UPDATE, [_row(steps[at]) for at in made])
            for at, status in zip(made, statuses):
                errors[at] = _error(status)
        return errors

    def _remove_former(self, batch: Sequence[Step], errors: Errors) -> None:
        """Delete what has been replaced."""
        former = [(at, key) for at, step in enumerate(batch) if errors[at] is None for key in _former(step)]
        if former:
            statuses = self.server.delete_entries([key for _at, key in former])
            for (at, _key), status in zip(former, statuses):
                errors[at] = errors[at] or _error(status, NOT_FOUND)

    def _tell(self, batch: Sequence[Step], error: CallError) -> Errors:
        """What has become of each step, although no answer said it."""
        try:
            there = {row.id: row.data for row in self.server.entries()}
        except CallError:
            raise error from None
        return [None if _is_done(step, there) else error for step in batch]


def _sort_of_call(step: Step) -> tuple[str, bool]:
    return step.ref[0], _moves(step)


def _data(step: Step) -> Mapping[str, Any]:
    if step.desired is None:
        raise ValueError(f"nothing to write: {step}")
    return {key: value for key, value in step.desired.data.items() if key != ALSO}


def _target(step: Step) -> str:
    """The id under which it is to be."""
    restores = step.desired.restores if step.desired else None
    return str(restores.handle) if restores is not None else step.ref[1]


def _source(step: Step) -> str:
    """The id under which it is."""
    return str(step.actual.handle) if step.actual else ""


def _moves(step: Step) -> bool:
    """Whether an update is one of another id."""
    return step.action == UPDATE and step.ref[0] == KIND and _source(step) != _target(step)


def _former(step: Step) -> list[str]:
    also = list(step.actual.data.get(ALSO, ())) if step.actual else []
    return [_source(step), *also] if _moves(step) else also


def _row(step: Step) -> dict[str, Any]:
    return entries.sent(_target(step), _data(step))


def _placeholder(row: dict[str, Any]) -> dict[str, Any]:
    kind, value = PLACEHOLDER.split(":")
    return {**row, "selectors": [*row["selectors"], {"type": kind, "value": value}], "store_svid": False}


def _is_done(step: Step, there: Mapping[str, Mapping[str, Any]]) -> bool:
    if step.action == DELETE:
        return _source(step) not in there
    found = there.get(_target(step))
    return found is not None and entries.equal(found, _data(step)) and not any(key in there for key in _former(step))


def _error(status: Status, *fine: int) -> Optional[ApplyError]:
    if status.code in (OK, *fine):
        return None
    if status.code == NOT_FOUND:
        return ApplyError("it is gone since it was read", CONFLICT)
    # sqlite, when somebody else writes to its file.
    locked = status.code == INTERNAL and "database is locked" in status.message
    return ApplyError(f"the server refuses: {status.message}", "refused", transient=locked)
