# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit: what enforcement points really allow, held against what the graph says.

::

    graph ──expected──▶ FlowSet ─┐
                                 ├─ compare ─▶ findings ─▶ each with what the other points say ─▶ rows, sentences
    documents ──flows──▶ FlowSet ─┘

Pure: documents come in, whoever wrote them and wherever they were read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Documents, Mentions
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.judges import JUDGES
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.points import POINTS, Point, concerned
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import (
    MISSING,
    OPEN,
    Finding,
    FlowSet,
    Ids,
    compare,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph, Port
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import Request
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.world import CLIENT, CONSUMER, World, describe

ALLOWED = "allowed"
REFUSED = "refused"
NOT_APPLICABLE = "not_applicable"

KONG_CLIENTS = frozenset((CLIENT, CONSUMER))
"""Who calls at Kong: there are no workloads before a gateway."""

SPIRE = "spire"
NETWORK_POLICY = "network_policy"

SHOWN_CALLERS = 10


@dataclass(frozen=True)
class Row:
    """A declared flow, and how each point treats it."""

    caller: str
    callee: str
    port: Port
    methods: tuple[str, ...]
    paths: tuple[str, ...]
    kind: str
    """call, scrape, expose or egress."""
    place: str
    points: Mapping[str, str] = field(default_factory=dict)
    """By point: allowed, missing or not_applicable."""


@dataclass(frozen=True)
class Audit:
    graph: Graph
    points: Mapping[str, int]
    """The points judged, and how many documents of theirs there were."""
    objects: Mapping[str, Mapping[str, int]]
    """By point, how many objects of each kind these documents hold."""
    rows: Sequence[Row]
    findings: Sequence[Finding]
    elsewhere: Sequence[Mapping[str, str]]
    """Parallel to ``findings``: by other point, whether it allows or refuses the same flow."""
    notes: Sequence[str]

    @property
    def disagreements(self) -> int:
        """Findings in which another point says the contrary."""
        return sum(
            (REFUSED if finding.kind == OPEN else ALLOWED) in other.values()
            for finding, other in zip(self.findings, self.elsewhere)
        )

    @property
    def verdict(self) -> str:
        """The answer in a sentence, with the first finding if there is any."""
        titles = ", ".join(POINTS[name].title for name in self.points)
        if not self.findings:
            return f"{titles or 'No enforcement point'}: exactly the declared flows are allowed."
        first, more = self.to_data(1)["findings"][0]["text"], len(self.findings) - 1
        others = f" (and {more} more findings)" if more else ""
        return f"{self.count(MISSING)} missing and {self.count(OPEN)} open in {titles}. {first}{others}"

    def count(self, kind: str, point: Optional[str] = None) -> int:
        return sum(finding.kind == kind and point in (None, finding.point) for finding in self.findings)

    def to_data(self, limit: int = -1) -> dict[str, Any]:
        """Everything as JSON-like data; at most ``limit`` findings, and then no rows. Negative: all."""
        shown = len(self.findings) if limit < 0 else limit
        names: dict[Ids, tuple[str, ...]] = {}
        data: dict[str, Any] = {
            "graph": {"name": self.graph.name, "trust_domain": self.graph.trust_domain},
            "points": {
                name: {
                    "title": POINTS[name].title,
                    "documents": documents,
                    "objects": dict(self.objects[name]),
                    "missing": self.count(MISSING, name),
                    "open": self.count(OPEN, name),
                }
                for name, documents in self.points.items()
            },
            "missing": self.count(MISSING),
            "open": self.count(OPEN),
            "disagreements": self.disagreements,
            "findings": [
                self._finding(finding, other, names)
                for finding, other in list(zip(self.findings, self.elsewhere))[:shown]
            ],
            "notes": list(self.notes),
        }
        if limit < 0:
            data["flows"] = [_row(row) for row in self.rows]
        return data

    def _finding(
        self, finding: Finding, elsewhere: Mapping[str, str], names: dict[Ids, tuple[str, ...]]
    ) -> dict[str, Any]:
        # Where much is open, many findings are about the same thousands of callers.
        callers = names.get(finding.callers)
        if callers is None:
            callers = names[finding.callers] = describe(finding.callers, self.graph)
        return {
            "kind": finding.kind,
            "point": finding.point,
            "callers": list(callers[:SHOWN_CALLERS]),
            "callers_count": len(callers),
            "callee": describe((finding.callee,), self.graph)[0],
            "protocol": finding.protocol,
            "ports": str(finding.ports),
            "requests": [str(request) for request in finding.requests[:SHOWN_CALLERS]],
            "causes": list(finding.causes),
            "conditional": finding.conditional,
            "elsewhere": dict(elsewhere),
            "text": sentence(finding, callers, elsewhere, self.graph),
        }


def audit(graph: Graph, documents: Documents, names: Optional[Iterable[str]] = None) -> Audit:
    """Judge the documents. ``names`` are the points; by default those that any document belongs to.

    A point that is named but has no document is judged as what it then is: wide open, or closed.
    """
    by_point = {name: [item for item in documents if judge.recognises(item.document)] for name, judge in JUDGES.items()}
    chosen = [name for name in POINTS if (name in names if names is not None else by_point[name])]
    # The labels of namespaces belong to no point, and selectors go by them.
    namespaces = [item for item in documents if item.document.get("kind") == "Namespace"]
    world = _world(graph, [JUDGES[name].mentions([*by_point[name], *namespaces]) for name in chosen])
    expected = {name: POINTS[name].expected(graph, world) for name in chosen}
    beside = {name: [item for item in documents if JUDGES[name].beside(item.document)] for name in chosen}
    actual = {name: JUDGES[name].flows([*by_point[name], *beside[name]], world) for name in chosen}
    findings = [finding for name in chosen for finding in compare(name, expected[name], actual[name], world.owned)]
    return Audit(
        graph,
        {name: len(by_point[name]) for name in chosen},
        {name: _objects(by_point[name]) for name in chosen},
        _rows(graph, world, expected, findings),
        findings,
        [_elsewhere(finding, expected, actual, graph) for finding in findings],
        _notes(graph, chosen, names),
    )


def _objects(documents: Documents) -> dict[str, int]:
    """How many objects of each kind documents hold: Kubernetes objects by kind, other files by their lists' names."""
    counts: Counter[str] = Counter()
    for item in documents:
        kind = item.document.get("kind")
        if isinstance(kind, str):
            counts[kind] += 1
        else:
            counts.update({key: len(value) for key, value in item.document.items() if isinstance(value, list)})
    return dict(sorted(counts.items()))


def _world(graph: Graph, mentions: Iterable[Mentions]) -> World:
    """One world for all points, so that their answers can be held against each other."""
    cidrs: dict[str, None] = {}
    namespaces: dict[str, dict[str, str]] = defaultdict(dict)
    for mentioned in mentions:
        cidrs.update(dict.fromkeys(mentioned.cidrs))
        for name, labels in mentioned.namespaces.items():
            namespaces[name].update(labels)
    return World(graph, cidrs, namespaces)


def _notes(graph: Graph, chosen: Sequence[str], names: Optional[Iterable[str]]) -> list[str]:
    lacking = [point for point in concerned(graph) if names is None and point.name not in chosen]
    return [
        *(f"{point.title} was not judged: there is no document of its kind." for point in lacking),
        *(f"{POINTS[name].title}: {note}" for name in chosen for note in POINTS[name].notes(graph)),
    ]


def _elsewhere(
    finding: Finding, expected: Mapping[str, FlowSet], actual: Mapping[str, FlowSet], graph: Graph
) -> dict[str, str]:
    # An identity is no flow, so SPIRE can neither contradict nor be contradicted. Nor can a NetworkPolicy in ambient
    # mode, which sees tunnels between pods.
    alone = (SPIRE, NETWORK_POLICY) if graph.mesh.mode == "ambient" else (SPIRE,)
    port = finding.ports.pairs[0][0]
    request = finding.requests[0] if finding.requests else Request()
    said = {}
    for name, flowset in actual.items():
        known = finding.callee in flowset.allows or finding.callee in expected[name].allows
        if known and name != finding.point and name not in alone and finding.point not in alone:
            allowed = flowset.admitted(finding.callee, finding.protocol, port, request) & finding.callers
            said[name] = ALLOWED if allowed else REFUSED
    return said


def _rows(graph: Graph, world: World, expected: Mapping[str, FlowSet], findings: Sequence[Finding]) -> list[Row]:
    missing: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.kind == MISSING:
            missing[finding.point, finding.callee].append(finding)
    rows = []
    for flow in graph.flows:
        kind = "expose" if ".exposes[" in flow.place else "scrape" if flow.place.endswith(".metrics") else "call"
        row = Row(flow.caller, flow.callee, flow.port, flow.methods, flow.paths, kind, flow.place)
        rows.append(_marked(row, frozenset((flow.callee,)), graph, world, expected, missing))
    for service in graph.services.values():
        for index, egress in enumerate(service.egress):
            port = Port(egress.port, egress.port, egress.protocol, egress.protocol)
            place = f"services.{service.name}.egress[{index}]"
            row = Row(service.name, ", ".join(egress.hosts or egress.cidrs), port, (), (), "egress", place)
            addresses = [world.addresses.within(cidr) for cidr in egress.cidrs] or [world.public_internet()]
            callees = frozenset(f"host:{host}" for host in egress.hosts).union(*addresses)
            rows.append(_marked(row, callees, graph, world, expected, missing))
    return rows


def _marked(
    row: Row,
    callees: Ids,
    graph: Graph,
    world: World,
    expected: Mapping[str, FlowSet],
    missing: Mapping[tuple[str, str], Sequence[Finding]],
) -> Row:
    marks = {}
    callers = world.callers(row.caller)
    gateway = graph.gateways.get(row.caller)
    if gateway and gateway.kind == "kong":
        callers = callers | KONG_CLIENTS
    for name, wanted in expected.items():
        asked, at = (callers, callees) if name != SPIRE else _identities(row, graph)
        port = row.port.target
        applies = any(
            port in grant.ports and not asked.isdisjoint(grant.callers)
            for callee in at
            for grant in wanted.allows.get(callee, ())
        )
        lacks = applies and any(
            port in finding.ports and not asked.isdisjoint(finding.callers)
            for callee in at
            for finding in missing.get((name, callee), ())
        )
        marks[name] = MISSING if lacks else ALLOWED if applies else NOT_APPLICABLE
    return Row(row.caller, row.callee, row.port, row.methods, row.paths, row.kind, row.place, marks)


def _identities(row: Row, graph: Graph) -> tuple[Ids, Ids]:
    """A flow rests on the identity of each of its ends that is ours: that each can obtain its own."""
    ends = frozenset(name for name in (row.caller, row.callee) if name in graph.services)
    return ends, ends


def _row(row: Row) -> dict[str, Any]:
    return {
        "caller": row.caller,
        "callee": row.callee,
        "port": row.port.number,
        "protocol": row.port.protocol,
        "methods": list(row.methods),
        "paths": list(row.paths),
        "kind": row.kind,
        "place": row.place,
        "points": dict(row.points),
    }


def sentence(finding: Finding, callers: Sequence[str], elsewhere: Mapping[str, str], graph: Graph) -> str:
    """A finding in one sentence: who, whom, where, why, and what the others say. ``callers`` as described."""
    who = ", ".join(callers[:3]) + (f" and {len(callers) - 3} more" if len(callers) > 3 else "")
    whom = describe((finding.callee,), graph)[0]
    point: Point = POINTS[finding.point]
    what = f" ({', '.join(str(request) for request in finding.requests[:2])})" if finding.requests else ""
    because = "; ".join(finding.causes)
    if finding.point == SPIRE:
        text = (
            f"{who} may obtain the identity of {whom}, which is another's"
            if finding.kind == OPEN
            else f"{who} cannot obtain the identity of {whom}"
        )
    elif finding.kind == OPEN:
        text = f"{who} may reach {whom} on {finding.protocol} {finding.ports}{what}, which the graph does not say"
    else:
        text = f"{who} cannot reach {whom} on {finding.protocol} {finding.ports}{what}, which the graph says"
    if finding.conditional:
        text += ", under a condition that cannot be judged here"
    if because:
        text += f", because of {because}"
    contrary = [POINTS[name].title for name, said in elsewhere.items() if (said == REFUSED) == (finding.kind == OPEN)]
    if contrary:
        verb = "refuse" if finding.kind == OPEN else "allow"
        text += f"; {' and '.join(contrary)} {verb if len(contrary) > 1 else verb + 's'} it"
    return f"{point.title}: {text}."
