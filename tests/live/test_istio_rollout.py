# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running system comes under its graph, and then under another revision of Istio, while it answers.

The workloads of the local graph, in two namespaces, are there before Istio is. Requests that the graph declares are
sent all the while, and none fails: neither in plain text, nor through sidecars.
"""

from __future__ import annotations

import shlex
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph

from tests.integration.ansible_run import Run, run_tasks
from tests.live.test_mesh import GRAPH, REQUESTS, STABLE, Mesh, allowed, certificate, mesh, stable, workloads

__all__ = ["mesh"]

OWN, OTHER = "tradingrobotplug", "analytics"
OVERRIDES = {"services": {"flask": {"namespace": OTHER}}}
CALLERS = {
    "frontend": (OWN, "frontend"),
    "stranger": (OWN, "stranger"),
    "prometheus": ("monitoring", "prometheus"),
}
CANARY = {"istio_revision": "canary"}
FORMER = {"istio_revision": "1-31-0", "istio_revision_tags": ["stable"]}
TAGGED = {"istio.io/rev": "stable"}
SECURITY = "/apis/security.istio.io/v1"


@pytest.fixture(scope="module")
def running(mesh: Mesh) -> Mesh:
    """Workloads that know nothing of a mesh."""
    found = replace(mesh, graph=read_graph(str(GRAPH), OVERRIDES))
    for namespace in (OWN, OTHER, "monitoring", "outside"):
        found.server.namespace(namespace)
    label = {"metadata": {"labels": TAGGED}}
    found.server.call("PATCH", "/api/v1/namespaces/monitoring", label, "application/merge-patch+json")
    for path, body in workloads(found.graph):
        found.server.call("POST", path, body)
    found.node.until_ready(len(found.graph.services) + 3)
    # They have no probe: ready is not yet listening.
    assert {stable(request(found, *flow)) for flow in allowed(found.graph)} == {"200"}
    return found


def role(mesh: Mesh, **variables: Any) -> Run:
    return mesh.role(**{"istio_graph_overrides": OVERRIDES, "istio_analyze": False, **FORMER, **variables})


def graph_alone(mesh: Mesh, **variables: Any) -> Run:
    """Istio is left as it is."""
    return role(mesh, istio_version="", istio_apply=True, **variables)


def request(mesh: Mesh, caller: str, callee: str, method: str = "GET", path: str = "/api/items") -> list[str]:
    """By the pod's address, which leads there without a sidecar too."""
    service = mesh.graph.services[callee]
    host, port = f"{callee}.{service.namespace}.svc.cluster.local", service.ports[0].number
    where = f"{host}:{port}:{mesh.node.pod(service.namespace, callee).address}:{service.ports[0].target}"
    url = f"http://{host}:{port}{path}"
    return mesh.ask(*CALLERS[caller], "--max-time", "30", "--connect-to", where, "--request", method, url)


@contextmanager
def traffic(mesh: Mesh) -> Iterator[None]:
    """Each declared flow is used all the while, and none fails."""
    commands = {flow: request(mesh, *flow) for flow in allowed(mesh.graph)}
    said: Counter[tuple[tuple[str, ...], str]] = Counter()
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            for flow, command in commands.items():
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                said[flow, f"{done.stdout} {done.returncode}"] += 1
            stop.wait(0.3)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert set(said) == {(flow, "200 0") for flow in commands}, said
    print(f"{sum(said.values())} requests were answered, the last at {time.strftime('%T')}")


def restart(mesh: Mesh, *names: tuple[str, str]) -> None:
    """Pods are made anew, and so with the sidecar that their namespace asks for."""
    number, former = len(mesh.node.pods), [mesh.node.pod(*name) for name in names]
    for pod in former:
        mesh.server.call("DELETE", f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}")
    while {pod.uid for pod in former} & set(mesh.node.pods) or len(mesh.node.pods) < number:
        time.sleep(0.05)
    mesh.node.until_ready(number)


def ends(mesh: Mesh) -> list[tuple[str, str]]:
    return [(one.namespace, name) for name, one in mesh.graph.services.items()]


def modes(mesh: Mesh) -> dict[str, str]:
    found = mesh.server.call("GET", f"{SECURITY}/peerauthentications")["items"]
    return {one["metadata"]["namespace"]: one["spec"]["mtls"]["mode"] for one in found}


