# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Istio's own `validate` and `analyze` say of the rendered graphs, in both data planes: nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement import istio
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.points import POINTS
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph

REPO = Path(__file__).resolve().parents[2]
INVENTORIES = ("local", "online_boutique", "production")


def workloads(graph: Graph, labels: dict[str, str]) -> Iterable[dict[str, Any]]:
    """What a team would have beside our objects: namespaces, and a Deployment and a Service for each service."""
    for namespace in graph.namespaces:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    for service in graph.services.values():
        meta = {"name": service.name, "namespace": service.namespace}
        container = {"name": "main", "image": "example.org/main:1"}
        pod = {"metadata": {"labels": dict(service.labels)}, "spec": {"containers": [container]}}
        spec = {"selector": {"matchLabels": dict(service.labels)}, "template": pod}
        yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}
        ports = [
            {"name": f"{port.protocol}-{port.number}", "port": port.number, "targetPort": port.target}
            for port in service.ports
        ]
        if ports:
            spec = {"selector": dict(service.labels), "ports": ports}
            yield {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def written(folder: Path, name: str, documents: Iterable[dict[str, Any]]) -> str:
    path = folder / f"{name}.yml"
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return str(path)


def analyzed(istioctl: Path, *files: str) -> list[dict[str, Any]]:
    command = [istioctl, "analyze", "--use-kube=false", "--all-namespaces", "--output", "json", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("mode", ["sidecar", "ambient"])
@pytest.mark.parametrize("inventory", INVENTORIES)
def test_istioctl_finds_nothing(inventory: str, mode: str, tool: Callable[..., Path], tmp_path: Path) -> None:
    istioctl = tool("istio", "istioctl")
    graph = read_graph(str(REPO / "inventories" / inventory / "service_graph.yml"), {"mesh": {"mode": mode}})
    documents = [one for file in POINTS["istio"].render(graph).values() for one in file]
    ours = written(tmp_path, "ours", documents)
    done = subprocess.run([istioctl, "validate", "-f", ours], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, f'"{ours}" is valid\n')

    labels = {"istio-injection": "enabled"} if mode == "sidecar" else {"istio.io/dataplane-mode": "ambient"}
    theirs = written(tmp_path, "theirs", workloads(graph, labels))
    # An address for a host at which only TCP is spoken: a running istiod allocates it, and writes it into the status.
    found = [one for one in analyzed(istioctl, ours, theirs) if one["code"] != "IST0134"]
    assert found == []

    # It does look.
    broken = {
        "apiVersion": istio.NETWORKING,
        "kind": "VirtualService",
        "metadata": {"name": "broken", "namespace": graph.namespaces[0]},
        "spec": {"hosts": ["nobody"], "gateways": ["none"], "http": [{"route": [{"destination": {"host": "nobody"}}]}]},
    }
    codes = {one["code"] for one in analyzed(istioctl, ours, theirs, written(tmp_path, "broken", [broken]))}
    assert "IST0101" in codes
