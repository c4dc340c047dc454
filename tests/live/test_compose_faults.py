# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults in the running stack: all of it is well again unaided within a minute, and no row is lost that was committed.

A user writes all the time, through the port that the API publishes; each 201 is a row that has to be there in the end.
Each fault strikes all containers at once, also those that repair the others.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from tests.integration.ansible_run import Run
from tests.live.compose_stack import DECLARED, OVERRIDES, Host

#: What nobody watches: without the proxy the monitor sees nothing.
WATCHERS = ("docker-socket-proxy", "health-monitor")
DATABASES = ("postgres", "redis")
WATCHED = tuple(name for name in DECLARED if name not in WATCHERS)
LIMITS = {f"CONTROL_API_LIMIT_{name}": "1000000" for name in ("DATA", "KEY")}
TIMES = {"HEALTH_MONITOR_DEAD_SECONDS": "2", "HEALTH_MONITOR_PAUSED_SECONDS": "2", "HEALTH_MONITOR_STABLE_SECONDS": "1"}

USER = """
import http.client, json, os, time
headers = {"Authorization": "Bearer " + os.environ["KEY"], "Content-Type": "application/json"}
number = 0
while True:
    number += 1
    item = json.dumps({"name": f"{os.environ['NAME']}-{number}", "cost": 1, "value": 1})
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=3)
    try:
        connection.request("POST", "/api/data", item, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        status = 0
    connection.close()
    print(number, status, time.monotonic(), flush=True)
    time.sleep(0.05)
"""


class User:
    """Who writes until the end of the block, and then finds each row that the API said to have."""

    def __init__(self, stack: Host, name: str) -> None:
        self._stack, self._name, self._log = stack, name, stack.folder / f"{name}.log"
        self._process: Optional[subprocess.Popen[bytes]] = None

    def __enter__(self) -> User:
        key = (self._stack.dest / "secrets/api_admin_key").read_text(encoding="ascii")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._stack.engine.inside(sys.executable, "-c", USER),
                env={**os.environ, "KEY": key, "NAME": self._name},
                stdout=log,
            )
        self.until(201)
        return self

    def answers(self) -> list[tuple[int, int, float]]:
        """(number, status, when) of each request; status 0: no answer."""
        lines = self._log.read_text(encoding="ascii").split("\n")[:-1]
        return [(int(number), int(status), float(when)) for number, status, when in map(str.split, lines)]

    def until(self, *statuses: int, seconds: float = 60) -> None:
        """Wait for a request, begun after now, that is answered so."""
        under_way = len(self.answers()) + 1
        until(lambda: any(status in statuses for n, status, _when in self.answers() if n > under_way), seconds)

    def __exit__(self, *failure: object) -> None:
        assert self._process
        if failure[0] is None:
            self.until(201)
        self._process.terminate()
        self._process.wait(10)
        if failure[0] is not None:
            return
        answers = self.answers()
        rows = self._stack.sql(f"SELECT name FROM items WHERE name LIKE '{self._name}-%'").splitlines()
        there = sorted(int(row.rpartition("-")[2]) for row in rows)
        assert len(there) == len(set(there))
        assert {number for number, status, _when in answers if status == 201} <= set(there)
        # What was sent and not answered may be there; nothing else is.
        assert set(there) <= {number for number, _status, _when in answers} | {len(answers) + 1}
        good = [when for _number, status, when in answers if status == 201]
        away = max(later - earlier for earlier, later in zip(good, good[1:]))
        print(f"{self._name}: {len(good)} rows, away for {away:.1f} s, answers {sorted({s for _n, s, _w in answers})}")
        assert away < 60


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.2)


class Back:
    """Remembers when containers were started; on exit, waits until all have been again, and all are well."""

    def __init__(self, stack: Host, services: Iterable[str]) -> None:
        self._stack, self._services = stack, set(services)

    def states(self) -> dict[str, tuple[str, str]]:
        template = "{{.Name}} {{.State.Status}}/{{with .State.Health}}{{.Status}}{{end}} {{.State.StartedAt}}"
        said = self._stack.engine.cli("inspect", "-f", template, *map(container, DECLARED))
        rows = (line.split() for line in said.splitlines())
        return {name.removeprefix("/zerotrust-").removesuffix("-1"): (state, since) for name, state, since in rows}

    def __enter__(self) -> None:
        self._before, self._begun = self.states(), time.monotonic()

    def __exit__(self, *failure: object) -> None:
        if failure[0] is not None:
            return
        seconds: dict[str, float] = {}
        while len(seconds) < len(DECLARED):
            now = self.states()
            for name, (state, since) in now.items():
                if state == "running/healthy" and (name not in self._services or since != self._before[name][1]):
                    seconds.setdefault(name, round(time.monotonic() - self._begun, 1))
            assert time.monotonic() < self._begun + 60, (seconds, now)
            time.sleep(0.3)
        print("back after", seconds)


def container(service: str) -> str:
    return f"zerotrust-{service}-1"


def processes(stack: Host, service: str) -> tuple[int, list[int]]:
    """The number of the first process, and of those below it, as the host sees them."""
    first = int(stack.engine.cli("inspect", "-f", "{{.State.Pid}}", container(service)))
    every = stack.engine.cli("top", container(service), "-eo", "pid").split()[1:]
    assert first > 1
    return first, [int(pid) for pid in every if int(pid) not in (0, 1, first)]


def stop_running(stack: Host, services: Iterable[str]) -> None:
    """As SIGSTOP does: it is there, connections are taken, and nothing answers."""
    for service in services:
        for pid in processes(stack, service)[1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)