def policies(mesh: Mesh, namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = mesh.server.call("GET", f"{SECURITY}/namespaces/{namespace}/authorizationpolicies")[
        "items"
    ]
    return found


def test_a_running_system_comes_under_its_graph_without_a_failed_request(running: Mesh) -> None:
    # Istio is installed, and as no workload has a sidecar yet, nothing is enforced.
    with traffic(running):
        early = role(running, istio_rollout=True)
    assert early.status == 2, early.output
    said = early.results[-2]["msg"]
    assert said.startswith("Nothing is enforced, as the graph's workloads are not ready for it: Pod "), said
    assert all(f"Pod {namespace}/{name}-" in said for namespace, name in ends(running))
    assert said.count(" has no sidecar") == len(ends(running))
    assert set(modes(running).values()) == {"PERMISSIVE"}
    assert policies(running, OWN) == policies(running, OTHER) == []

    restart(running, *ends(running), CALLERS["stranger"], CALLERS["prometheus"])

    # A dry run tells what would be refused.
    with traffic(running):
        dry = graph_alone(running, istio_rollout=True, istio_dry_run=True)
    assert dry.status == 0, dry.output
    assert {one["metadata"]["annotations"]["istio.io/dry-run"] for one in policies(running, OWN)} == {"true"}
    assert stable(request(running, "stranger", "api-service")) == "200"
    assert shadow_denied(running, OWN, "api-service") >= STABLE
    assert graph_alone(running, istio_rollout=True, istio_dry_run=True).changed == 0

    # What goes only in plain text breaks as its namespace, the second one, is enforced: that step alone is rolled back.
    plain = running.ask("outside", "legacy", f"http://{running.node.pod(OWN, 'fastapi').address}:8001/")
    with traffic(running):
        broken = graph_alone(
            running,
            istio_rollout=True,
            istio_confirm=True,
            istio_confirm_commands=[shlex.join([*plain, "--fail"])],
            istio_confirm_timeout=10,
        )
    assert broken.status == 2, broken.output
    assert "not confirmed within 10 s" in broken.output
    assert modes(running) == {OTHER: "STRICT", OWN: "PERMISSIVE", "istio-system": "PERMISSIVE"}
    task = {
        "kubeconfig": str(running.server.kubeconfig()),
        "graph": {"src": str(GRAPH), "overrides": OVERRIDES, "points": ["istio"], "pending": [OWN]},
        "apply_set": f"{OWN}-istio",
        "purge": True,
    }
    before = run_tasks(running.folder, {"zerotrust.platform.kubernetes_sync": task, "check_mode": True})
    assert (before.status, before.changed) == (0, 0), before.output
    assert stable(plain) == "200"

    confirm = [shlex.join([*request(running, *flow), "--fail"]) for flow in sorted(allowed(running.graph))]
    with traffic(running):
        done = graph_alone(running, istio_rollout=True, istio_confirm=True, istio_confirm_commands=confirm)
    assert done.status == 0, done.output
    assert set(modes(running).values()) == {"STRICT"}
    assert stable(plain) == "refused"
    declared = allowed(running.graph)
    asked = {(caller, "api-service", *one) for caller in CALLERS for one in REQUESTS} | declared
    found = {flow: stable(request(running, *flow)) for flow in asked}
    assert {flow for flow, said in found.items() if said == "200"} == declared, found
    again = graph_alone(running)
    assert (again.status, again.changed) == (0, 0), again.output


def shadow_denied(mesh: Mesh, namespace: str, name: str) -> int:
    """How many requests a sidecar would have refused."""
    command = ["nsenter", "-t", str(mesh.node.pod(namespace, name).pid), "-n", "curl", "--silent"]
    stats = subprocess.check_output([*command, "http://127.0.0.1:15000/stats?filter=shadow_denied"], text=True)
    return sum(int(line.rpartition(" ")[2]) for line in stats.splitlines())


def asks_for(mesh: Mesh, namespace: str) -> dict[str, str]:
    """The labels by which a namespace asks for sidecars."""
    labels = mesh.server.call("GET", f"/api/v1/namespaces/{namespace}")["metadata"]["labels"]
    return {key: value for key, value in labels.items() if "istio" in key}


def revision(mesh: Mesh, namespace: str, name: str) -> str:
    """Of the control plane that has given a pod its sidecar."""
    return str(mesh.node.pod(namespace, name).document["metadata"]["annotations"]["istio.io/rev"])


def control_planes(mesh: Mesh) -> dict[str, set[str]]:
    """What there is of istiod, by revision."""
    found: dict[str, set[str]] = {}
    for path in (
        "/apis/apps/v1/namespaces/istio-system/deployments",
        "/api/v1/namespaces/istio-system/configmaps",
        "/api/v1/namespaces/istio-system/services",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    ):
        for one in mesh.server.call("GET", path)["items"]:
            name = one["metadata"]["name"]
            for known in ("1-31-0", "canary"):
                if f"-{known}" in name:
                    found.setdefault(known, set()).add(name.replace(known, "*"))
    return found


def test_a_canary_takes_over_by_its_tag(running: Mesh) -> None:
    theirs = {"metadata": {"name": "theirs-1-31-0", "labels": {"istio.io/rev": "1-31-0", "app": "istiod"}}}
    running.server.call("POST", "/api/v1/namespaces/istio-system/configmaps", theirs)
    with traffic(running):
        both = role(running, **CANARY, istio_revision_tags=[], istio_gateway_revision="1-31-0")
        assert both.status == 0, both.output
        found = control_planes(running)
        assert found["canary"] == found["1-31-0"] - {"theirs-*"}
        assert asks_for(running, OWN) == {"istio.io/rev": "1-31-0"}
        moved = role(running, **CANARY)
        assert moved.status == 0, moved.output
        assert asks_for(running, OWN) == TAGGED
    assert revision(running, *CALLERS["frontend"]) == "1-31-0"
    # There is no kubelet here that forwards ports to istiod, and so nobody knows what runs.
    unknown = role(running, **CANARY, istio_check_skew=True)
    assert "istioctl cannot tell which releases run in the cluster: " in unknown.output
    assert unknown.changed == 0
    wanted = role(running, **CANARY, istio_removed_revisions=["canary"])
    assert "istio_removed_revisions names canary, and istio_revision is canary" in wanted.output
    assert wanted.changed == 0
    restart(running, *ends(running), CALLERS["prometheus"])
    assert {revision(running, *end) for end in ends(running)} == {"canary"}
    with traffic(running):
        files = certificate(running.folder, "tradingrobotplug.com")
        # The analysis misses the gateway's certificate, if there is none.
        given = {"istio_certificates": [{"secret": "tradingrobotplug-tls", **files}]}
        left = role(running, **CANARY, **given, istio_removed_revisions=["1-31-0"], istio_analyze=True)
    assert left.status == 0, left.output
    assert control_planes(running)["1-31-0"] == {"theirs-*"}
    again = role(running, **CANARY, **given, istio_removed_revisions=["1-31-0"])
    assert (again.status, again.changed) == (0, 0), again.output
