# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role network_policies and the playbooks that use it, on the local inventory, against a real kube-apiserver."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.ansible_run import Run, run_playbook
from tests.live.api_server import ApiServer, start_api_server
from tests.live.processes import Processes

REPO = Path(__file__).resolve().parents[2]
NAMESPACE = "tradingrobotplug"
POLICIES = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"
OURS = ["allow-dns", "allow-istiod", "api-service", "default-deny", "fastapi", "flask", "frontend", "postgres"]
FOREIGN = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "theirs"},
    "spec": {"podSelector": {"matchLabels": {"app": "theirs"}}, "policyTypes": ["Ingress"]},
}


@pytest.fixture(scope="module")
def server(tool: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("cluster")
    with Processes(folder / "logs") as running:
        server = start_api_server(running, tool, folder)
        server.namespace(NAMESPACE)
        yield server


def names(server: ApiServer) -> list[str]:
    return sorted(item["metadata"]["name"] for item in server.call("GET", POLICIES)["items"])


def synced(done: Run) -> dict[str, Any]:
    (found,) = [one for one in done.results if one["action"] == "zerotrust.platform.kubernetes_sync"]
    return found


def test_the_playbooks_plan_apply_verify_and_take_back(server: ApiServer, tmp_path: Path) -> None:
    build = tmp_path / "build" / "local"

    def run(playbook: str, *arguments: str, **variables: Any) -> Run:
        given = {"zerotrust_build_dir": str(build), "kubernetes_kubeconfig": str(server.kubeconfig()), **variables}
        hosts = REPO / "inventories" / "local" / "hosts.yml"
        return run_playbook(
            REPO / "playbooks" / f"{playbook}.yml", "-e", json.dumps(given), *arguments, inventory=hosts
        )

    def ok(playbook: str, *arguments: str, **variables: Any) -> Run:
        done = run(playbook, *arguments, **variables)
        assert done.status == 0, done.output
        assert "[WARNING]" not in done.output
        return done

    server.call("POST", POLICIES, FOREIGN)
    planned = ok("plan")
    fingerprint = synced(planned)["plan"]["fingerprint"]
    assert f"-e network_policies_plan_fingerprint={fingerprint}" in planned.output
    assert names(server) == ["theirs"]

    checked = ok("site", "--check", "--diff")
    assert "+kind: NetworkPolicy" in checked.output
    assert names(server) == ["theirs"]

    first = ok("site", network_policies_plan_fingerprint=fingerprint)
    assert synced(first)["plan"]["fingerprint"] == synced(checked)["plan"]["fingerprint"] == fingerprint
    assert names(server) == sorted([*OURS, "theirs"])
    report = json.loads((build / "report.json").read_text(encoding="utf-8"))
    (system,) = [one for one in report["systems"] if one["name"] == "network_policy"]
    assert system["state"] == "applied"

    second = synced(ok("site"))
    assert (second["changed"], second["plan"]["counts"]["unchanged"]) == (False, len(OURS))
    ok("verify")

    # Somebody opens the database.
    patch = {"spec": {"ingress": [{}]}}
    server.call("PATCH", f"{POLICIES}/postgres?fieldManager=edit", patch, "application/merge-patch+json")
    drifted = run("verify")
    assert drifted.status != 0
    assert "postgres" in drifted.output
    refused = run("site")
    assert (refused.status, synced(refused)["reason"]) == (2, "field_conflict"), refused.output
    ok("site", network_policies_force_conflicts=True)
    ok("verify")

    # A service goes, and its policy with it.
    ok("site", service_graph_overrides={"services": {"fastapi": None}})
    assert names(server) == sorted({*OURS, "theirs"} - {"fastapi"})

    ok("teardown")
    assert names(server) == ["theirs"]