def role(host: Host, **services: Any) -> Run:
    own = OVERRIDES["services"]
    changes = {name: {**own[name], "health": {"interval": "3s", "start_period": "60s"}} for name in DECLARED}
    changes["api"]["environment"], changes["health-monitor"]["environment"] = LIMITS, TIMES
    for name, change in services.items():
        changes[name] = {**changes[name], **change}
    return host.role(compose_stack_overrides={"services": changes})


def disk(host: Host, service: str) -> Path:
    return host.folder / f"{service}_disk"


@pytest.fixture(scope="module")
def stack(host: Host) -> Iterator[Host]:
    """The stack, its databases each on a disk of its own, which can be full."""
    options = "size=512m,uid=1000,gid=1000,mode=0700"
    try:
        for name in DATABASES:
            place = disk(host, name)
            place.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)
            # Not a mount below the engine's own root: it takes those away when it ends.
            bound = (f"--opt={option}" for option in ("type=none", "o=bind", f"device={place}"))
            host.engine.cli("volume", "create", *bound, f"zerotrust_{name}_data")
        run = role(host)
        assert run.status == 0, run.output
        yield host
    finally:
        for name in DATABASES:
            subprocess.run(["umount", "--lazy", disk(host, name)], check=False)


def test_killed(stack: Host) -> None:
    with User(stack, "killed"), Back(stack, DECLARED):
        for service in DECLARED:
            os.kill(processes(stack, service)[0], signal.SIGKILL)


def test_killed_by_the_engine_which_takes_it_for_a_wish(stack: Host) -> None:
    with User(stack, "wished"), Back(stack, WATCHED):
        stack.engine.cli("kill", *map(container, WATCHED))


def test_paused_while_the_monitor_is_frozen(stack: Host) -> None:
    with User(stack, "paused"), Back(stack, DECLARED):
        stop_running(stack, WATCHERS)
        stack.engine.cli("pause", *map(container, WATCHED))


def test_frozen_and_unhealthy(stack: Host) -> None:
    with User(stack, "frozen"), Back(stack, WATCHED):
        # It runs and answers, and its check may not come in.
        assert stack.redis("config", "set", "requirepass", "another") == "OK"
        stop_running(stack, (name for name in WATCHED if name != "redis"))


GREEDY = "x = []\nwhile True: x.append(b'x' * 2**20)"


def test_out_of_memory(stack: Host) -> None:
    since = str(time.time())
    with User(stack, "memory"), Back(stack, DECLARED):
        greedy = []
        for service in DECLARED:
            # The kernel ends who has most of it; so that this is the server, it is told to prefer that.
            for pid in processes(stack, service)[1]:
                with suppress(OSError):
                    Path(f"/proc/{pid}/oom_score_adj").write_text("1000", encoding="ascii")
            command = [stack.engine.docker, "exec", container(service), "python3", "-c", GREEDY]
            greedy.append(subprocess.Popen(command, env=stack.engine.environment, stderr=subprocess.DEVNULL))
        for process in greedy:
            process.wait(60)
    events = ["events", "--since", since, "--until", str(time.time()), "--filter", "event=oom"]
    ended = set(stack.engine.cli(*events, "--format", "{{.Actor.Attributes.name}}").split())
    assert ended == set(map(container, DECLARED))


def test_redis_is_away(stack: Host) -> None:
    with User(stack, "redis") as user:
        stack.engine.cli("stop", container("redis"))
        user.until(201)
        stack.engine.cli("start", container("redis"))
        until(lambda: Back(stack, ()).states()["redis"][0] == "running/healthy")


def resize(place: Path, size: int) -> bool:
    """Whether all that is there has room."""
    command = ["mount", "-o", f"remount,size={size}", str(place)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def fill(place: Path) -> bool:
    found = os.statvfs(place)
    return resize(place, (found.f_blocks - found.f_bfree) * found.f_frsize)


def test_disks_are_full(stack: Host) -> None:
    disks = [disk(stack, name) for name in DATABASES]
    with User(stack, "full") as user:
        for place in disks:
            until(lambda place=place: fill(place))
        # Its log of writes has no room for another file: it ends by itself.
        for _switch in range(20):
            stack.inside(
                "postgres",
                "psql",
                "-h/tmp",
                "-Upostgres",
                "-c",
                "CREATE TABLE x (); DROP TABLE x",
                "-c",
                "SELECT pg_switch_wal()",
            )
        user.until(500, 503)
        with Back(stack, ()):
            for place in disks:
                assert resize(place, 512 * 2**20)
            user.until(201)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_engine_is_restarted(stack: Host, how: signal.Signals) -> None:
    with User(stack, f"engine{int(how)}"), Back(stack, DECLARED):
        stack.engine.stop(how)
        stack.engine.start()


def test_one_service_is_upgraded_and_no_other_is_touched(stack: Host) -> None:
    name, image = "mcp-memory", DECLARED["mcp-memory"]["image"]
    stack.engine.cli("tag", image, f"{image}-next")
    ids = "inspect", "-f", "{{.Name}} {{.Id}}", *map(container, DECLARED)
    before = set(stack.engine.cli(*ids).splitlines())
    assert stack.inside(name, "touch", "/data/kept").returncode == 0
    with User(stack, "upgrade"):
        run = role(stack, **{name: {"image": f"{image}-next"}})
        assert run.status == 0, run.output
    (changed,) = set(stack.engine.cli(*ids).splitlines()) - before
    assert changed.startswith(f"/{container(name)} ")
    assert stack.inside(name, "ls", "/data/kept").returncode == 0
    again = role(stack, **{name: {"image": f"{image}-next"}})
    assert (again.status, again.changed) == (0, 0), again.output
