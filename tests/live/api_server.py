# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real kube-apiserver on a real etcd, on loopback.

Without controllers what is written stays as it was written. `start_controllers` adds the controller manager: rollouts,
namespaces that end, accounts. There are no nodes, so pods wait for ever, unless a test writes their status itself.
"""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.live.processes import Processes, free_port

ADMIN = "admin-token"
#: A user without any rights but those that a test gives.
LIMITED = "limited-token"


@dataclass
class ApiServer:
    url: str
    ca_file: Path
    folder: Path

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", token: str = ADMIN
    ) -> Any:
        """By default as the administrator; None for what is not there."""
        request = urllib.request.Request(
            self.url + path,
            None if body is None else json.dumps(body).encode("utf-8"),
            {"Authorization": f"Bearer {token}", "Content-Type": content_type},
            method=method,
        )
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file))
            with urllib.request.urlopen(request, context=context) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise AssertionError(f"{method} {path}: {error.read().decode()}") from error

    def namespace(self, name: str) -> str:
        self.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def kubeconfig(self, token: str = ADMIN) -> Path:
        path = self.folder / f"{token}.kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": str(self.ca_file)}}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return path


def start_api_server(
    processes: Processes, tool: Callable[..., Path], folder: Path, address: str = "127.0.0.1", **others: str
) -> ApiServer:
    """others: options of kube-apiserver, with underscores. address: where it listens."""
    folder.mkdir(parents=True, exist_ok=True)
    client, peer, port = free_port(), free_port(), free_port()
    urls = [f"http://127.0.0.1:{number}" for number in (client, peer)]
    etcd = ["--data-dir", folder / "etcd", "--unsafe-no-fsync", "--log-level", "warn"]
    etcd += ["--listen-client-urls", urls[0], "--advertise-client-urls", urls[0], "--listen-peer-urls", urls[1]]
    etcd += ["--initial-advertise-peer-urls", urls[1], "--initial-cluster", f"default={urls[1]}"]
    processes.start([tool("kubernetes", "server"), *etcd], client)
    key = rsa.generate_private_key(65537, 2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "sa.key").write_bytes(key.private_bytes(*form))
    (folder / "tokens.csv").write_text(f"{ADMIN},admin,1,system:masters\n{LIMITED},limited,2,\n", encoding="ascii")
    options = {
        "etcd-servers": urls[0],
        "bind-address": address,
        "secure-port": port,
        # A certificate that it makes for itself.
        "cert-dir": folder / "tls",
        "token-auth-file": folder / "tokens.csv",
        "authorization-mode": "RBAC",
        "service-cluster-ip-range": "10.96.0.0/16",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": folder / "sa.key",
        "service-account-signing-key-file": folder / "sa.key",
        # Without controllers nobody makes the accounts that this one asks for.
        "disable-admission-plugins": "ServiceAccount",
        "endpoint-reconciler-type": "none",
        # As clusters have it.
        "allow-privileged": "true",
        "profiling": "false",
        **{name.replace("_", "-"): value for name, value in others.items()},
    }
    command = [tool("kubernetes", "kube-apiserver"), *(f"--{name}={value}" for name, value in options.items())]
    processes.start(command, port, wait=60, host=address)
    server = ApiServer(f"https://{address}:{port}", folder / "tls" / "apiserver.crt", folder)
    _until_ready(server)
    return server


def start_controllers(
    processes: Processes, tool: Callable[..., Path], server: ApiServer, controllers: str = "*"
) -> None:
    port = free_port()
    options = {
        "kubeconfig": server.kubeconfig(),
        "bind-address": "127.0.0.1",
        "secure-port": port,
        "cert-dir": server.folder / "controllers",
        "leader-elect": "false",
        "controllers": controllers,
        "root-ca-file": server.ca_file,
        "service-account-private-key-file": server.folder / "sa.key",
        "use-service-account-credentials": "true",
        "profiling": "false",
    }
    command = [tool("kubernetes", "kube-controller-manager"), *(f"--{name}={value}" for name, value in options.items())]
    processes.start(command, port, wait=60)
    while not server.call("GET", "/api/v1/namespaces/default/serviceaccounts/default"):
        time.sleep(0.05)


def _until_ready(server: ApiServer) -> None:
    context = ssl.create_default_context(cafile=str(server.ca_file))
    request = urllib.request.Request(f"{server.url}/readyz", headers={"Authorization": f"Bearer {ADMIN}"})
    end = time.monotonic() + 60
    problem: Optional[Exception] = None
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(request, context=context):
                break
        except urllib.error.HTTPError as error:
            problem = error
            error.close()
            time.sleep(0.05)
        except OSError as error:
            problem = error
            time.sleep(0.05)
    else:
        raise AssertionError(f"the API server does not become ready: {problem}")
    while not server.call("GET", "/api/v1/namespaces/default"):
        time.sleep(0.05)
