# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``compare`` against asking about every caller, port and request one by one."""

from __future__ import annotations

from itertools import product

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import (
    MISSING,
    OPEN,
    TCP,
    UDP,
    FlowSet,
    Grant,
    compare,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.intervals import ALL_PORTS, Intervals
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.requests import (
    Request,
    Requests,
    matcher,
    witnesses,
)
from hypothesis import given, settings
from hypothesis import strategies as st

OURS = ("a", "x")
CALLERS = ("a", "b", "stranger:*")
CALLEES = ("x", "elsewhere")
PORTS = range(1, 6)
REQUESTS = [
    Request(method, path)
    for method, path in product(("GET", "POST", "PUT"), ("/", "/api", "/api/", "/api/v1", "/api/v1/x", "/x", "/health"))
]

SCOPES = st.builds(
    Requests,
    methods=st.sampled_from(((), ("GET",), ("GET", "POST"))),
    paths=st.sampled_from(((), ("/api/*",), ("/api", "/health"), ("/api/v1/*",), ("*x",))),
    not_paths=st.sampled_from(((), (), ("/health",), ("/api/v1/*",))),
)
SPANS = st.lists(st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS)), min_size=1, max_size=2)
GRANTS = st.builds(
    Grant,
    callers=st.frozensets(st.sampled_from(CALLERS)),
    callee=st.sampled_from(CALLEES),
    ports=SPANS.map(lambda pairs: Intervals.of(*pairs)),
    requests=SCOPES,
    protocol=st.sampled_from((TCP, TCP, UDP)),
    cause=st.sampled_from(("", "one", "two")),
    conditional=st.sampled_from((False, False, True)),
)
DECLARED = st.lists(GRANTS, max_size=4)
FLOWSETS = st.builds(FlowSet.of, DECLARED, st.lists(GRANTS, max_size=2))


def holds(grant, caller, protocol, port, request):
    return (
        caller in grant.callers
        and grant.protocol == protocol
        and port in grant.ports
        and grant.requests.matches(request)
    )


def said(flowset, callee, *flow):
    """Whether a flow set allows a flow surely, and possibly."""
    granting = [grant for grant in flowset.allows.get(callee, ()) if holds(grant, *flow)]
    refusing = [grant for grant in flowset.denies.get(callee, ()) if holds(grant, *flow)]
    surely = any(not grant.conditional for grant in granting) and not refusing
    return surely, bool(granting) and all(grant.conditional for grant in refusing)


def one_by_one(expected, actual):
    """Every difference: kind, caller, callee, protocol, port, request, whether under a condition."""
    found = set()
    for callee, caller, protocol, port in product(CALLEES, CALLERS, (TCP, UDP), PORTS):
        if callee not in OURS and caller not in OURS:
            continue
        for request in REQUESTS:
            flow = caller, protocol, port, request
            declared = any(holds(grant, *flow) for grant in expected.allows.get(callee, ()))
            surely, possibly = said(actual, callee, *flow)
            if declared and not surely:
                found.add((MISSING, caller, callee, protocol, port, request, False))
            if possibly and not declared:
                found.add((OPEN, caller, callee, protocol, port, request, not surely))
    return found


def spread(findings, expected, actual):
    """Findings as :func:`one_by_one` lists them. A request is meant where it is in the same sets as an example."""
    found = []
    sides = expected.allows, actual.allows, actual.denies
    for finding in findings:
        every = [grant for side in sides for grant in side.get(finding.callee, ())]
        for port in (port for port in PORTS if port in finding.ports):
            sets = [g.requests for g in every if g.protocol == finding.protocol and port in g.ports]
            examples = [[one.matches(example) for one in sets] for example in finding.requests]
            for caller, request in product(finding.callers, REQUESTS):
                if not examples or [one.matches(request) for one in sets] in examples:
                    flow = caller, finding.callee, finding.protocol, port, request
                    found.append((finding.kind, *flow, finding.conditional))
    return found


@settings(max_examples=200)
@given(st.builds(FlowSet.of, DECLARED), FLOWSETS)
def test_the_findings_are_exactly_the_differences(expected, actual):
    found = spread(compare("point", expected, actual, OURS), expected, actual)
    assert set(found) == one_by_one(expected, actual)
    assert len(found) == len(set(found)), "a difference is said once"


@given(DECLARED)
def test_a_flow_set_does_not_differ_from_itself(grants):
    """A conditional grant is one that may or may not hold, so it does differ."""
    flowset = FlowSet.of(grant for grant in grants if not grant.conditional)
    assert compare("point", flowset, flowset, OURS) == []


@given(st.builds(FlowSet.of, DECLARED), FLOWSETS)
def test_the_findings_do_not_depend_on_the_order_of_the_grants(expected, actual):
    def turned(flowset):
        return FlowSet(
            {callee: list(reversed(grants)) for callee, grants in reversed(list(flowset.allows.items()))},
            {callee: list(reversed(grants)) for callee, grants in reversed(list(flowset.denies.items()))},
        )

    findings = compare("point", expected, actual, OURS)
    assert compare("point", turned(expected), turned(actual), OURS) == findings


API = Grant(frozenset("a"), "x", Intervals.one(3000), Requests(("GET",), ("/api/*",)), cause="AuthorizationPolicy x")
OTHER = Grant(frozenset("b"), "x", Intervals.of((80, 90)), cause="other")


