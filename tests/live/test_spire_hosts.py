# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is rendered, with SPIRE's own programs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.ansible_run import run_tasks
from tests.live.processes import Processes, free_port
from tests.unit.spire_install.installations import AUTHORITY, POSTGRES, installation

REPO = Path(__file__).resolve().parents[2]
DOMAIN = "valuecanvas.example.com"


@dataclass
class Programs:
    server: Path
    agent: Path


@pytest.fixture
def spire(tool: Callable[..., Path]) -> Programs:
    return Programs(tool("spire", "spire-server"), tool("spire", "spire-agent"))


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"version": "1.8.0", "telemetry": False},
        {"datastore": POSTGRES, "server": {"replicas": 3, "ca_subject": {"common_name": "a", "country": "DE"}}},
        {"agent": {"verify_kubelet": False}, "oidc": {"domain": "oidc.example.com"}, "log_level": "DEBUG"},
    ],
)
def test_the_programs_take_the_configuration_for_kubernetes(
    tmp_path: Path, spire: Programs, params: dict[str, Any]
) -> None:
    made = installation(authority=AUTHORITY, **params)
    for program, config in ((spire.server, made.server_config), (spire.agent, made.agent_config)):
        path = tmp_path / "config"
        path.write_text(config, encoding="utf-8")
        done = subprocess.run([program, "validate", "-config", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_host_proves_itself_with_our_certificate_and_its_workloads_lead_to_our_root(
    tmp_path: Path, processes: Processes, spire: Programs
) -> None:
    """Server and agent with the rendered configuration; only what is fixed on a host is put elsewhere."""
    pki, etc, run = tmp_path / "pki", tmp_path / "etc", tmp_path / "run"
    root = pki / "authorities" / "root" / "cert.pem"
    ports = {"18081": free_port(), "8080": free_port(), "9988": free_port(), "9982": free_port(), "9989": free_port()}
    declared = {
        "path": str(pki),
        "authorities": [
            {"name": "root", "path_length": 2},
            {"name": "spire", "issuer": "root", "path_length": 1, "valid_for": "1825d"},
        ],
        "certificates": [{"name": "node", "issuer": "root", "profile": "client", "dns": ["node.example.com"]}],
    }
    render = {
        "src": str(REPO / "inventories" / "local" / "service_graph.yml"),
        "dest": str(tmp_path / "rendered"),
        "platform": "hosts",
        "server": {"port": 18081},
        "upstream_authority": {
            "cert_file": str(pki / "authorities" / "spire" / "cert.pem"),
            "key_file": str(pki / "authorities" / "spire" / "key.pem"),
            "bundle_file": str(root),
        },
        "hosts": {"server_address": "127.0.0.1", "node_ca_file": str(root), "config_dir": str(etc)},
    }
    made = run_tasks(tmp_path, {"zerotrust.platform.pki": declared}, {"zerotrust.platform.spire_render": render})
    assert made.status == 0, made.output
    for folder in (etc / "upstream-authority", tmp_path / "data" / "server", tmp_path / "data" / "agent", run):
        folder.mkdir(parents=True)
    files = {
        "upstream-authority/tls.crt": pki / "authorities" / "spire" / "cert.pem",
        "upstream-authority/tls.key": pki / "authorities" / "spire" / "key.pem",
        "upstream-authority/bundle.crt": root,
        "node-ca.crt": root,
        "bundle.crt": root,
        "agent.crt": pki / "node" / "fullchain.pem",
        "agent.key": pki / "node" / "key.pem",
    }
    for name, source in files.items():
        shutil.copy(source, etc / name)
    for name in ("server.conf", "agent.conf"):
        text = (tmp_path / "rendered" / name).read_text(encoding="utf-8")
        text = text.replace("/var/lib/spire", str(tmp_path / "data")).replace("/run/spire/sockets", str(run))
        text = text.replace("/run/spire/server/private", str(run))
        for fixed, free in ports.items():
            text = text.replace(fixed, str(free))
        (etc / name).write_text(text, encoding="utf-8")

    processes.start([spire.server, "run", "-config", etc / "server.conf"], ports["8080"])
    processes.start([spire.agent, "run", "-config", etc / "agent.conf"], ports["9982"])
    api = ["-socketPath", str(run / "api.sock"), "-output", "json"]

    def server(*arguments: str, data: Any = None) -> Any:
        text = None if data is None else json.dumps(data)
        done = subprocess.run([spire.server, *arguments, *api], input=text, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    assert server("bundle", "show")["x509_authorities"], "the root is ours"
    (agent,) = server("agent", "list")["agents"]
    assert agent["attestation_type"] == "x509pop"
    entries = json.loads((tmp_path / "rendered" / "registration" / "entries.json").read_text(encoding="utf-8"))[
        "entries"
    ]
    parent = {"trust_domain": DOMAIN, "path": "/hosts/node"}
    workload = {
        "spiffe_id": f"spiffe://{DOMAIN}/me",
        "parent_id": entries[0]["spiffe_id"],
        "selectors": [{"type": "unix", "value": f"uid:{os.getuid()}"}],
    }
    created = server("entry", "create", "-data", "-", data={"entries": [*entries, workload]})["results"]
    assert [result["status"]["code"] for result in created] == [0, 0]
    assert created[1]["entry"]["parent_id"] == parent

    fetched = _until(lambda: _fetch(spire.agent, run, tmp_path))
    assert fetched, "the agent has the alias of all hosts, and gives the workload its identity"
    command = ["openssl", "verify", "-x509_strict", "-CAfile", root, "-untrusted", fetched, fetched]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def _fetch(agent: Path, run: Path, folder: Path) -> Path:
    """The file of the workload's certificate and those above it; an empty path while it has none."""
    command = [agent, "api", "fetch", "x509", "-socketPath", run / "agent.sock", "-write", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return folder / "svid.0.pem" if done.returncode == 0 and f"spiffe://{DOMAIN}/me" in done.stdout else Path()


def _until(look: Callable[[], Path]) -> Path:
    """What there is to see within half a minute: agents ask the server every five seconds."""
    end = time.monotonic() + 30
    while True:
        found = look()
        if found != Path() or time.monotonic() > end:
            return found
        time.sleep(0.2)
