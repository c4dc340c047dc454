# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stack of the role compose_stack on a real engine: what the fixtures `host` and `stack` are made of."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.ansible_run import Run, run_playbook
from tests.live.docker_engine import Engine
from tests.live.go_tools import pypi_tree

REPO = Path(__file__).resolve().parents[2]
ROLE = REPO / "roles/compose_stack"
DECLARED = yaml.safe_load((ROLE / "files/stack.yml").read_text(encoding="utf-8"))["services"]
PORTS = {"postgres": 5432, "redis": 6379, "docker-socket-proxy": 2375, "api": 8000, "health-monitor": 9100}
BASE = "zt-stack:1"

#: Listens where our own programs do.
SERVER = """
import os, socketserver, threading, http.server
hosts = next((v for k, v in os.environ.items() if k.endswith("LISTEN_HOSTS")), "0.0.0.0").split(",")
port = int(next((v for k, v in os.environ.items() if k.endswith("_PORT")), "8080"))
for host in hosts:
    server = http.server.ThreadingHTTPServer((host, port), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever).start()
"""
QUICK = {"interval": "1s", "start_period": "60s"}


def placeholder(name: str) -> dict[str, Any]:
    probe = f"import socket; socket.create_connection(('127.0.0.1', {PORTS.get(name, 8080)}), 2)"
    return {
        "image": BASE,
        "build": None,
        "command": ["python3", "-c", SERVER],
        "health": {**QUICK, "test": ["python3", "-c", probe]},
    }


OVERRIDES: dict[str, Any] = {
    "services": {
        **{name: placeholder(name) for name in DECLARED if name == "api" or name.startswith(("mcp-", "health-"))},
        "postgres": {"image": "zt-postgres:1", "health": QUICK},
        "redis": {"image": "zt-redis:1", "health": QUICK},
        "docker-socket-proxy": {"image": BASE, "health": QUICK},
    }
}


class Host:
    """The engine with the role on it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder, self.dest = engine, folder, folder / "stack"

    def role(self, *arguments: str, tasks_from: str = "main", **variables: Any) -> Run:
        settings = {
            "compose_stack_dest": str(self.dest),
            "compose_stack_socket": str(self.engine.socket),
            "compose_stack_build": False,
            "compose_stack_overrides": OVERRIDES,
            **variables,
        }
        role = {"name": "zerotrust.platform.compose_stack", "tasks_from": tasks_from}
        play = {"hosts": "localhost", "gather_facts": False, "vars": settings}
        playbook = self.folder / "playbook.yml"
        playbook.write_text(yaml.safe_dump([{**play, "tasks": [{"ansible.builtin.include_role": role}]}]))
        return run_playbook(playbook, *arguments)

    def up(self) -> None:
        if len(self.engine.cli("ps", "--quiet").split()) < len(DECLARED):
            run = self.role()
            assert run.status == 0, run.output

    def inside(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        full = [self.engine.docker, "exec", f"zerotrust-{service}-1", *command]
        return subprocess.run(full, env=self.engine.environment, capture_output=True, text=True, check=False)

    def python(self, service: str, code: str) -> str:
        done = self.inside(service, "python3", "-c", code)
        assert done.returncode == 0, f"{service}: {done.stderr}"
        return done.stdout.strip()

    def sql(self, statement: str) -> str:
        command = ["psql", "--host=/tmp", "--username=postgres", "--dbname=api", "-qAtc", statement]
        done = self.inside("postgres", *command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def redis(self, *words: str) -> str:
        client = "REDISCLI_AUTH=$(cat /run/secrets/redis_password) redis-cli --no-auth-warning --tls --cacert"
        done = self.inside("redis", "sh", "-c", f"{client} /run/secrets/stack_ca -h 127.0.0.1 {' '.join(words)}")
        return done.stdout.strip()


def running_host(engine: Engine, folder: Path) -> Iterator[Host]:
    """The fixture `host`: images are there, nothing of the stack is. It leaves nothing."""
    collections = pypi_tree("collections.txt")
    if collections is None:
        pytest.skip("community.docker cannot be had from PyPI")
    engine.image(BASE, ["haproxy", "postgresql", "python3", "redis-server"])
    for name in ("postgres", "redis"):
        building = {**engine.environment, "DOCKER_BUILDKIT": "0"}
        context = ROLE / "files" / name
        engine.cli("build", "--quiet", "--build-arg", f"BASE_IMAGE={BASE}", "-t", f"zt-{name}:1", context, env=building)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PATH", "DOCKER_CONFIG"):
            patch.setenv(name, engine.environment[name])
        patch.setenv("ANSIBLE_COLLECTIONS_PATH", f"{REPO / '.venv/collections'}:{collections}")
        made = Host(engine, folder)
        yield made
        made.role(compose_stack_state="absent", compose_stack_remove_data=True)
