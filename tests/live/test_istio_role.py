# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks install Istio, SPIRE's objects and both example graphs into a real cluster from nothing, and take all
of it back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.ansible_run import Run
from tests.live.istio_cluster import Cluster, istio_cluster

#: The second graph of a mesh leaves the mesh's own policy to the first, and names its gateway otherwise.
SECOND: dict[str, Any] = {
    "istio_version": "",
    "istio_apply": True,
    "istio_mesh_default": False,
    "service_graph_overrides": {
        "trust_domain": "valuecanvas.example.com",
        "gateways": {"istio": None, "boutique": {"kind": "istio"}},
    },
}
ANNOTATIONS = {"service.beta.kubernetes.io/aws-load-balancer-type": "nlb"}
TELEMETRY = {"tracing": [{"randomSamplingPercentage": 1.5}], "metrics": [{"providers": [{"name": "prometheus"}]}]}
FIRST: dict[str, Any] = {
    "spire_platform": "kubernetes",
    "istio_load_balancer_annotations": ANNOTATIONS,
    "istio_telemetry": TELEMETRY,
}
ISTIO = ("istiod", "istio-ingressgateway")
GRAPHS = {"local": FIRST, "online_boutique": SECOND}
GONE = {"istio_remove_namespaces": True, "spire_remove_data": True}


@pytest.fixture(scope="module")
def cluster(tool: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with istio_cluster(tool, tmp_path_factory.mktemp("istio")) as found:
        yield found


def ok(cluster: Cluster, playbook: str, inventory: str, *arguments: str, **variables: Any) -> Run:
    done = cluster.playbook(playbook, inventory, *arguments, **{**GRAPHS[inventory], **variables})
    assert done.status == 0, done.output
    return done


def fingerprints(done: Run) -> list[str]:
    """Of what each task would do, or has done, to the cluster."""
    ran = (one for one in done.results if one["action"] == "zerotrust.platform.kubernetes_sync")
    return [one["plan"]["fingerprint"] for one in ran if "plan" in one]


def created(done: Run, kind: str) -> set[str]:
    """The objects of a kind that tasks would make."""
    ran = (one for one in done.results if one["action"] == "zerotrust.platform.kubernetes_sync")
    changes = [change for one in ran for change in one.get("plan", {"changes": []})["changes"]]
    return {one["name"] for one in changes if one["action"] == "create" and one["kind"].startswith(kind)}


def refused_by_pod_security(cluster: Cluster) -> dict[str, str]:
    """Which pods of Istio's installation a namespace with Pod Security's `restricted` does not admit, and why."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": "restricted", "labels": labels}
    cluster.server.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    while not cluster.server.call("GET", "/api/v1/namespaces/restricted/serviceaccounts/default"):
        time.sleep(0.05)
    refused = {}
    for one in cluster.server.call("GET", "/apis/apps/v1/namespaces/istio-system/deployments")["items"]:
        name = one["metadata"]["name"]
        spec = {**one["spec"]["template"]["spec"], "serviceAccountName": "default", "serviceAccount": "default"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        try:
            cluster.server.call("POST", "/api/v1/namespaces/restricted/pods?dryRun=All", pod)
        except AssertionError as error:
            refused[name] = str(error)
    cluster.server.call("DELETE", "/api/v1/namespaces/restricted")
    return refused


def test_both_graphs_from_nothing_to_nothing(cluster: Cluster) -> None:
    before = cluster.objects()
    for inventory in GRAPHS:
        there = cluster.objects()
        checked = ok(cluster, "site", inventory, "--check", "--diff")
        assert cluster.objects() == there, "a check makes nothing"
        made = ok(cluster, "site", inventory)
        assert fingerprints(made) == fingerprints(checked)
    for inventory in GRAPHS:
        again = ok(cluster, "site", inventory)
        assert again.changed == 0, again.output
    there = cluster.objects()
    assert "peerauthentications.security.istio.io istio-system/default" in there
    assert {f"gateways.networking.istio.io istio-system/{name}" for name in ("istio", "boutique")} <= there
    assert "networkpolicies.networking.k8s.io online-boutique/default-deny" in there
    autoscalers = {f"horizontalpodautoscalers.autoscaling istio-system/{name}" for name in ISTIO}
    assert autoscalers <= there
    gateway = cluster.server.call("GET", "/api/v1/namespaces/istio-system/services/istio-ingressgateway")
    assert ANNOTATIONS.items() <= gateway["metadata"]["annotations"].items()
    path = "/apis/telemetry.istio.io/v1/namespaces/istio-system/telemetries/mesh-default"
    assert cluster.server.call("GET", path)["spec"] == TELEMETRY
    assert refused_by_pod_security(cluster) == {}

    # One replica has no budget for disruptions.
    more = ok(cluster, "site", "local", "--check", istio_replicas={"min": 2, "max": 5})
    assert {f"istio-system/{name}" for name in ISTIO} == created(more, "PodDisruptionBudget")

    less = {"service_graph_overrides": {"services": {"postgres": None, "api-service": {"calls": None}}}}
    planned = ok(cluster, "plan", "local", **less)
    assert cluster.objects() == there, "a plan makes nothing"
    pruned = ok(cluster, "site", "local", **less)
    assert set(fingerprints(planned)) <= set(fingerprints(pruned))
    gone = {name for name in there - cluster.objects() if "istio-ca-" not in name}
    assert {
        "authorizationpolicies.security.istio.io tradingrobotplug/postgres",
        "networkpolicies.networking.k8s.io tradingrobotplug/postgres",
    } <= gone
    assert all("postgres" in name or "api-service" in name for name in gone)
    assert ok(cluster, "site", "local", **less).changed == 0

    for inventory in reversed(GRAPHS):
        ok(cluster, "teardown", inventory, **GONE)
    left = cluster.objects() - before
    # istiod's own and the controllers', in each namespace that is there.
    assert {name for name in left if not name.partition("/")[2].startswith(("istio-ca-", "kube-root-ca."))} == set()
    assert before - cluster.objects() == set()
