# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of a tree as secrets of a real kube-apiserver: applied, renewed, retired, and never shown."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.integration.ansible_run import Run, run_tasks
from tests.live.api_server import ApiServer, start_api_server
from tests.live.processes import Processes

FORM = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def server(tool: Callable[..., Path], processes: Processes, tmp_path: Path) -> ApiServer:
    return start_api_server(processes, tool, tmp_path / "cluster")


def role(folder: Path, server: ApiServer, namespace: str, *names: str, **others: Any) -> dict[str, Any]:
    certificates = [
        {
            "name": name,
            "issuer": "root",
            "dns": [f"{name}.example"],
            "files": {"kubernetes_secret": f"kubernetes/{name}.yml"},
            "kubernetes_secret": {"namespace": namespace},
        }
        for name in names
    ]
    variables = {
        "pki_path": str(folder / "pki"),
        "pki_authorities": [{"name": "root"}],
        "pki_certificates": certificates,
        "pki_purge": True,
        "pki_limits": {"delete": 100},
        "pki_kubernetes_secrets": "kubernetes",
        "kubernetes_kubeconfig": str(server.kubeconfig()),
        **others,
    }
    return {"ansible.builtin.include_role": {"name": "zerotrust.platform.pki"}, "vars": variables}


def secrets(server: ApiServer, namespace: str) -> dict[str, dict[str, bytes]]:
    items = server.call("GET", f"/api/v1/namespaces/{namespace}/secrets")["items"]
    return {
        item["metadata"]["name"]: {name: base64.b64decode(text) for name, text in item["data"].items()}
        for item in items
        if item["type"] == "kubernetes.io/tls"
    }


def changed(run: Run) -> list[bool]:
    """Of the tree, and of the cluster if it was looked at."""
    assert run.status == 0, run.output
    return [result["changed"] for result in run.results if "plan" in result]


def test_a5_secrets_follow_the_tree(server: ApiServer, tmp_path: Path) -> None:
    namespace = server.namespace(f"istio-{uuid.uuid4().hex[:8]}")
    both = role(tmp_path, server, namespace, "tradingrobotplug-tls", "shop-tls")
    check = run_tasks(tmp_path, both, arguments=["--check"])
    assert (changed(check), secrets(server, namespace)) == ([True], {})
    first = run_tasks(tmp_path, both, arguments=["--diff", "-vvv"])
    assert changed(first) == [True, True]
    made = secrets(server, namespace)
    assert sorted(made) == ["shop-tls", "tradingrobotplug-tls"]
    held = made["tradingrobotplug-tls"]
    leaf = x509.load_pem_x509_certificate(held["tls.crt"])
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(held["ca.crt"]))
    key = serialization.load_pem_private_key(held["tls.key"], None)
    assert key.public_key().public_bytes(*FORM) == leaf.public_key().public_bytes(*FORM)

    assert changed(run_tasks(tmp_path, both)) == [False, False]
    (tmp_path / "pki" / "tradingrobotplug-tls" / "cert.pem").unlink()
    renewed = run_tasks(tmp_path, both, arguments=["--diff", "-vvv"])
    assert changed(renewed) == [True, True]
    now = secrets(server, namespace)
    assert now["tradingrobotplug-tls"]["tls.crt"] != held["tls.crt"]
    assert now["shop-tls"] == made["shop-tls"]

    retired = run_tasks(tmp_path, role(tmp_path, server, namespace, "tradingrobotplug-tls"), arguments=["--diff"])
    assert (changed(retired), sorted(secrets(server, namespace))) == ([True, True], ["tradingrobotplug-tls"])
    gone = run_tasks(tmp_path, role(tmp_path, server, namespace, "tradingrobotplug-tls", pki_state="absent"))
    assert (changed(gone), secrets(server, namespace)) == ([True, True], {})

    shown = "".join(run.output + json.dumps(run.results) for run in (check, first, renewed, retired, gone))
    for secret in (made["shop-tls"]["tls.key"], held["tls.key"]):
        assert secret.split(b"\n")[1].decode() not in shown
        assert base64.b64encode(secret).decode() not in shown
    assert "PRIVATE KEY" not in shown
