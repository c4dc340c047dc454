# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All enforcement points together: render and audit are each other's inverse."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._audit.audit import audit
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.files import dump
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import Sourced, sourced
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.judges import JUDGES
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.points import POINTS, concerned, render
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.strategies import generated, graphs, parsed_graphs

SHOP = graph_of(
    {
        "name": "shop",
        "trust_domain": "example.org",
        "aws": {},
        "gateways": {"istio": {}, "kong": {"consumers": ["mobile"]}},
        "callers": {"office": {"cidrs": ["203.0.113.0/24"], "calls": ["web"]}},
        "services": {
            "web": {"port": 80, "target_port": 8080, "calls": [{"to": "api", "methods": ["GET"], "paths": ["/api/*"]}]},
            "api": {
                "port": 3000,
                "calls": ["db"],
                "egress": [{"hosts": ["api.openai.com"]}],
                "exposes": [{"gateway": "kong", "path": "/api", "key_auth": True}],
            },
            "db": {"port": 5432, "protocol": "tcp"},
        },
    }
)


def documents(graph: Graph) -> list[Sourced]:
    return copy.deepcopy(sourced(render(graph)))


def edited(graph: Graph, kind: str, name: str, edit: Any) -> list[Sourced]:
    """The rendered documents after ``edit`` has changed the spec of one."""
    found = documents(graph)
    (document,) = [
        d.document for d in found if d.document.get("kind") == kind and d.document["metadata"]["name"] == name
    ]
    edit(document["spec"])
    return found


@given(parsed_graphs())
def test_what_is_rendered_allows_exactly_what_is_declared(graph: Graph) -> None:
    found = audit(graph, documents(graph), [point.name for point in concerned(graph)])
    assert list(found.to_data()["findings"]) == []
    assert all(mark != "missing" for row in found.rows for mark in row.points.values())
    judged = {name: set() for name in POINTS}
    for row in found.rows:
        for name, mark in row.points.items():
            judged[name].add(mark)
    assert judged["network_policy"] <= {"allowed"}


@given(graphs())
def test_rendering_is_the_same_to_the_byte_whatever_the_order_of_the_file(data: dict[str, Any]) -> None:
    def backwards(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: backwards(value[key]) for key in reversed(list(value))}
        return value

    graph = graph_of(data)
    assert dump(render(graph), graph.name) == dump(render(graph_of(backwards(data))), graph.name)


@given(parsed_graphs(), st.data())
def test_a_document_that_is_lost_is_found_or_did_not_matter(graph: Graph, data: st.DataObject) -> None:
    """A lost allow rule is missing, a lost default deny is open; what changes nothing is not reported."""
    found = documents(graph)
    index = data.draw(st.integers(0, len(found) - 1))
    lost = found[index].document
    rest = audit(graph, found[:index] + found[index + 1 :], [point.name for point in concerned(graph)])
    points = {finding.point for finding in rest.findings}
    assert points <= {name for name, judge in JUDGES.items() if judge.recognises(lost)}


def test_each_row_has_a_mark_for_each_point() -> None:
    marks = {(row.caller, row.callee): row.points for row in audit(SHOP, documents(SHOP)).rows}
    everywhere = dict.fromkeys(("istio", "network_policy", "security_group", "spire"), "allowed")
    assert marks["web", "api"] == {**everywhere, "kong": "not_applicable"}
    assert marks["api", "db"] == {**everywhere, "kong": "not_applicable"}
    assert marks["kong", "api"]["kong"] == "allowed"
    assert marks["office", "web"]["spire"] == "allowed"
    assert marks["api", "api.openai.com"]["istio"] == "allowed"


def test_an_open_flow_names_its_policy_and_the_points_that_refuse_it() -> None:
    def open_wide(spec: Any) -> None:
        legacy = {"matchLabels": {"kubernetes.io/metadata.name": "legacy"}}
        spec["ingress"].append({"from": [{"namespaceSelector": legacy}], "ports": [{"port": 5432}]})

    found = audit(SHOP, edited(SHOP, "NetworkPolicy", "db", open_wide))
    (finding,) = found.to_data()["findings"]
    assert finding["kind"] == "open"
    assert finding["callers"] == ["any other workload of namespace legacy"]
    assert finding["elsewhere"] == {"istio": "refused", "security_group": "refused"}
    assert found.disagreements == 1
    assert finding["text"].startswith(
        "NetworkPolicy: any other workload of namespace legacy may reach db on TCP 5432, which the graph does not say, "
        "because of NetworkPolicy shop/db (network_policy/shop.yml); Istio"
    )


