# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit of a live cluster: what is planted there is named, all of it and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.integration.ansible_run import run_tasks
from tests.live.api_server import LIMITED, ApiServer, start_api_server
from tests.live.processes import Processes

MERGE = "application/merge-patch+json"
SECURITY = "/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies"
GRAPH = """
name: shop
trust_domain: example.org
services:
  web: {port: 8080, calls: [{to: api, methods: [GET]}]}
  api: {port: 80, target_port: 3000, calls: [db]}
  db: {port: 5432, protocol: tcp}
"""
PORTS = {"web": (8080, 8080, "http"), "api": (80, "main", "http"), "db": (5432, 5432, "tcp")}


def workloads() -> list[tuple[str, dict[str, Any]]]:
    """What a team deploys: collections and objects."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name, (port, target, protocol) in PORTS.items():
        ports = [{"port": port, "targetPort": target, "name": protocol}]
        found += [
            ("serviceaccounts", {"kind": "ServiceAccount", "metadata": {"name": name}}),
            (
                "services",
                {"kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": ports}},
            ),
            ("pods", pod(name)),
        ]
    return found


def pod(name: str, app: str = "", account: str = "", sidecar: bool = True, **annotations: str) -> dict[str, Any]:
    container = {"name": "app", "image": "app", "ports": [{"name": "main", "containerPort": 3000}]}
    proxy = [{"name": "istio-proxy", "image": "proxyv2", "restartPolicy": "Always"}] if sidecar else []
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": app or name}, "annotations": annotations},
        "spec": {"serviceAccountName": account or app or name, "containers": [container], "initContainers": proxy},
    }


def install_kinds(server: ApiServer, istioctl: Path) -> None:
    done = subprocess.run([istioctl, "manifest", "generate"], capture_output=True, check=True)
    for document in yaml.safe_load_all(done.stdout):
        if document and document["kind"] == "CustomResourceDefinition":
            server.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", document)


def mesh_config(**fields: Any) -> dict[str, str]:
    return {"mesh": yaml.safe_dump({"trustDomain": "example.org", **fields})}


def test_each_drift_of_a_cluster_is_named(tool: Callable[..., Path], processes: Processes, tmp_path: Path) -> None:
    server = start_api_server(processes, tool, tmp_path / "cluster")
    install_kinds(server, tool("istio", "istioctl"))
    (tmp_path / "graph.yml").write_text(GRAPH, encoding="utf-8")
    server.namespace("istio-system")
    server.namespace("shop")
    server.call("PATCH", "/api/v1/namespaces/shop", {"metadata": {"labels": {"istio-injection": "enabled"}}}, MERGE)
    config = mesh_config(outboundTrafficPolicy={"mode": "REGISTRY_ONLY"})
    maps = "/api/v1/namespaces/istio-system/configmaps"
    server.call("POST", maps, {"kind": "ConfigMap", "metadata": {"name": "istio"}, "data": config})
    core = "/api/v1/namespaces/shop"
    for plural, document in workloads():
        server.call("POST", f"{core}/{plural}", document)
    connection = {"kubeconfig": str(server.kubeconfig())}
    source = str(tmp_path / "graph.yml")
    sync = {"graph": {"src": source}, "apply_set": "shop", **connection}
    audit = {"src": source, "live": True, **connection}
    run = run_tasks(
        tmp_path,
        {"zerotrust.platform.kubernetes_sync": sync},
        {"zerotrust.platform.service_graph_audit": audit},
    )
    assert run.status == 0, run.output
    assert (run.last["missing"], run.last["open"], run.last["drifts"]) == (0, 0, [])

    server.call("DELETE", "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/default-deny")
    server.call("DELETE", f"{SECURITY}/allow-nothing")
    server.call("PATCH", f"{SECURITY}/db", {"spec": {"rules": [{}]}}, MERGE)
    server.call("PATCH", "/api/v1/namespaces/shop", {"metadata": {"labels": {"istio-injection": None}}}, MERGE)
    server.call("PATCH", f"{maps}/istio", {"data": mesh_config(trustDomain="cluster.local")}, MERGE)
    server.call("DELETE", f"{core}/serviceaccounts/db")
    server.call("DELETE", f"{core}/services/db")
    ports = [{"port": 81, "targetPort": 3001, "name": "main"}, {"port": 80, "targetPort": 3001, "name": "main2"}]
    server.call("PATCH", f"{core}/services/api", {"spec": {"selector": {"app": "web"}, "ports": ports}}, MERGE)
    server.call("PATCH", f"{core}/services/web", {"spec": {"ports": [{"port": 1, "targetPort": 1}]}}, MERGE)
    server.call("DELETE", f"{core}/pods/web?gracePeriodSeconds=0")
    server.call("POST", f"{core}/pods", pod("cron", sidecar=False))
    server.call("POST", f"{core}/pods", pod("api-1", "api", "default", sidecar=False))
    exclude = {"traffic.sidecar.istio.io/excludeInboundPorts": "3000"}
    server.call("POST", f"{core}/pods", pod("api-2", "api", **exclude))
    run = run_tasks(tmp_path, {"zerotrust.platform.service_graph_audit": {**audit, "dest": str(tmp_path / "a.json")}})
    assert run.status == 2, run.output
    assert {(one["code"], one["object"]) for one in run.last["drifts"]} == {
        ("trust_domain", "ConfigMap istio-system/istio"),
        ("outbound_any", "ConfigMap istio-system/istio"),
        ("default_deny_missing", "Namespace shop"),
        ("allow_nothing_missing", "Namespace shop"),
        ("no_injection", "Namespace shop"),
        ("undeclared_pod", "Pod shop/cron"),
        ("wrong_selector", "Service shop/api"),
        ("wrong_target", "Service shop/api"),
        ("wrong_protocol", "Service shop/api"),
        ("wrong_service_account", "Pod shop/api-1"),
        ("sidecar_missing", "Pod shop/api-1"),
        ("bypass", "Pod shop/api-2"),
        ("service_account_missing", "ServiceAccount shop/db"),
        ("service_missing", "Service shop/db"),
        ("port_missing", "Service shop/web"),
        ("no_pods", "Service shop/web"),
    }
    opened = [one["text"] for one in run.last["findings"] if one["kind"] == "open" and one["point"] == "istio"]
    assert any("db on TCP 5432" in text and "AuthorizationPolicy shop/db" in text for text in opened)
    assert run.last["drift"] == 16
    assert (tmp_path / "a.json").is_file()

    # What it may not see it says in one sentence.
    run = run_tasks(
        tmp_path, {"zerotrust.platform.service_graph_audit": {**audit, "kubeconfig": str(server.kubeconfig(LIMITED))}}
    )
    assert (run.status, run.last["reason"]) == (2, "forbidden"), run.output
