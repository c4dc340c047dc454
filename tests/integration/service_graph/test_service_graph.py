# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules service_graph and service_graph_audit and the filters, run by real ansible-playbook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.ansible_run import Run, run_tasks

GRAPH = """\
name: shop
trust_domain: example.org
aws: {}
services:
  web:
    port: 8080
    calls: [{to: api, methods: [GET], paths: [/api/*]}]
  api:
    port: 3000
    calls: [db]
  db:
    port: 5432
    protocol: tcp
"""


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "service_graph.yml"
    path.write_text(GRAPH, encoding="utf-8")
    return path


def service_graph(src: Path, **options: Any) -> dict[str, Any]:
    return {"zerotrust.platform.service_graph": {"src": str(src), **options}}


def service_graph_audit(src: Path, **options: Any) -> dict[str, Any]:
    return {"zerotrust.platform.service_graph_audit": {"src": str(src), **options}}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def ok(run: Run) -> Run:
    assert run.status == 0, run.output
    return run


def test_check_first_run_second_run_and_removal(graph: Path, tmp_path: Path) -> None:
    dest = tmp_path / "rendered"
    task = service_graph(graph, dest=str(dest))

    check = ok(run_tasks(tmp_path, task, arguments=["--check", "--diff"]))
    assert not dest.exists()
    first = ok(run_tasks(tmp_path, task))
    assert first.last["plan"] == check.last["plan"]
    assert first.last["plan"]["counts"]["create"] == len(contents(dest)) - 1  # without the manifest
    assert first.last["graph"] == {
        "name": "shop",
        "trust_domain": "example.org",
        "namespaces": ["shop"],
        "services": 3,
        "flows": 2,
    }
    before = contents(dest)
    second = ok(run_tasks(tmp_path, task))
    assert second.changed == 0
    assert contents(dest) == before

    (dest / "foreign.txt").write_text("mine", encoding="utf-8")
    removed = ok(run_tasks(tmp_path, service_graph(graph, dest=str(dest), state="absent")))
    assert removed.last["plan"]["foreign"] == ["foreign.txt"]
    assert contents(dest) == {"foreign.txt": b"mine"}


def test_stale_files_go_and_edited_files_come_back(graph: Path, tmp_path: Path) -> None:
    dest = tmp_path / "rendered"
    ok(run_tasks(tmp_path, service_graph(graph, dest=str(dest))))
    before = contents(dest)
    policy = dest / "network_policy" / "shop.yml"
    policy.write_text("{}\n", encoding="utf-8")
    again = ok(run_tasks(tmp_path, service_graph(graph, dest=str(dest))))
    assert [change["reasons"] for change in again.last["plan"]["changes"]] == [["edited"]]
    assert contents(dest) == before

    ok(run_tasks(tmp_path, service_graph(graph, dest=str(dest), overrides={"namespace": "other"})))
    assert not policy.exists()
    assert (dest / "network_policy" / "other.yml").exists()


def test_every_mistake_is_reported_and_nothing_is_written(graph: Path, tmp_path: Path) -> None:
    graph.write_text(GRAPH.replace("to: api", "to: apii").replace("5432", "70000"), encoding="utf-8")
    dest = tmp_path / "rendered"
    run = run_tasks(tmp_path, service_graph(graph, dest=str(dest)))
    assert run.status != 0
    assert run.last["errors"] == [
        "service_graph.yml:7:14: services.web.calls[0].to: 'apii' is not a declared service (did you mean 'api'?)",
        "service_graph.yml:12:5: services.db.port: 70000 is not a port number from 1 to 65535",
    ]
    assert "Traceback" not in run.output
    assert not dest.exists()


@pytest.mark.parametrize("check", [False, True])
def test_documents_that_cannot_be_validated_are_not_written(graph: Path, tmp_path: Path, check: bool) -> None:
    dest = tmp_path / "rendered"
    valid = service_graph(graph, dest=str(dest), validate=True)
    run = run_tasks(
        tmp_path,
        valid | {"check_mode": True},
        service_graph(graph, dest=str(dest), validate=True, kubernetes_version="1.3") | {"check_mode": check},
    )
    assert run.results[0]["changed"]
    assert run.status != 0
    assert "1.3" in run.last["msg"]
    assert not dest.exists()


def test_t19_a_new_trust_domain_is_said_loudly(graph: Path, tmp_path: Path) -> None:
    dest = tmp_path / "rendered"
    ok(run_tasks(tmp_path, service_graph(graph, dest=str(dest))))
    run = ok(run_tasks(tmp_path, service_graph(graph, dest=str(dest), overrides={"trust_domain": "example.com"})))
    said = " ".join(run.output.split())
    assert "The trust domain changes from example.org to example.com: all 3 identities change" in said


def test_t25_two_graphs_do_not_share_a_directory(graph: Path, tmp_path: Path) -> None:
    dest = tmp_path / "rendered"
    ok(run_tasks(tmp_path, service_graph(graph, dest=str(dest))))
    before = contents(dest)
    run = run_tasks(tmp_path, service_graph(graph, dest=str(dest), overrides={"name": "other"}))
    assert run.status != 0
    assert run.last["reason"] == "foreign_owner"
    assert contents(dest) == before


