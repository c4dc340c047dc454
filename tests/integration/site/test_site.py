# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks, run for real on the inventories, into a build directory of the test's own.

A run takes seconds, so each test tells a whole story.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.ansible_run import Run, run_playbook, run_tasks

REPO = Path(__file__).resolve().parents[3]
OPEN_POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "debugging", "namespace": "tradingrobotplug"},
    "spec": {"podSelector": {"matchLabels": {"app": "postgres"}}, "ingress": [{}], "policyTypes": ["Ingress"]},
}


def run(playbook: str, build: Path, *arguments: str, inventory: str = "local", **variables: Any) -> Run:
    given = json.dumps({"zerotrust_build_dir": str(build), **variables})
    hosts = REPO / "inventories" / inventory / "hosts.yml"
    return run_playbook(REPO / "playbooks" / f"{playbook}.yml", "-e", given, *arguments, inventory=hosts)


def content(build: Path) -> dict[str, bytes]:
    return {str(path.relative_to(build)): path.read_bytes() for path in build.rglob("*") if path.is_file()}


def report(build: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((build / "report.json").read_text(encoding="utf-8"))
    return data


def written(done: Run) -> dict[str, list[str]]:
    """What the report's task has changed, or would change, and why."""
    (reported,) = [one for one in done.results if one["action"] == "zerotrust.platform.service_graph_report"]
    return {change["name"]: change["reasons"] for change in reported["plan"]["changes"]}


def succeeded(done: Run) -> Run:
    assert done.status == 0, done.output
    assert "[WARNING]" not in done.output
    assert "[DEPRECATION" not in done.output
    return done


def test_from_nothing_and_back(tmp_path: Path) -> None:
    """A check, a run, a second run, another check, and the teardown."""
    build = tmp_path / "build" / "local"

    first_check = succeeded(run("site", build, "--check", "--diff"))
    assert first_check.changed > 0
    assert list(tmp_path.iterdir()) == [], "a check makes nothing"
    assert "+kind: PeerAuthentication" in first_check.output
    assert "PRIVATE KEY" not in first_check.output
    assert written(first_check) == {"report.html": ["declared"], "report.json": ["declared"]}

    first = succeeded(run("site", build, "--diff"))
    assert first.changed == first_check.changed
    assert "PRIVATE KEY" not in first.output
    made = content(build)
    assert {
        "pki/ssl/ca-cert.pem",
        "pki/ssl/cert.pem",
        "pki/ssl/key.pem",
        "rendered/compose/docker-compose.production-hardened.yml",
        "rendered/istio/istio-system.yml",
        "rendered/kong/kong.yml",
        "rendered/network_policy/tradingrobotplug.yml",
        "rendered/security_group/security_groups.json",
        "rendered/spire/entries.json",
        "report.html",
        "report.json",
    } <= set(made)
    assert (build / "pki/ssl/key.pem").stat().st_mode & 0o777 == 0o600
    said = report(build)
    assert (said["missing"], said["open"]) == (0, 0)
    assert len(said["flows"]) == 12
    assert {one["name"] for one in said["certificates"]} == {"localhost", "development"}
    states = {one["name"]: one["state"] for one in said["systems"]}
    assert states == {
        **dict.fromkeys(("istio", "network_policy", "security_group", "kong", "spire"), "rendered"),
        "compose": "rendered",
        "pki": "applied",
    }
    assert "no host with a Docker engine is named (group stack)" in first.output
    assert "no cluster is configured (kubernetes_context)" in first.output

    second = succeeded(run("site", build))
    assert second.changed == 0
    assert content(build) == made, "the same bytes, the report's too"
    assert len(second.results) <= 10, "every task costs time"

    assert succeeded(run("site", build, "--check")).changed == 0

    # Check mode shows the report's very content.
    told = succeeded(run("site", build, "--check", "--diff", report_systems=[{"name": "dns", "reason": "by hand"}]))
    assert told.changed == 1
    assert written(told) == {"report.html": ["content"], "report.json": ["content"]}
    assert '+   "reason": "by hand"' in told.output

    succeeded(run("teardown", build))
    assert list(tmp_path.rglob("*")) == [tmp_path / "build"]


def test_a_plan_is_made_approved_and_done(tmp_path: Path) -> None:
    """Also: another plan than the approved one is refused, and overrides change what is made."""
    build = tmp_path / "local"
    planned = succeeded(run("plan", build))
    assert set(content(build)) == {"plan/service_graph.json", "plan/pki.json"}
    plan = json.loads((build / "plan" / "service_graph.json").read_text(encoding="utf-8"))
    approved = {
        f"{role}_plan_fingerprint": json.loads((build / "plan" / f"{role}.json").read_text(encoding="utf-8"))[
            "fingerprint"
        ]
        for role in ("service_graph", "pki")
    }
    assert all(f"-e {name}={value}" in planned.output.replace("\n", " ") for name, value in approved.items())
    assert plan["counts"] == {"create": 13, "update": 0, "delete": 0, "unchanged": 0}

    other = {"service_graph_overrides": {"services": {"api-service": {"calls": None}}}}
    refused = run("site", build, **approved, **other)
    assert refused.status != 0
    assert refused.last["reason"] == "plan_changed"
    assert set(content(build)) == {"plan/service_graph.json", "plan/pki.json"}

    succeeded(run("site", build, **approved))
    before = content(build)
    check = succeeded(run("site", build, "--check", "--diff", **other))
    assert content(build) == before
    assert written(check) == {"report.html": ["content"], "report.json": ["content"]}
    changed = succeeded(run("site", build, **other))
    assert changed.changed == check.changed
    assert written(changed) == written(check)
    assert changed.changed == 2, "documents and report; the certificates have nothing to do with it"
    assert {name for name, found in content(build).items() if found != before[name]} == {
        ".zerotrust-manifest.json",
        "rendered/.zerotrust-manifest.json",
        "rendered/istio/tradingrobotplug.yml",
        "rendered/network_policy/tradingrobotplug.yml",
        "rendered/security_group/security_groups.json",
        "report.html",
        "report.json",
    }
    assert len(report(build)["flows"]) == 11


def test_what_is_open_fails_the_run_and_is_in_the_report(tmp_path: Path) -> None:
    """Somebody else's policy among ours; and one of ours that was edited, which the next run repairs."""
    (tmp_path / "rendered").mkdir()
    foreign = tmp_path / "rendered" / "debugging.yml"
    foreign.write_text(yaml.safe_dump(OPEN_POLICY), encoding="utf-8")
    done = run("site", tmp_path)
    assert done.status != 0
    assert done.last["action"].endswith("assert")
    found = report(tmp_path)
    assert found["open"] > 0
    assert {cause for one in found["findings"] for cause in one["causes"]} == {
        "NetworkPolicy tradingrobotplug/debugging (debugging.yml)"
    }
    assert "tradingrobotplug/debugging" in (tmp_path / "report.html").read_text(encoding="utf-8")
    checked = run("site", tmp_path, "--check")
    assert (checked.status != 0, checked.changed) == (True, 0), "what is not ours is audited in check mode too"

    foreign.unlink()
    policies = tmp_path / "rendered" / "network_policy" / "tradingrobotplug.yml"
    intact = policies.read_text(encoding="utf-8")
    policies.write_text(intact.replace("port: 5432", "port: 5433"), encoding="utf-8")
    verified = run("verify", tmp_path)
    assert verified.status != 0
    assert "postgres" in verified.last["msg"]
    assert policies.read_text(encoding="utf-8") != intact, "verifying repairs nothing"

    succeeded(run("site", tmp_path))
    assert policies.read_text(encoding="utf-8") == intact
    succeeded(run("verify", tmp_path))


def test_a_broken_graph_fails_with_every_place_at_once(tmp_path: Path) -> None:
    graph = tmp_path / "service_graph.yml"
    graph.write_text(
        "name: shop\ntrust_domain: Example.org\nservices:\n  web:\n    port: 80\n    calls: [apii]\n"
        "  api:\n    port: 70000\n    metods: [GET]\n",
        encoding="utf-8",
    )
    done = run("site", tmp_path / "build", service_graph_src=str(graph))
    assert done.status != 0
    assert done.last["errors"] == [
        "service_graph.yml:2:1: trust_domain: 'Example.org' has upper-case letters (write example.org)",
        "service_graph.yml:6:13: services.web.calls[0].to: 'apii' is not a declared service (did you mean 'api'?)",
        "service_graph.yml:8:5: services.api.port: 70000 is not a port number from 1 to 65535",
        "service_graph.yml:9:5: services.api.metods: is not a known key (did you mean 'metrics'?)",
    ]
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(("inventory", "flows"), [("online_boutique", 17), ("production", 39)])
def test_the_other_inventories(inventory: str, flows: int, tmp_path: Path) -> None:
    """With every real call of Online Boutique; and the example to copy, without any password."""
    build = tmp_path / inventory
    succeeded(run("site", build, "--check", "--diff", inventory=inventory))
    assert not build.exists()
    succeeded(run("site", build, inventory=inventory))
    said = report(build)
    assert (said["missing"], said["open"], len(said["flows"])) == (0, 0, flows)
    assert (build / "spire" / "30-server.yml").exists() == (inventory == "production")


def test_the_report_says_what_is_wrong_with_its_documents(tmp_path: Path) -> None:
    """Some that cannot be read, some that are not there; and a report that somebody else has written."""
    graph = REPO / "inventories" / "local" / "service_graph.yml"
    (tmp_path / "broken.yml").write_text("a: [", encoding="utf-8")
    (tmp_path / "report.html").write_text("mine", encoding="utf-8")

    def report_task(**options: Any) -> dict[str, Any]:
        task = {"src": str(graph), "dest": str(tmp_path / "report"), **options}
        return {"zerotrust.platform.service_graph_report": task, "ignore_errors": True}

    done = run_tasks(
        tmp_path,
        report_task(documents=[str(tmp_path / "broken.yml")]),
        report_task(documents=[str(tmp_path / "none")]),
        report_task(dest=str(tmp_path)),
        {**report_task(dest=str(tmp_path)), "check_mode": True},
    )
    reasons = [result.get("reason") for result in done.results]
    assert reasons == ["bad_document", "no_such_path", "foreign_file", "foreign_file"]
    assert not (tmp_path / "report").exists()
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "mine"


def test_the_report_alone_audits_what_was_rendered_in_check_mode_too(tmp_path: Path) -> None:
    """Without the role that renders before it, whether the documents are up to date is not known."""
    graph = REPO / "inventories" / "local" / "service_graph.yml"
    given = {"report_src": str(graph), "report_build_dir": str(tmp_path / "build")}
    role = {"ansible.builtin.import_role": {"name": "zerotrust.platform.report"}, "vars": given}

    def reported(*arguments: str) -> dict[str, Any]:
        return dict(run_tasks(tmp_path, role, arguments=arguments).last)

    assert "rendered" in reported("--check")["msg"]
    render = {"src": str(graph), "dest": str(tmp_path / "build" / "rendered")}
    assert run_tasks(tmp_path, {"zerotrust.platform.service_graph": render}).status == 0
    check = reported("--check")
    assert (check["changed"], check["missing"], check["open"]) == (True, 0, 0)
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["rendered"]
    assert reported()["changed"] is True
    assert reported("--check")["changed"] is False
