# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an enforcement point allows, and how two such answers are compared.

A :class:`Grant` says *these callers may reach this callee on these ports with these requests, because of this policy*.
A :class:`FlowSet` is what a point allows: grants less denials, by callee. Callers and callees are ids of
``world.py``. ``compare`` gives the exact difference of two flow sets as :class:`Finding` objects.

Conditions that cannot be judged from documents (a JWT claim, a header) make a grant or a denial *conditional*. What may
be open is judged with every conditional grant and no conditional denial; what is surely allowed the other way round.
So nothing open is overlooked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Callable, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import Intervals, pieces
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import (
    ANY_REQUEST,
    Request,
    Requests,
    witnesses,
)

TCP = "TCP"
UDP = "UDP"
SCTP = "SCTP"

Ids = frozenset[str]


@dataclass(frozen=True)
class Grant:
    callers: Ids
    callee: str
    ports: Intervals
    requests: Requests = ANY_REQUEST
    protocol: str = TCP
    cause: str = ""
    """The document that says so, as :func:`label` writes it."""
    conditional: bool = False
    way: str = ""
    """Where there are several ways to a callee, which one. A denial is one of its own way alone."""

    @property
    def scope(self) -> tuple[str, Intervals, Requests]:
        return self.protocol, self.ports, self.requests


RefusedBy = Callable[[str, str, str, int, Request], tuple[str, ...]]
"""``(caller, callee, protocol, port, request) -> labels`` of the documents why a flow is not allowed."""


def _unknown(caller: str, callee: str, protocol: str, port: int, request: Request) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class FlowSet:
    allows: Mapping[str, Sequence[Grant]]
    denies: Mapping[str, Sequence[Grant]] = field(default_factory=dict)
    refused_by: RefusedBy = _unknown

    @staticmethod
    def of(allows: Iterable[Grant], denies: Iterable[Grant] = (), refused_by: RefusedBy = _unknown) -> FlowSet:
        return FlowSet(_by_callee(allows), _by_callee(denies), refused_by)

    def admitted(self, callee: str, protocol: str, port: int, request: Request) -> Ids:
        """Who may, as far as documents tell, send this request."""

        def those(grants: Sequence[Grant]) -> Iterable[Grant]:
            return (g for g in grants if g.protocol == protocol and port in g.ports and g.requests.matches(request))

        refused = [grant for grant in those(self.denies.get(callee, ())) if not grant.conditional]
        return _admitted(list(those(self.allows.get(callee, ()))), refused)


def _by_callee(grants: Iterable[Grant]) -> dict[str, list[Grant]]:
    found: dict[str, list[Grant]] = defaultdict(list)
    for grant in grants:
        if grant.callers and grant.ports:
            found[grant.callee].append(grant)
    return dict(found)


MISSING = "missing"
OPEN = "open"


@dataclass(frozen=True)
class Finding:
    """A difference: declared flows that a point does not allow (missing), or undeclared ones that it does (open)."""

    kind: str
    point: str
    callers: Ids
    callee: str
    protocol: str
    ports: Intervals
    requests: tuple[Request, ...]
    """Examples, one for each way in which the requests differ; empty where all requests do."""
    causes: tuple[str, ...]
    conditional: bool = False
    """Whether the flow is open only under a condition that documents cannot decide."""


def compare(point: str, expected: FlowSet, actual: FlowSet, ours: Collection[str]) -> list[Finding]:
    """The findings, in a stable order.

    A flow is judged where one of its ends is in ``ours``: what others do among themselves is not our business.
    """
    findings: list[Finding] = []
    owned = frozenset(ours)
    for callee in sorted(set(expected.allows) | set(actual.allows)):
        wanted = expected.allows.get(callee, ())
        allowed = actual.allows.get(callee, ())
        denied = actual.denies.get(callee, ())
        if not denied and _same(wanted, allowed):
            continue
        findings.extend(
            _compare_callee(
                point, callee, wanted, allowed, denied, actual.refused_by, None if callee in owned else owned
            )
        )
    return findings


def _same(wanted: Sequence[Grant], allowed: Sequence[Grant]) -> bool:
    """Whether both are surely the same, as far as a quick look tells: equal callers by scope are equal sets, not the
    other way round."""
    return not any(grant.conditional for grant in (*wanted, *allowed)) and _summed(wanted) == _summed(allowed)


def _summed(grants: Sequence[Grant]) -> dict[tuple[str, Intervals, Requests], Ids]:
    sums: dict[tuple[str, Intervals, Requests], Ids] = {}
    for grant in grants:
        known = sums.get(grant.scope)
        sums[grant.scope] = grant.callers if known is None else known | grant.callers
    return sums


_Key = tuple[str, str, Ids, tuple[str, ...], bool]
"""Kind, protocol, callers, causes, condition of a difference."""


