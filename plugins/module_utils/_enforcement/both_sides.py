# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points at which the caller's side must let a flow out and the callee's side must let it in.

NetworkPolicies and security groups are both lists of permissions, on either side. A :class:`Side` collects them as
openings *(these callers may reach these callees on these ports)*, and :func:`meet` gives the grants on which two sides
agree. Nobody is looked at in pairs: openings are kept by sets of callees, and sets are shared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Callable

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import SCTP, TCP, UDP, Grant, Ids
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import ALL_PORTS, Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import Request

PROTOCOLS = (TCP, UDP, SCTP)

MERGED_ABOVE = 10_000
"""From so many pairs of callee and opening on, openings of one scope to the same callees become one."""

KEPT_ABOVE = 16
"""From so many ids on, the common part of two sets is computed once."""

NOBODY: Ids = frozenset()


@dataclass(frozen=True)
class Opening:
    callers: Ids
    protocol: str
    ports: Intervals
    cause: str = ""
    """The document that says so; empty where no document does, as there is none that restricts."""
    conditional: bool = False


def everything(callers: Ids) -> tuple[Opening, ...]:
    """What a side permits that nothing restricts."""
    return tuple(Opening(callers, protocol, ALL_PORTS) for protocol in PROTOCOLS)


class Side:
    """The openings of one side."""

    def __init__(self) -> None:
        self._openings: dict[Ids, list[Opening]] = defaultdict(list)

    def add(self, callees: Ids, opening: Opening) -> None:
        if callees and opening.callers and opening.ports:
            self._openings[callees].append(opening)

    def by_callee(self) -> dict[str, list[Opening]]:
        found: dict[str, list[Opening]] = defaultdict(list)
        for callees, openings in self._openings.items():
            several = len(openings) > 1 and len(openings) * len(callees) > MERGED_ABOVE
            kept = _merged(openings) if several else openings
            for callee in callees:
                found[callee].extend(kept)
        return dict(found)


def _merged(openings: Iterable[Opening]) -> list[Opening]:
    by_scope: dict[tuple[str, Intervals, bool], list[Opening]] = defaultdict(list)
    for opening in openings:
        by_scope[opening.protocol, opening.ports, opening.conditional].append(opening)
    merged = []
    for (protocol, ports, conditional), same in by_scope.items():
        causes = list(dict.fromkeys(opening.cause for opening in same))
        cause = causes[0] + (f" and {len(causes) - 1} more" if len(causes) > 1 else "")
        callers = frozenset[str]().union(*(opening.callers for opening in same))
        merged.append(Opening(callers, protocol, ports, cause, conditional))
    return merged


def meet(
    callees: Iterable[str],
    inward: Callable[[str], Sequence[Opening]],
    outward: Callable[[str], Sequence[Opening]],
    ours: Ids,
) -> Iterator[Grant]:
    """The flows that both sides permit, a grant for each document that is a cause of them.

    Callees that are not ours get only callers that are: what others do among themselves is not judged.
    """
    common = _Common()
    for callee in callees:
        leaving = outward(callee)
        for entering in inward(callee) if leaving else ():
            for opening in leaving:
                if opening.protocol != entering.protocol:
                    continue
                ports = entering.ports & opening.ports
                callers = common.of(entering.callers, opening.callers) if ports else NOBODY
                if callers and callee not in ours:
                    callers = common.of(callers, ours)
                if callers:
                    conditional = entering.conditional or opening.conditional
                    for cause in dict.fromkeys(filter(None, (entering.cause, opening.cause))) or ("",):
                        yield Grant(
                            callers, callee, ports, protocol=entering.protocol, cause=cause, conditional=conditional
                        )


class _Common:
    """Intersections of sets; those of big ones are kept, as the same few big sets meet again and again."""

    def __init__(self) -> None:
        self._known: dict[tuple[Ids, Ids], Ids] = {}

    def of(self, one: Ids, other: Ids) -> Ids:
        if one is other:
            return one
        if len(one) < KEPT_ABOVE or len(other) < KEPT_ABOVE:
            return one & other
        both = self._known.get((one, other))
        if both is None:
            both = self._known[one, other] = one & other
        return both


Openings = Mapping[str, Sequence[Opening]]
Restricting = Mapping[Ids, Sequence[str]]


class Refusal:
    """Says which documents refuse a flow: those that restrict the end at which no opening allows it.

    ``into`` and ``out_of`` are the labels of the documents that restrict callees and callers.
    """

    def __init__(self, entering: Openings, leaving: Openings, into: Restricting, out_of: Restricting) -> None:
        self._sides = ((leaving, out_of), (entering, into))

    @cached_property
    def _restricting(self) -> tuple[Mapping[str, Sequence[str]], ...]:
        """For either side, by workload."""
        found = []
        for _openings, restricting in self._sides:
            labels: dict[str, list[str]] = defaultdict(list)
            for subjects, names in restricting.items():
                for subject in subjects:
                    labels[subject].extend(names)
            found.append(labels)
        return tuple(found)

    def __call__(self, caller: str, callee: str, protocol: str, port: int, request: Request) -> tuple[str, ...]:
        refusing: list[str] = []
        for (openings, _all), restricting, end in zip(self._sides, self._restricting, (caller, callee)):
            allowed = any(
                caller in opening.callers
                and protocol == opening.protocol
                and port in opening.ports
                and not opening.conditional
                for opening in openings.get(callee, ())
            )
            if not allowed:
                refusing.extend(restricting.get(end, ()))
        return tuple(sorted(set(refusing)))
