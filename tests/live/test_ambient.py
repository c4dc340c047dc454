# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ambient mode on a real API server, with a real istiod that the role has installed.

No ztunnel runs here, so no packet is judged. But istiod says of each policy who enforces it and what of it they cannot,
makes the waypoints, and refuses what is not valid.
"""

from __future__ import annotations

import time

import yaml

from tests.live.go_tools import module_folder
from tests.live.test_mesh import VALUES, Mesh, mesh, workloads

__all__ = ["mesh"]

AMBIENT = {"mesh": {"mode": "ambient"}}
NAMESPACE = "tradingrobotplug"
#: There is nothing to run the agents of: no node is for them.
NOWHERE = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "agents", "operator": "Exists"}]}]
        }
    }
}
AGENTS = {"cni": {"affinity": NOWHERE}, "ztunnel": {"affinity": NOWHERE}}
SECURITY = f"/apis/security.istio.io/v1/namespaces/{NAMESPACE}/authorizationpolicies"
SYSTEM = "/apis/apps/v1/namespaces/istio-system"


def install_gateway_api(mesh: Mesh) -> None:
    folder = module_folder("istio", "sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"
    for name in ("gateways", "gatewayclasses"):
        text = (folder / f"gateway.networking.k8s.io_{name}.yaml").read_text(encoding="utf-8")
        mesh.server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", yaml.safe_load(text))


def test_istiod_takes_the_policies_as_they_are_meant(mesh: Mesh) -> None:
    install_gateway_api(mesh)
    given = {
        "service_graph_overrides": AMBIENT,
        "istio_analyze": False,
        "istio_values": {**VALUES, **AGENTS},
        # Plain Envoy lacks what a gateway does in ambient mode.
        "istio_gateways": [{"name": "istio-ingressgateway", "enabled": False}],
    }
    first = mesh.role(**given)
    assert first.status == 0, first.output
    again = mesh.role(**given)
    assert (again.status, again.changed) == (0, 0), again.output
    agents = {one["metadata"]["name"] for one in mesh.server.call("GET", f"{SYSTEM}/daemonsets")["items"]}
    assert agents == {"ztunnel", "istio-cni-node"}
    labels = mesh.server.call("GET", f"/api/v1/namespaces/{NAMESPACE}")["metadata"]["labels"]
    assert labels["istio.io/dataplane-mode"] == "ambient"
    assert labels["istio.io/use-waypoint"] == "waypoint"
    assert "istio-injection" not in labels

    for path, body in workloads(mesh.graph):
        if path.startswith(f"/api/v1/namespaces/{NAMESPACE}/"):
            mesh.server.call("POST", path, body)
    told = until_told(mesh)
    # Rules with HTTP fields are none of ztunnel's, and each policy has found what it is attached to.
    assert {said for said in told.values() if said[1] != "Accepted"} == set(), told
    assert {kind for kind, _reason in told.values()} == {"ZtunnelAccepted", "WaypointAccepted"}


def until_told(mesh: Mesh) -> dict[str, tuple[str, str]]:
    """What istiod says of each policy, once it has said it of all: the condition, and its reason."""
    end = time.monotonic() + 60
    found: dict[str, tuple[str, str]] = {}
    while time.monotonic() < end:
        policies = mesh.server.call("GET", SECURITY)["items"]
        found = {
            one["metadata"]["name"]: (condition["type"], condition["reason"])
            for one in policies
            for condition in (one.get("status") or {}).get("conditions") or ()
        }
        if len(found) == len(policies) and all(reason == "Accepted" for _kind, reason in found.values()):
            break
        time.sleep(0.2)
    return found
