# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubernetes_sync by ansible-playbook: several clusters, the environment, and what a result shows."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.integration.ansible_run import LOCAL, run_playbook, run_tasks
from tests.unit.kubernetes.api import Api, api

SECRET = base64.b64encode(b"correct horse").decode()
DOCUMENTS = [
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}, "data": {"x": "1"}},
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "b", "namespace": "shop"}, "data": {"x": SECRET}},
]


@pytest.fixture
def clusters(tmp_path: Path) -> Iterator[dict[str, Api]]:
    """Two servers, and a kubeconfig with a context for each."""
    with api() as europe, api() as america:
        found = {"eu": europe, "us": america}
        config = {
            "clusters": [{"name": name, "cluster": {"server": server.url}} for name, server in found.items()],
            "users": [{"name": name, "user": {"token": f"EXAMPLE-{name}"}} for name in found],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in found],
        }
        (tmp_path / "config").write_text(yaml.safe_dump(config), encoding="utf-8")
        (tmp_path / "documents.yml").write_text(yaml.safe_dump_all(DOCUMENTS), encoding="utf-8")
        yield found


def test_several_clusters_are_hosts_of_an_inventory(
    clusters: dict[str, Api], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", str(tmp_path / "config"))
    for name, server in clusters.items():
        server.token = f"EXAMPLE-{name}"
    inventory = tmp_path / "hosts.ini"
    local = LOCAL.partition(" ")[2].strip()
    inventory.write_text("".join(f"{name} cluster_context={name} {local}\n" for name in clusters), encoding="utf-8")
    task = {"src": [str(tmp_path / "documents.yml")], "apply_set": "shop"}
    play = {
        "hosts": "all",
        "gather_facts": False,
        "serial": 1,
        "module_defaults": {"group/zerotrust.platform.kubernetes": {"context": "{{ cluster_context }}"}},
        "tasks": [{"zerotrust.platform.kubernetes_sync": task}],
    }
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    run = run_playbook(playbook, inventory=inventory)
    assert run.status == 0, run.output
    assert [result["plan"]["counts"]["create"] for result in run.results] == [3, 3]
    for server in clusters.values():
        assert server.objects["/api/v1/namespaces/shop/configmaps/a"]["data"] == {"x": "1"}


def test_a_diff_has_our_fields_only_and_no_secret(clusters: dict[str, Api], tmp_path: Path) -> None:
    task = {
        "kubeconfig": str(tmp_path / "config"),
        "context": "eu",
        "src": [str(tmp_path / "documents.yml")],
        "apply_set": "shop",
    }
    assert run_tasks(tmp_path, {"zerotrust.platform.kubernetes_sync": task}).status == 0
    live = clusters["eu"].objects["/api/v1/namespaces/shop/configmaps/a"]
    live["metadata"]["labels"]["theirs"] = "1"
    live["data"] = {"x": "2", "theirs": "1"}
    clusters["eu"].objects["/api/v1/namespaces/shop/secrets/b"]["data"]["x"] = base64.b64encode(b"other").decode()
    changed = {"zerotrust.platform.kubernetes_sync": task, "diff": True}
    run = run_tasks(tmp_path, changed, arguments=["--check"])
    assert run.status == 0, run.output
    shown = [line for line in run.output.splitlines() if line.startswith(("+", "-"))]
    assert '-    "x": "2"' in shown
    assert '+    "x": "1"' in shown
    changes = {change["kind"]: change["reasons"] for change in run.last["plan"]["changes"]}
    assert changes == {"ConfigMap": ["data.x"], "Secret": ["data.x"]}
    for said in ("theirs", "managedFields", "zerotrust.platform/applied", "resourceVersion", '"uid"'):
        assert said not in run.output
    assert SECRET not in run.output
    assert base64.b64encode(b"other").decode() not in run.output


def test_an_inline_secret_is_not_shown_and_all_else_is(clusters: dict[str, Api], tmp_path: Path) -> None:
    plain = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "d"}, "stringData": {"x": "correct horse"}}
    task = {
        "kubeconfig": str(tmp_path / "config"),
        "context": "eu",
        "definition": [*DOCUMENTS, plain],
        "namespace": "shop",
        "apply_set": "shop",
    }
    run = run_tasks(tmp_path, {"zerotrust.platform.kubernetes_sync": task}, arguments=["-vvv", "--diff"])
    assert run.status == 0, run.output
    assert [change["name"] for change in run.last["plan"]["changes"] if change["kind"] == "Secret"] == [
        "shop/b",
        "shop/d",
    ]
    assert "module_args" in run.output
    for secret in (SECRET, "correct horse"):
        assert secret not in run.output
