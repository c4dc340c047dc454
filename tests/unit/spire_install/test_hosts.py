# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SPIRE on hosts: configuration, units, and the entries of Docker Compose's services."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.validate import validate
from ansible_collections.zerotrust.platform.plugins.module_utils._enforcement.common import sourced

from tests.unit.spire_install.installations import (
    AUTHORITY,
    HOSTS,
    POSTGRES,
    agent_config,
    installation,
    plugin,
    server_config,
)

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")


def on_hosts(**params: Any) -> Any:
    hosts = {**HOSTS, **params.pop("hosts", {})}
    return installation(platform="hosts", hosts=hosts, **params)


def unit(text: str) -> dict[str, list[str]]:
    found = defaultdict(list)
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[key].append(value)
    return dict(found)


def test_hosts_prove_themselves_with_certificates_of_the_tree() -> None:
    made = on_hosts()
    server, agent = server_config(made), agent_config(made)
    assert plugin(server, "NodeAttestor") == ("x509pop", {"ca_bundle_path": "/etc/spire/node-ca.crt"})
    paths = {"certificate_path": "/etc/spire/agent.crt", "private_key_path": "/etc/spire/agent.key"}
    assert plugin(agent, "NodeAttestor") == ("x509pop", paths)
    assert agent["agent"]["server_address"] == "spire.internal"
    assert "insecure_bootstrap" not in agent["agent"]
    assert "join_token" not in agent["agent"]
    assert server["server"]["socket_path"] == "/run/spire/server/private/api.sock"


def test_hosts_prove_themselves_with_a_token_that_no_file_of_ours_holds() -> None:
    made = on_hosts(hosts={"attestor": "join_token"})
    assert plugin(server_config(made), "NodeAttestor") == ("join_token", {})
    assert agent_config(made)["agent"]["join_token"] == "$JOIN_TOKEN"
    service = unit(made.texts["spire-agent.service"])
    assert service["EnvironmentFile"] == ["-/etc/spire/agent.env"]
    assert service["ExecStart"][0].endswith(" -expandEnv")
    assert "expandEnv" not in on_hosts().texts["spire-agent.service"]


def test_mistake_10_the_password_is_in_no_file() -> None:
    made = on_hosts(datastore={**POSTGRES, "password": "swordfish"}, authority=AUTHORITY)
    assert unit(made.texts["spire-server.service"])["EnvironmentFile"] == ["/etc/spire/server.env"]
    everything = b"".join(made.files("shop").values())
    assert b"swordfish" not in everything
    assert b"the key" not in everything
    assert (
        plugin(server_config(made), "UpstreamAuthority")[1]["key_file_path"] == "/etc/spire/upstream-authority/tls.key"
    )


def test_a_workload_is_known_by_what_is_asked_for() -> None:
    made = agent_config(on_hosts(hosts={"workload_attestors": ["unix", "docker", "systemd"]}))
    assert set(made["plugins"]["WorkloadAttestor"]) == {"unix", "docker", "systemd"}


def test_a_server_and_an_agent_get_on_on_one_host() -> None:
    made = on_hosts()
    used = [
        (config["health_checks"]["bind_port"], config["telemetry"]["Prometheus"]["port"])
        for config in (server_config(made), agent_config(made))
    ]
    assert len({port for pair in used for port in pair}) == 4
    for config in (server_config(made), agent_config(made)):
        assert config["health_checks"]["bind_address"] == config["telemetry"]["Prometheus"]["host"] == "127.0.0.1"


def test_units_run_the_release_that_they_say() -> None:
    made = on_hosts(
        version="1.15.3", agent_version="1.14.7", hosts={"bin_dir": "/usr/local/bin", "config_dir": "/etc/s"}
    )
    server, agent = (unit(made.texts[f"spire-{name}.service"]) for name in ("server", "agent"))
    assert (server["X-SPIRE-Version"], agent["X-SPIRE-Version"]) == (["1.15.3"], ["1.14.7"])
    assert server["ExecStart"] == ["/usr/local/bin/spire-server run -config /etc/s/server.conf"]
    assert server["User"] == ["spire"]
    assert "User" not in agent, "the agent looks at other users' processes"
    # Containers keep the directory of the socket that they have mounted.
    assert (agent["RuntimeDirectory"], agent["RuntimeDirectoryPreserve"]) == (["spire/sockets"], ["yes"])


@needs_systemd
def test_systemd_finds_the_units_correct_and_well_confined(tmp_path: Path) -> None:
    program = tmp_path / "bin"
    program.mkdir()
    for name in ("spire-server", "spire-agent"):
        (program / name).write_text("#!/bin/sh\n", encoding="ascii")
        (program / name).chmod(0o755)
    made = on_hosts(hosts={"bin_dir": str(program), "attestor": "join_token", "user": "root"}, datastore=POSTGRES)
    units = [tmp_path / name for name in made.texts if name.endswith(".service")]
    for path in units:
        path.write_text(made.texts[path.name], encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", *map(str, units)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "spire-" in line]
    assert complaints == []
    command = ["systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=30", *map(str, units)]
    rated = subprocess.run(command, capture_output=True, text=True, check=False)
    assert rated.returncode == 0, rated.stdout[-2000:]


def test_c4_services_of_compose_get_the_identities_of_the_graph() -> None:
    hosts = {"compose_project": "shop", "workload_attestors": ["docker"]}
    made = on_hosts(hosts=hosts)
    alias, api, frontend = made.entries
    assert alias["parent_id"] == "spiffe://valuecanvas.example.com/spire/server"
    assert alias["selectors"] == [{"type": "x509pop", "value": "ca:fingerprint:" + "0a" * 20}]
    assert {api["parent_id"], frontend["parent_id"]} == {alias["spiffe_id"]}
    assert api["spiffe_id"] == "spiffe://valuecanvas.example.com/ns/shop/sa/api"
    assert api["selectors"] == [
        {"type": "docker", "value": "label:com.docker.compose.project:shop"},
        {"type": "docker", "value": "label:com.docker.compose.service:api"},
    ]
    assert all(entry["entry_id"].startswith("shop.") for entry in made.entries)
    assert validate(sourced(made.documents)).problems == ()
