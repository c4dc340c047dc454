# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubernetes_sync where controllers work: rollouts, namespaces that end, an account of few rights, kubectl."""

from __future__ import annotations

import copy
import json
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.ansible_run import run_tasks
from tests.live.api_server import ApiServer, start_api_server, start_controllers
from tests.live.processes import Processes
from tests.live.test_kubernetes_sync import Sync, counts, objects

REPO = Path(__file__).resolve().parents[2]
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
def server(tool: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("cluster")
    with Processes(folder / "logs") as running:
        found = start_api_server(running, tool, folder)
        start_controllers(running, tool, found)
        yield found


@pytest.fixture
def shop(server: ApiServer) -> str:
    return server.namespace(f"shop-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def sync(server: ApiServer, shop: str, tmp_path: Path) -> Sync:
    return Sync(server, shop, tmp_path)


@contextmanager
def kubelet(server: ApiServer, namespace: str) -> Iterator[None]:
    """Says of each pod of a namespace that it is ready, as nobody runs any."""
    done = threading.Event()
    ready = {
        "phase": "Running",
        "podIP": "10.0.0.9",
        "conditions": [{"type": kind, "status": "True"} for kind in ("Initialized", "ContainersReady", "Ready")],
    }

    def work() -> None:
        path = f"/api/v1/namespaces/{namespace}/pods"
        while not done.wait(0.1):
            for pod in server.call("GET", path)["items"]:
                if pod["status"].get("phase") != "Running":
                    server.call("PATCH", f"{path}/{pod['metadata']['name']}/status", {"status": ready}, MERGE)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_rollout_is_waited_for_and_told(sync: Sync, shop: str) -> None:
    documents = objects(shop)
    run = sync.run(documents, wait=True, wait_timeout=3)
    assert (run.status, run.last["reason"]) == (2, "timeout"), run.output
    assert f"Deployment.apps {shop}/web was not rolled out within 3 s: 0 of 2 replicas are available" in run.last["msg"]
    assert (
        "Available=False (MinimumReplicasUnavailable: Deployment does not have minimum availability.)"
        in (run.last["msg"])
    )
    # The policies come after the workloads.
    assert sync.get("/apis/networking.k8s.io/v1/{ns}/networkpolicies/web") is None
    newer = copy.deepcopy(documents)
    newer[0]["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example.org/web:2"
    given = {"wait": True, "wait_timeout": 60}
    asked = {
        "kind": "Deployment",
        "name": "web",
        "namespace": shop,
        "jsonpath": "{.status.readyReplicas}",
        "value": "2",
    }
    with kubelet(sync.server, shop):
        run = run_tasks(
            sync.folder,
            sync.task(documents, **given),
            sync.task(newer, wait_for=[asked], **given),
            sync.task(newer, wait_for=[asked], **given),
        )
    assert run.status == 0, run.output
    assert [result["changed"] for result in run.results] == [True, True, False]
    status = sync.get("/apis/apps/v1/{ns}/deployments/web")["status"]
    assert (status["updatedReplicas"], status["availableReplicas"]) == (2, 2)


def test_a_namespace_ends_and_comes_again(sync: Sync) -> None:
    name = f"other-{uuid.uuid4().hex[:8]}"
    documents = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, *objects(name)[1:3]]
    nothing = {"purge": True, "limits": {"delete": 100, "allow_empty": True}}
    run = run_tasks(
        sync.folder,
        sync.task(documents),
        sync.task([], **nothing),
        sync.task(documents),
        sync.task(documents),
    )
    assert run.status == 0, run.output
    assert [counts(result) for result in run.results] == [(4, 0, 0, 0), (0, 0, 4, 0), (4, 0, 0, 0), (0, 0, 0, 3)]
    # Somebody deletes it, and something in it keeps it.
    path = f"/api/v1/namespaces/{name}/services/web"
    sync.server.call("PATCH", path, {"metadata": {"finalizers": ["example.org/hold"]}}, MERGE)
    sync.server.call("DELETE", f"/api/v1/namespaces/{name}")
    run = sync.run(documents, wait_timeout=1)
    assert run.status == 2, run.output
    assert f"Namespace {name} was not gone within 1 s: objects are left in it" in run.last["msg"]
    # In a namespace that is not declared, what is not there cannot be made.
    account = objects(name)[4:5]
    run = sync.run(account, apply_set="third")
    assert (run.status, run.last["reason"]) == (2, "namespace_terminating"), run.output
    assert (
        f"ServiceAccount {name}/web: the namespace {name} is being deleted; run again when it is gone"
        in run.last["msg"]
    )
    timer = threading.Timer(1, sync.server.call, ("PATCH", path, {"metadata": {"finalizers": None}}, MERGE))
    timer.start()
    run = sync.run(documents, wait_timeout=60)
    timer.join()
    assert (run.status, counts(run.last)) == (0, (3, 0, 0, 0)), run.output


def test_a_finalizer_that_hangs_is_named(sync: Sync, shop: str) -> None:
    documents = objects(shop)[1:3]
    assert sync.run(documents).status == 0
    path = f"/api/v1/namespaces/{shop}/services/web"
    sync.server.call("PATCH", path, {"metadata": {"finalizers": ["example.org/hold"]}}, MERGE)
    run = sync.run(documents[1:], purge=True, wait_timeout=1)
    assert (run.status, run.last["reason"]) == (2, "timeout"), run.output
    assert (
        f"Service {shop}/web was not gone within 1 s: the finalizer example.org/hold must be removed by"
        in (run.last["msg"])
    )
    # It is not gone, so it is still to be deleted.
    run = sync.run(documents[1:], purge=True, check=True)
    assert counts(run.last)[2] == 1
    sync.server.call("PATCH", path, {"metadata": {"finalizers": None}}, MERGE)
    run = sync.run(documents[1:], purge=True)
    assert (run.status, counts(run.last)) == (0, (0, 1, 0, 1)), run.output


def rights() -> list[dict[str, Any]]:
    """The manifests of the guide."""
    guide = (REPO / "docs" / "guides" / "kubernetes.md").read_text(encoding="utf-8")
    text = guide.partition("# The account that runs the sync.\n")[2].partition("```")[0]
    return list(yaml.safe_load_all(text))


def test_the_rights_of_the_guide_are_enough_and_no_more(sync: Sync, shop: str) -> None:
    for document in rights():
        plural = {"ServiceAccount": "serviceaccounts", "Role": "roles", "RoleBinding": "rolebindings"}[document["kind"]]
        text = json.dumps(document).replace('"shop"', f'"{shop}"')
        group = document["apiVersion"]
        base = f"/api/{group}" if group == "v1" else f"/apis/{group}"
        sync.server.call("POST", f"{base}/namespaces/{shop}/{plural}", json.loads(text))
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = f"/api/v1/namespaces/{shop}/serviceaccounts/zerotrust-sync/token"
    token = sync.server.call("POST", path, request)["status"]["token"]
    access = {"kubeconfig": None, "host": sync.server.url, "api_key": token, "ca_cert": str(sync.server.ca_file)}
    policies = objects(shop)[3:4]
    run = run_tasks(
        sync.folder,
        sync.task(policies, check=True, **access),
        sync.task(policies, **access),
        sync.task(policies, **access),
        sync.task([], purge=True, limits={"delete": 100, "allow_empty": True}, **access),
    )
    assert run.status == 0, run.output
    assert [result["changed"] for result in run.results] == [True, True, False, True]
    run = sync.run(objects(shop)[4:5], **access)
    assert (run.status, run.last["reason"]) == (2, "forbidden"), run.output
    assert token not in run.output


def kubectl(tool: Callable[..., Path], server: ApiServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(tool("kubernetes", "kubectl")), f"--kubeconfig={server.kubeconfig()}", *arguments],
        env={"KUBECTL_APPLYSET": "true", "HOME": str(server.folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_kubectl_understands_our_sets_and_we_understand_its(tool: Callable[..., Path], sync: Sync, shop: str) -> None:
    documents = objects(shop)[1:3]
    assert sync.run(documents).status == 0
    path = sync.folder / "one.yml"
    path.write_text(yaml.safe_dump_all(documents[:1]), encoding="utf-8")
    apply = ["apply", "--server-side", "-n", shop, "-f", str(path), "--prune"]
    refused = kubectl(tool, sync.server, *apply, "--applyset=web-shop")
    assert refused.returncode != 0
    assert 'is managed by tooling "zerotrust.platform" instead of "kubectl"' in refused.stderr
    # Once it is told that the set is its own, it finds and prunes what we have made.
    parent = f"/api/v1/namespaces/{shop}/secrets/web-shop"
    tooling = {"metadata": {"annotations": {"applyset.kubernetes.io/tooling": "kubectl/v1.36.3"}}}
    sync.server.call("PATCH", parent, tooling, MERGE)
    pruned = kubectl(tool, sync.server, *apply, "--applyset=web-shop", "--force-conflicts")
    assert pruned.returncode == 0, pruned.stderr
    assert "secret/login pruned" in pruned.stdout
    assert sync.get("/api/v1/{ns}/services/web") is not None
    run = sync.run(documents)
    assert (run.status, run.last["reason"]) == (2, "foreign_owner"), run.output
    assert "is the set of 'kubectl/" in run.last["msg"]