def _compare_callee(
    point: str,
    callee: str,
    wanted: Sequence[Grant],
    allowed: Sequence[Grant],
    denied: Sequence[Grant],
    refused_by: RefusedBy,
    only_callers: Optional[Ids],
) -> list[Finding]:
    cells: dict[tuple[_Key, tuple[Request, ...]], Intervals] = {}
    every = (*wanted, *allowed, *denied)
    for protocol in sorted({grant.protocol for grant in every}):
        here = [grant for grant in every if grant.protocol == protocol]
        for ports in pieces(grant.ports for grant in here):
            port = ports.pairs[0][0]
            want = [grant for grant in wanted if grant.protocol == protocol and port in grant.ports]
            allow = [grant for grant in allowed if grant.protocol == protocol and port in grant.ports]
            deny = [grant for grant in denied if grant.protocol == protocol and port in grant.ports]
            if not want and not allow:
                continue
            differences: dict[_Key, list[Request]] = defaultdict(list)
            requests = witnesses({grant.requests for grant in (*want, *allow, *deny)})
            for request in requests:
                declared = _callers(want, request)
                granting = [grant for grant in allow if grant.requests.matches(request)]
                refusing = [grant for grant in deny if grant.requests.matches(request)]
                surely = _admitted([g for g in granting if not g.conditional], refusing)
                possibly = _admitted(granting, [g for g in refusing if not g.conditional])
                too_much, too_little = _less(possibly, declared), _less(declared, surely)
                if only_callers is not None:
                    too_much, too_little = too_much & only_callers, too_little & only_callers
                under_condition = _less(too_much, surely)
                for callers, condition in ((_less(too_much, under_condition), False), (under_condition, True)):
                    for causes, part in _by_cause(callers, granting):
                        differences[(OPEN, protocol, part, causes, condition)].append(request)
                for causes, part in _by_refusal(too_little, refusing, refused_by, callee, protocol, port, request):
                    differences[(MISSING, protocol, part, causes, False)].append(request)
            for key, examples in differences.items():
                cell = key, () if len(examples) == len(requests) else tuple(examples)
                cells[cell] = cells.get(cell, Intervals()) | ports
    findings = [
        Finding(kind, point, callers, callee, protocol, ports, examples, causes, condition)
        for ((kind, protocol, callers, causes, condition), examples), ports in cells.items()
    ]
    return sorted(findings, key=lambda f: (f.kind, f.protocol, sorted(f.callers), f.causes, f.conditional, f.ports))


def _union(grants: Iterable[Grant]) -> Ids:
    sets = [grant.callers for grant in grants]
    return sets[0] if len(sets) == 1 else frozenset().union(*sets)


def _admitted(granting: Sequence[Grant], refusing: Sequence[Grant]) -> Ids:
    """Who gets through by any way: granted there, and not refused there."""
    ways = {grant.way for grant in granting}
    if len(ways) == 1 and not refusing:
        return _union(granting)
    parts = [_less(_union(g for g in granting if g.way == w), _union(g for g in refusing if g.way == w)) for w in ways]
    return parts[0] if len(parts) == 1 else frozenset().union(*parts)


def _less(ids: Ids, others: Ids) -> Ids:
    """The difference; the set itself where nothing is taken away, as the largest sets are held most often."""
    return ids if ids.isdisjoint(others) else ids - others


def _callers(grants: Iterable[Grant], request: Request) -> Ids:
    return _union(grant for grant in grants if grant.requests.matches(request))


def _by_cause(callers: Ids, granting: Sequence[Grant]) -> list[tuple[tuple[str, ...], Ids]]:
    """The callers, parted by which documents let them in."""
    reach: dict[str, Ids] = {}
    for grant in granting:
        if grant.cause:
            reach[grant.cause] = reach.get(grant.cause, frozenset()) | grant.callers
    # By sets and not caller by caller: where everything is open, everybody calls everybody.
    parts: dict[tuple[str, ...], Ids] = {(): callers} if callers else {}
    for cause, those in sorted(reach.items()):
        split: dict[tuple[str, ...], Ids] = {}
        for causes, part in parts.items():
            outside = _less(part, those)
            if outside:
                split[causes] = outside
            if len(outside) < len(part):
                split[(*causes, cause)] = _less(part, outside)
        parts = split
    return list(parts.items())


def _parted(causes: Mapping[str, tuple[str, ...]]) -> list[tuple[tuple[str, ...], Ids]]:
    parts: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for caller, found in causes.items():
        parts[found].append(caller)
    return [(found, frozenset(part)) for found, part in parts.items()]


def _by_refusal(
    callers: Ids,
    refusing: Sequence[Grant],
    refused_by: RefusedBy,
    callee: str,
    protocol: str,
    port: int,
    request: Request,
) -> list[tuple[tuple[str, ...], Ids]]:
    """The callers, parted by which documents keep them out."""
    causes = {}
    for caller in callers:
        denials = {grant.cause for grant in refusing if grant.cause and caller in grant.callers}
        causes[caller] = tuple(sorted(denials)) or refused_by(caller, callee, protocol, port, request)
    return _parted(causes)