def test_a_missing_flow_marks_its_row_and_says_who_allows_it() -> None:
    def close(spec: Any) -> None:
        spec["ingress"] = []

    found = audit(SHOP, edited(SHOP, "NetworkPolicy", "db", close))
    (finding,) = found.to_data()["findings"]
    assert (finding["kind"], finding["callers"], finding["callee"]) == ("missing", ["api"], "db")
    assert "NetworkPolicy shop/db (network_policy/shop.yml)" in finding["causes"]
    assert finding["elsewhere"]["istio"] == "allowed"
    (row,) = [row for row in found.rows if (row.caller, row.callee) == ("api", "db")]
    assert row.points["network_policy"] == "missing"
    assert row.points["istio"] == "allowed"


def test_what_one_side_opens_and_the_other_refuses_is_not_open() -> None:
    """A NetworkPolicy needs both directions: the namespace's default deny holds its other workloads back."""

    def open_to_the_namespace(spec: Any) -> None:
        spec["ingress"].append({"from": [{"podSelector": {}}], "ports": [{"port": 5432}]})

    assert audit(SHOP, edited(SHOP, "NetworkPolicy", "db", open_to_the_namespace)).findings == []


def test_what_a_point_cannot_tell_apart_is_noted() -> None:
    """Services of one tier share a security group, and so what it opens: that is no finding, but it is said."""
    graph = graph_of(
        {
            "name": "shop",
            "trust_domain": "example.org",
            "aws": {},
            "callers": {"batch": {"namespace": "jobs", "calls": ["api"]}},
            "services": {
                "web": {"port": 8080, "tier": "front", "calls": ["api"]},
                "admin": {"port": 8081, "tier": "front"},
                "api": {"port": 3000},
            },
        }
    )
    found = audit(graph, documents(graph), ["security_group"])
    assert found.findings == []
    assert found.notes == [
        "AWS security groups: admin, web share a group, so TCP 3000 of api is open to 1 more than the graph says.",
        "AWS security groups: batch has no security group and no network, so its calls of api are not let in.",
    ]


def test_namespaces_are_selected_by_the_labels_of_their_objects() -> None:
    def open_to_team(spec: Any) -> None:
        spec["ingress"].append(
            {"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}], "ports": [{"port": 5432}]}
        )

    changed = edited(SHOP, "NetworkPolicy", "db", open_to_team)
    jobs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "jobs", "labels": {"team": "a"}}}
    found = audit(SHOP, [*changed, Sourced(jobs, "namespaces.yml")]).to_data()["findings"]
    assert [finding["callers"] for finding in found] == [["any other workload of namespace jobs"]]


def test_where_nothing_is_enforced_everybody_reaches_everybody_in_one_finding_each() -> None:
    graph = graph_of(generated(200, 5, 1))
    found = audit(graph, [], ["network_policy"])
    services = [finding for finding in found.findings if finding.callee in graph.services]
    assert {finding.kind for finding in found.findings} == {"open"}
    assert {finding.callee for finding in services} == set(graph.services)
    assert all(len(finding.callers) >= 200 for finding in services if str(finding.ports) == "1-65535")


def test_points_without_documents_are_noted_and_not_judged() -> None:
    found = audit(SHOP, [d for d in documents(SHOP) if JUDGES["istio"].recognises(d.document)])
    assert list(found.points) == ["istio"]
    assert len(found.notes) == len(POINTS) - 1
    assert audit(SHOP, [], ["network_policy"]).count("open") > 0


def test_the_objects_that_were_judged_are_counted_by_kind() -> None:
    """Kubernetes objects by kind, other files by their lists' names; somebody else's among them, of no point none."""
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "x"}, "spec": {}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}
    kong = {"_format_version": "3.0", "services": [], "plugins": [{"name": "cors"}, {"name": "acl"}]}
    found = audit(SHOP, [*map(Sourced, (policy, secret, policy, kong))], ["network_policy", "kong", "spire"]).to_data()
    assert {name: point["objects"] for name, point in found["points"].items()} == {
        "network_policy": {"NetworkPolicy": 2},
        "kong": {"plugins": 2, "services": 0},
        "spire": {},
    }


def test_every_point_has_both_of_its_halves() -> None:
    assert list(JUDGES) == list(POINTS)
