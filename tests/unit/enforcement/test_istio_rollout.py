# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds of each step of a roll-out, for every graph."""

from __future__ import annotations

from ansible_collections.zerotrust.platform.plugins.module_utils._audit.audit import audit
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import istio
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.istio_rollout import staged
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.flowset import MISSING, OPEN
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.strategies import parsed_graphs


@given(parsed_graphs(), st.data())
def test_no_declared_flow_is_cut_at_any_step_and_the_last_one_is_the_graph(graph, data):
    rendered = istio.render(graph)
    order = data.draw(st.permutations(graph.namespaces))
    dry_run = data.draw(st.booleans())
    for done in range(len(order) + 1):
        documents = staged(rendered, graph, order[done:], dry_run)
        found = audit(graph, sourced(documents), ["istio"])
        assert found.count(MISSING) == 0
        # What is open is open in what is pending.
        enforced = {name for name, service in graph.services.items() if service.namespace in order[:done]}
        assert not [one for one in found.findings if one.kind == OPEN and one.callee in enforced]
    assert documents == rendered


@given(parsed_graphs())
def test_a_dry_run_has_each_policy_and_enforces_none(graph):
    rendered = istio.render(graph)
    documents = [one for some in staged(rendered, graph, graph.namespaces, True).values() for one in some]
    policies = [one for one in documents if one["kind"] == "AuthorizationPolicy"]
    wanted = [one for some in rendered.values() for one in some if one["kind"] == "AuthorizationPolicy"]
    assert len(policies) == len(wanted) > 0
    assert {one["metadata"]["annotations"]["istio.io/dry-run"] for one in policies} == {"true"}