def test_t17_jinja_in_a_graph_stays_text(graph: Path, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    graph.write_text(
        GRAPH + f"""    labels: {{app: "{{{{ lookup('pipe', 'touch {witness}') }}}}"}}\n""", encoding="utf-8"
    )
    run = run_tasks(tmp_path, service_graph(graph))
    assert run.status != 0
    assert "services.db.labels.app: \"{{ lookup('pipe', 'touch" in run.last["msg"]
    assert not witness.exists()


def test_a_missing_graph_is_one_sentence(tmp_path: Path) -> None:
    run = run_tasks(tmp_path, service_graph(tmp_path / "nowhere.yml"))
    assert run.status != 0
    assert run.last["msg"].endswith("nowhere.yml: the service graph cannot be read: No such file or directory")


def test_only_the_approved_plan_is_applied(graph: Path, tmp_path: Path) -> None:
    dest, plan_file = tmp_path / "rendered", tmp_path / "plan.json"
    planned = ok(
        run_tasks(tmp_path, service_graph(graph, dest=str(dest), plan_file=str(plan_file)), arguments=["--check"])
    )
    fingerprint = json.loads(plan_file.read_text(encoding="utf-8"))["fingerprint"]
    assert fingerprint == planned.last["plan"]["fingerprint"]
    options = {"dest": str(dest), "plan_fingerprint": fingerprint}
    refused = run_tasks(tmp_path, service_graph(graph, overrides={"namespace": "other"}, **options))
    assert refused.last["reason"] == "plan_changed"
    assert not dest.exists()
    assert ok(run_tasks(tmp_path, service_graph(graph, **options))).changed == 1


def test_audit_of_rendered_documents_finds_nothing(graph: Path, tmp_path: Path) -> None:
    dest, answer = tmp_path / "rendered", tmp_path / "audit.json"
    judge = service_graph_audit(graph, documents=[str(dest)], dest=str(answer))
    first = ok(run_tasks(tmp_path, service_graph(graph, dest=str(dest)), judge))
    assert (first.last["missing"], first.last["open"]) == (0, 0)
    assert first.last["changed"]
    assert ok(run_tasks(tmp_path, judge)).changed == 0
    rows = json.loads(answer.read_text(encoding="utf-8"))["flows"]
    assert [(row["caller"], row["callee"], set(row["points"].values())) for row in rows] == [
        ("web", "api", {"allowed"}),
        ("api", "db", {"allowed"}),
    ]


def test_audit_without_documents_judges_the_rendering(graph: Path, tmp_path: Path) -> None:
    run = ok(run_tasks(tmp_path, service_graph_audit(graph)))
    assert set(run.last["points"]) == {"istio", "network_policy", "security_group", "spire"}
    assert run.last["notes"] == []


def test_audit_judges_documents_that_somebody_else_wrote(graph: Path, tmp_path: Path) -> None:
    """A directory as it lies about: one policy that opens the database to its namespace, and other things."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    policies = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {}},
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "db", "namespace": "shop"},
            "spec": {
                "podSelector": {"matchLabels": {"app": "db"}},
                "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 5432}]}],
            },
        },
    ]
    (folder / "all.yml").write_text(yaml.safe_dump_all(policies), encoding="utf-8")
    answer = tmp_path / "audit.json"
    run = run_tasks(tmp_path, service_graph_audit(graph, documents=[str(folder)], dest=str(answer)))
    assert run.status != 0
    assert list(run.last["points"]) == ["network_policy"]
    opened = [finding for finding in run.last["findings"] if finding["callee"] == "db" and finding["kind"] == "open"]
    assert [(finding["callers"], finding["ports"], finding["causes"]) for finding in opened] == [
        (["any other workload of namespace shop", "db", "web"], "5432", ["NetworkPolicy shop/db (all.yml)"])
    ]
    assert json.loads(answer.read_text(encoding="utf-8"))["open"] == run.last["open"]
    tolerated = ok(run_tasks(tmp_path, service_graph_audit(graph, documents=[str(folder)], fail_on=[])))
    assert tolerated.last["open"] == run.last["open"]


def test_filters_render_and_list_flows(graph: Path, tmp_path: Path) -> None:
    run = ok(
        run_tasks(
            tmp_path,
            {
                "ansible.builtin.debug": {
                    "msg": {
                        "keys": "{{ graph | zerotrust.platform.render('spire') | map('list') }}",
                        "flows": "{{ graph | zerotrust.platform.flows | map(attribute='callee') }}",
                    }
                },
                "vars": {"graph": f"{{{{ lookup('ansible.builtin.file', '{graph}') | from_yaml }}}}"},
            },
        )
    )
    assert run.last["msg"] == {"keys": [["entries"]], "flows": ["api", "db"]}


def test_a_filter_reports_every_mistake(tmp_path: Path) -> None:
    run = run_tasks(
        tmp_path,
        {
            "ansible.builtin.debug": {
                "msg": "{{ {'name': 'a', 'services': {'b': {'prt': 1}}} | zerotrust.platform.render }}"
            }
        },
    )
    assert run.status != 0
    assert "lacks 'trust_domain'" in run.last["msg"]
    assert "services.b.prt: is not a known key (did you mean 'port'?)" in run.last["msg"]
