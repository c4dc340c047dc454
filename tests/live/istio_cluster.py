# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster for installations of Istio: an API server with all controllers, which keeps account of each request, and
a node that runs control planes and gateways. What is in it can be listed, whatever its kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.ansible_run import Run, run_playbook
from tests.live.api_server import ADMIN, ApiServer, start_api_server, start_controllers
from tests.live.namespaces import private_network
from tests.live.node import Node
from tests.live.processes import Processes
from tests.live.test_mesh import VALUES, made_images

REPO = Path(__file__).resolve().parents[2]
ADDRESS = "10.244.0.1"
#: Made by the server and its controllers, whatever is in the cluster.
THEIRS = {
    *("endpoints", "events", "events.events.k8s.io"),
    *("endpointslices.discovery.k8s.io", "leases.coordination.k8s.io"),
}


@dataclass
class Cluster:
    server: ApiServer
    node: Node
    folder: Path
    istioctl: Path

    def playbook(self, name: str, inventory: str, *arguments: str, **variables: Any) -> Run:
        """A playbook of the collection on one of its example inventories, by default as the administrator."""
        given = {
            "zerotrust_build_dir": str(self.folder / "build" / inventory),
            "kubernetes_kubeconfig": str(self.server.kubeconfig()),
            "istio_version": "1.31.0",
            "istio_program": str(self.istioctl),
            # It would forward ports by a kubelet.
            "istio_check_skew": False,
            "istio_replicas": {"min": 1, "max": 1},
            "istio_values": VALUES,
            # There are no workloads of which policies speak.
            "istio_analyze": False,
            # Nobody starts SPIRE's pods, so there is no server to register with.
            "spire_wait": False,
            "spire_connection": {},
            **variables,
        }
        given = {key: value for key, value in given.items() if value is not None}
        hosts = REPO / "inventories" / inventory / "hosts.yml"
        return run_playbook(REPO / "playbooks" / f"{name}.yml", "-e", json.dumps(given), *arguments, inventory=hosts)

    def token(self, account: str) -> str:
        """Of an account of the guide, for an hour."""
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = f"/api/v1/namespaces/zerotrust/serviceaccounts/{account}/token"
        return str(self.server.call("POST", path, request)["status"]["token"])

    def account(self, name: str) -> str:
        """The kubeconfig of an account of the guide."""
        found = self.folder / f"{name}.kubeconfig"
        text = self.server.kubeconfig().read_text(encoding="utf-8").replace(ADMIN, self.token(name))
        found.write_text(text, encoding="utf-8")
        return str(found)

    def objects(self) -> set[str]:
        """What there is, as `plural.group namespace/name`."""
        paths = {"v1": "/api/v1"}
        for group in self.server.call("GET", "/apis")["groups"]:
            version = group["preferredVersion"]["groupVersion"]
            paths[version] = f"/apis/{version}"
        found = set()
        for version, path in paths.items():
            for kind in self.server.call("GET", path)["resources"]:
                name = ".".join(filter(None, (kind["name"], version.rpartition("/")[0])))
                if "list" not in kind["verbs"] or name in THEIRS:
                    continue
                for item in (self.server.call("GET", f"{path}/{kind['name']}") or {"items": []})["items"]:
                    meta = item["metadata"]
                    found.add(f"{name} {meta.get('namespace', '')}/{meta['name']}")
        return found

    def asked(self, user: str) -> set[tuple[str, str, str]]:
        """The rights that a user's answered requests have needed: verb, group and resource, by its own account."""
        found = set()
        for line in (self.folder / "audit.log").read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            refused = event.get("responseStatus", {}).get("code") == 403
            if event["user"]["username"] == user and "objectRef" in event and not refused:
                ref = event["objectRef"]
                resource = "/".join(filter(None, (ref["resource"], ref.get("subresource"))))
                found.add((event["verb"], ref.get("apiGroup", ""), resource))
        return found


@contextmanager
def istio_cluster(tool: Callable[..., Path], folder: Path) -> Iterator[Cluster]:
    images = made_images(folder / "images", tool)
    policy = folder / "audit.json"
    rule = {"level": "Metadata", "omitStages": ["RequestReceived"]}
    policy.write_text(
        json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [rule]}), encoding="utf-8"
    )
    with private_network(ADDRESS), Processes(folder / "logs") as running:
        server = start_api_server(
            running,
            tool,
            folder / "cluster",
            ADDRESS,
            api_audiences="https://kubernetes.default.svc,istio-ca",
            disable_admission_plugins="",
            enable_aggregator_routing="true",
            audit_policy_file=str(policy),
            audit_log_path=str(folder / "audit.log"),
        )
        start_controllers(running, tool, server, "*,-node-lifecycle-controller")
        node = Node(server, folder / "node", ADDRESS, images)
        try:
            yield Cluster(server, node, folder, tool("istio", "istioctl"))
        finally:
            node.close()
