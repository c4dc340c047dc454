# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identities of SPIRE in a real mesh: sidecars take them from a real agent's socket, in place of istiod's.

All sidecars have one user, by which the attestor `unix` cannot tell them apart, so each workload has an agent of its
own. In a cluster one agent on each node asks the kubelet.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.points import POINTS
from cryptography import x509

from tests.integration.ansible_run import run_tasks
from tests.live.node import Pod
from tests.live.processes import Processes, free_port
from tests.live.spire import LiveServer
from tests.live.test_mesh import GRAPH, PROXY, Mesh, mesh, workloads

__all__ = ["mesh"]

ENDS = ("frontend", "api-service")
AGENT = """
agent {{
  data_dir = "{folder}/data"
  log_level = "WARN"
  server_address = "127.0.0.1"
  server_port = "{port}"
  socket_path = "{folder}/socket"
  trust_domain = "{domain}"
  join_token = "{token}"
  insecure_bootstrap = true
}}
plugins {{
  NodeAttestor "join_token" {{ plugin_data {{}} }}
  KeyManager "memory" {{ plugin_data {{}} }}
  WorkloadAttestor "unix" {{ plugin_data {{}} }}
}}
health_checks {{ listener_enabled = true bind_address = "127.0.0.1" bind_port = "{health}" }}
"""


@dataclass
class Spire:
    """A server, and an agent for each workload, in a directory of its name."""

    server: LiveServer
    agent: Path

    def ask(self, *arguments: str, data: Any = None) -> Any:
        command = [self.server.program, *arguments, "-socketPath", self.server.socket, "-output", "json"]
        text = None if data is None else json.dumps(data)
        return json.loads(subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout)

    def attest(self, workload: str, identity: str) -> None:
        """Register the sidecar's user on a node of its own, and start the agent there."""
        folder = self.server.folder.parent / workload
        (folder / "data").mkdir(parents=True)
        token = self.ask("token", "generate")["value"]
        entry = {
            "spiffe_id": identity,
            "parent_id": f"spiffe://{self.server.domain}/spire/agent/join_token/{token}",
            "selectors": [{"type": "unix", "value": f"uid:{PROXY}"}],
        }
        self.ask("entry", "create", "-data", "-", data={"entries": [entry]})
        health = free_port()
        config = AGENT.format(
            folder=folder, port=self.server.port, domain=self.server.domain, token=token, health=health
        )
        (folder / "agent.conf").write_text(config, encoding="utf-8")
        self.server.processes.start([self.agent, "run", "-config", folder / "agent.conf"], health)
        end = time.monotonic() + 30
        while not (folder / "socket").is_socket():
            assert time.monotonic() < end, f"no socket in {folder}"
            time.sleep(0.05)

    def volume(self, pod: Pod) -> Path:
        """What the CSI driver gives a pod."""
        return self.server.folder.parent / str(pod.document["spec"]["serviceAccountName"])

    def roots(self) -> list[x509.Certificate]:
        found = self.ask("bundle", "show")["x509_authorities"]
        return [x509.load_der_x509_certificate(base64.b64decode(one["asn1"])) for one in found]


def shown(mesh: Mesh, address: str) -> x509.Certificate:
    """What api-service presents to whoever asks, with a certificate or without."""
    port = mesh.graph.services["api-service"].ports[0].target
    command = ["openssl", "s_client", "-connect", f"{address}:{port}", "-showcerts"]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    (first, *_others) = re.findall("-----BEGIN CERT.*?-----END CERTIFICATE-----", done.stdout, re.DOTALL)
    return x509.load_pem_x509_certificate(first.encode())


def test_sidecars_have_the_identities_of_spire(
    tool: Callable[..., Path], processes: Processes, tmp_path: Path, request: Any
) -> None:
    programs = tool("spire", "spire-server"), tool("spire", "spire-agent")
    # Now only: in its network nothing can be built.
    mesh: Mesh = request.getfixturevalue("mesh")
    own, domain = mesh.graph.namespace, mesh.graph.trust_domain
    spire = Spire(LiveServer(programs[0], mesh.folder / "spire" / "server", processes, domain), programs[1])
    spire.server.start()
    mesh.node.drivers["csi.spiffe.io"] = spire.volume
    declared = {
        str(entry["spiffe_id"]).rpartition("/")[2]: str(entry["spiffe_id"])
        for documents in POINTS["spire"].render(mesh.graph).values()
        for document in documents
        for entry in document["entries"]
    }
    for name in ENDS:
        spire.attest(name, declared[name])

    rendered = tmp_path / "rendered"
    options = {"src": str(GRAPH), "dest": str(rendered), "platform": "kubernetes", "istio": True}
    made = run_tasks(tmp_path, {"zerotrust.platform.spire_render": options})
    assert made.status == 0, made.output
    installed = mesh.role(
        istio_analyze=False,
        istio_operator_files=[str(rendered / "istio" / "istio-operator.yml")],
        # It would need an entry too.
        istio_gateways=[{"name": "istio-ingressgateway", "enabled": False}],
    )
    assert installed.status == 0, installed.output

    for path, body in workloads(mesh.graph):
        if body["metadata"]["name"] in ENDS:
            if path.endswith("/deployments"):
                body["spec"]["template"]["metadata"]["annotations"] = {"inject.istio.io/templates": "sidecar,spire"}
            mesh.server.call("POST", path, body)
    mesh.node.until_ready(1 + len(ENDS))

    certificate = shown(mesh, mesh.node.pod(own, "api-service").address)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [declared["api-service"]]
    (root,) = spire.roots()
    certificate.verify_directly_issued_by(root)
    caller = (own, "frontend")
    assert mesh.http(caller, "api-service", "GET", "/api/items") == "200"
    assert mesh.http(caller, "api-service", "DELETE", "/api/items") == "403"
