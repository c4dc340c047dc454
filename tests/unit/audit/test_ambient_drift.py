# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ambient mode takes for granted, and a cluster may not have."""

from __future__ import annotations

from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._audit.drift import drifts
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.points import render
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import graph_of

GRAPH = graph_of(
    {
        "name": "shop",
        "trust_domain": "example.org",
        "mesh": {"mode": "ambient"},
        "services": {"web": {"calls": [{"to": "api", "methods": ["GET"]}]}, "api": {"port": 80}},
    }
)
ENROLLED = {
    "istio.io/dataplane-mode": "ambient",
    "istio.io/use-waypoint": "waypoint",
    "istio.io/ingress-use-waypoint": "true",
}


def made(kind: str, name: str, namespace: str = "shop", **fields: Any) -> dict[str, Any]:
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": {**meta, **fields.pop("metadata", {})}, **fields}


def pod(name: str, labels: dict[str, str], account: str, redirected: bool = True) -> dict[str, Any]:
    annotations = {"ambient.istio.io/redirection": "enabled"} if redirected else {}
    spec = {"serviceAccountName": account, "containers": [{"name": "app"}]}
    return made("Pod", name, metadata={"labels": labels, "annotations": annotations}, spec=spec)


def cluster(namespace_labels: dict[str, str], redirected: bool = True) -> list[dict[str, Any]]:
    ports = [{"name": "http", "port": 80}]
    return [
        *(dict(document) for documents in render(GRAPH, ["istio"]).values() for document in documents),
        made("ConfigMap", "istio", "istio-system", data={"mesh": "trustDomain: example.org"}),
        # istiod's own, which are no mesh config.
        made("ConfigMap", "istio-ca-root-cert", "istio-system", data={"root-cert.pem": ""}),
        made("ConfigMap", "istio-leader", "istio-system"),
        made("Namespace", "shop", "", metadata={"labels": namespace_labels}),
        *(made("ServiceAccount", name) for name in ("web", "api")),
        made("Service", "web", spec={"selector": {"app": "web"}}),
        made("Service", "api", spec={"selector": {"app": "api"}, "ports": ports}),
        pod("web", {"app": "web"}, "web", redirected),
        pod("api", {"app": "api"}, "api"),
        pod("waypoint", {"gateway.networking.k8s.io/gateway-name": "waypoint"}, "waypoint", redirected=False),
    ]


def found(*arguments: Any) -> set[tuple[str, str]]:
    return {(one.code, one.where) for one in drifts(GRAPH, cluster(*arguments), ["istio"])}


def test_an_enrolled_cluster_has_no_drift() -> None:
    assert found(ENROLLED) == set()


def test_a_namespace_that_is_not_enrolled_is_named() -> None:
    assert found({"istio-injection": "enabled"}) == {
        ("no_injection", "Namespace shop"),
        ("no_waypoint", "Namespace shop"),
    }


def test_a_pod_that_ztunnel_has_not_taken_over_is_named() -> None:
    assert found(ENROLLED, False) == {("sidecar_missing", "Pod shop/web")}