def test_a_grant_that_is_lacking_is_missing():
    (finding,) = compare("istio", FlowSet.of([API, OTHER]), FlowSet.of([OTHER]), OURS)
    assert (finding.kind, finding.point, finding.callers, finding.callee) == (MISSING, "istio", frozenset("a"), "x")
    assert (finding.protocol, finding.ports, finding.causes) == (TCP, Intervals.one(3000), ())
    assert [str(request) for request in finding.requests] == ["GET /api/…"]


def test_a_grant_too_many_is_open_and_names_its_cause():
    (finding,) = compare("istio", FlowSet.of([API]), FlowSet.of([API, OTHER]), OURS)
    assert (finding.kind, finding.callers, finding.ports) == (OPEN, frozenset("b"), Intervals.of((80, 90)))
    assert (finding.requests, finding.causes, finding.conditional) == ((), ("other",), False)


def test_a_denial_is_the_cause_of_what_is_missing():
    deny = Grant(frozenset("a"), "x", ALL_PORTS, cause="deny-all")
    (finding,) = compare("istio", FlowSet.of([API]), FlowSet.of([API], [deny]), OURS)
    assert (finding.kind, finding.causes) == (MISSING, ("deny-all",))


def test_who_keeps_a_flow_out_is_asked_where_nothing_denies_it():
    def refused_by(caller, callee, protocol, port, request):
        return (f"{caller}>{callee}:{port}/{protocol} {request}",)

    (finding,) = compare("istio", FlowSet.of([API]), FlowSet.of([], refused_by=refused_by), OURS)
    assert finding.causes == ("a>x:3000/TCP GET /api/…",)


def test_a_conditional_grant_neither_opens_nor_allows_for_sure():
    perhaps = Grant(API.callers, API.callee, API.ports, API.requests, conditional=True, cause="jwt")
    (missing,) = compare("istio", FlowSet.of([API]), FlowSet.of([perhaps]), OURS)
    assert (missing.kind, missing.conditional) == (MISSING, False)
    (opened,) = compare("istio", FlowSet.of([]), FlowSet.of([perhaps]), OURS)
    assert (opened.kind, opened.conditional, opened.causes) == (OPEN, True, ("jwt",))


def test_a_conditional_denial_hides_nothing_that_may_be_open():
    perhaps = Grant(frozenset("a"), "x", ALL_PORTS, conditional=True, cause="deny if")
    (finding,) = compare("istio", FlowSet.of([]), FlowSet.of([API], [perhaps]), OURS)
    assert (finding.kind, finding.conditional) == (OPEN, True)


def test_two_sides_with_conditional_grants_are_still_compared():
    """Both sides once counted as equal as soon as each had a conditional grant."""
    perhaps = Grant(frozenset("a"), "x", Intervals.one(1), conditional=True)
    assert compare("istio", FlowSet.of([perhaps, API]), FlowSet.of([perhaps]), OURS) != []


def test_ports_whose_requests_differ_are_told_apart():
    """Everything is missing on one port and some of it on another: those were once one finding for both ports."""
    both = Intervals.of((80, 81))
    wanted = Grant(frozenset("a"), "x", both)
    has = Grant(frozenset("a"), "x", Intervals.one(81), Requests(("GET",)))
    findings = compare("istio", FlowSet.of([wanted]), FlowSet.of([has]), OURS)
    assert [(str(finding.ports), bool(finding.requests)) for finding in findings] == [("80", False), ("81", True)]
    assert all(request.method != "GET" for request in findings[1].requests)


def test_what_others_do_among_themselves_is_not_judged():
    grant = Grant(frozenset(("a", "b")), "elsewhere", Intervals.one(1))
    (finding,) = compare("istio", FlowSet.of([]), FlowSet.of([grant]), OURS)
    assert finding.callers == frozenset("a")


def test_admitted_are_those_who_may_send_a_request():
    deny = Grant(frozenset("b"), "x", Intervals.one(85))
    perhaps = Grant(frozenset("a"), "x", ALL_PORTS, conditional=True)
    flowset = FlowSet.of([API, OTHER], [deny, perhaps])
    assert flowset.admitted("x", TCP, 3000, Request("GET", "/api/1")) == frozenset("a")
    assert flowset.admitted("x", TCP, 3000, Request("POST", "/api/1")) == frozenset()
    assert flowset.admitted("x", UDP, 80, Request()) == frozenset()
    assert flowset.admitted("x", TCP, 80, Request()) == frozenset("b")
    assert flowset.admitted("x", TCP, 85, Request()) == frozenset()
    assert flowset.admitted("nobody", TCP, 80, Request()) == frozenset()


def test_a_callee_with_thousands_of_grants_is_compared_quickly():
    """Each caller has its own policy, all are too many: the work grows with the grants, not with their square."""
    count = 3000
    grants = [Grant(frozenset((f"c{n}",)), "x", Intervals.one(80), cause=f"policy {n}") for n in range(count)]
    assert len(compare("network_policy", FlowSet.of([]), FlowSet.of(grants), OURS)) == count


def test_the_examples_of_a_finding_are_requests_of_the_sets():
    (finding,) = compare("istio", FlowSet.of([API]), FlowSet.of([]), OURS)
    assert set(finding.requests) < set(witnesses([API.requests]))
    assert all(matcher("/api/*")(request.path) for request in finding.requests)
