# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health monitor beside a real engine: what is unhealthy, killed or stopped; the engine away and back."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.docker_engine import Engine

REPO = Path(__file__).resolve().parents[2]
PYTHON = REPO / ".venv-stack/bin/python"
PROJECT = "watched"


class Watch:
    """The monitor as a process, and one container of its project."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.log, self.port = engine, folder / "log", free_port()
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPO / "roles/compose_stack/files/health_monitor"),
            "HEALTH_MONITOR_ENGINE": engine.host,
            "HEALTH_MONITOR_PROJECT": PROJECT,
            "HEALTH_MONITOR_PORT": str(self.port),
            "HEALTH_MONITOR_DEAD_SECONDS": "2",
            "HEALTH_MONITOR_PAUSED_SECONDS": "2",
        }

    def state(self, name: str) -> str:
        template = "{{.State.Status}} {{.State.Health.Status}} {{.State.StartedAt}}"
        return self.engine.cli("inspect", "--format", template, name).strip()

    def events(self, name: str) -> list[str]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line["event"] for line in lines if line.get("service") == name]

    def connected(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                return "health_monitor_connected 1.0" in answer.read().decode()
        except OSError:
            return False

    def container(self, name: str) -> None:
        """It is healthy until it has a file that a restart takes away."""
        labels = [f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={name}"]
        options = [part for label in labels for part in ("--label", label)]
        options += ["--health-cmd", "test ! -e /run/sick", "--health-interval", "1s", "--health-retries", "1"]
        options += ["--tmpfs", "/run", "--init", "--restart", "unless-stopped", "--network", "none"]
        self.engine.cli("run", "--detach", "--name", name, *options, "zt-watched:1", "sleep", "infinity")
        self.until(lambda: "running healthy" in self.state(name))

    def restarted(self, name: str, before: str) -> None:
        self.until(lambda: self.state(name).startswith("running healthy") and self.state(name) != before)

    def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def watch(engine: Engine, tmp_path: Path) -> Iterator[Watch]:
    if not PYTHON.exists():
        pytest.skip("the monitor's packages are not installed; `make stack` does it")
    engine.image("zt-watched:1")
    watch = Watch(engine, tmp_path)
    with watch.log.open("wb") as log:
        process = subprocess.Popen([PYTHON, "-m", "health_monitor"], env=watch.environment, stdout=log, stderr=log)
    try:
        watch.until(watch.connected)
        yield watch
    finally:
        process.terminate()
        process.wait(20)
        if names := engine.cli("ps", "-aq", "--filter", f"label=com.docker.compose.project={PROJECT}").split():
            engine.cli("rm", "--force", *names)


def test_an_unhealthy_a_killed_and_a_paused_container_run_again_and_a_stopped_one_does_not(watch: Watch) -> None:
    watch.container("sick")
    watch.container("killed")
    watch.container("paused")
    watch.container("stopped")
    sick, killed, paused = map(watch.state, ("sick", "killed", "paused"))
    watch.engine.cli("pause", "paused")
    watch.engine.cli("stop", "--time", "1", "stopped")
    watch.engine.cli("exec", "sick", "touch", "/run/sick")
    watch.until(lambda: "unhealthy" in watch.events("sick"), 30)
    watch.restarted("sick", sick)
    watch.engine.cli("kill", "killed")
    watch.restarted("killed", killed)
    watch.restarted("paused", paused)
    assert watch.events("killed").count("restarting") == 1
    assert watch.state("stopped").startswith("exited")
    assert "restarting" not in watch.events("stopped")


def test_it_goes_on_when_the_engine_is_away_and_back(watch: Watch) -> None:
    watch.container("later")
    watch.engine.stop()
    watch.until(lambda: not watch.connected())
    watch.engine.start()
    watch.until(watch.connected)
    watch.until(lambda: "running healthy" in watch.state("later"))
    before = watch.state("later")
    watch.engine.cli("exec", "later", "touch", "/run/sick")
    watch.restarted("later", before)
