# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control API on PostgreSQL and Redis: its own tests, several instances, and servers that go away and come back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from tests.live.debian import debian_tree
from tests.live.processes import Processes, free_port

REPO = Path(__file__).resolve().parents[2]
STACK = REPO / ".venv-stack" / "bin"
PROGRAM = REPO / "roles" / "compose_stack" / "files" / "control_api"


class Server:
    """A server on loopback that can be stopped, and started again on the same port and data."""

    def __init__(
        self, command: list[str], port: int, environment: dict[str, str], user: Optional[str], log: Path
    ) -> None:
        self.port, self._command, self._environment, self._user, self._log = port, command, environment, user, log
        self._process: Optional[subprocess.Popen[bytes]] = None

    def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, **self._environment},
                user=self._user,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def stop(self, how: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None


@pytest.fixture(scope="module")
def database(open_folder: Path) -> Iterator[Server]:
    """PostgreSQL, which refuses to run as root, of the machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("there is no PostgreSQL here: its package is postgresql")
    user = "postgres" if os.geteuid() == 0 else None
    data, port = open_folder / "postgres", free_port()
    data.mkdir(mode=0o700)
    if user:
        shutil.chown(data, user)
    initdb = [str(found[-1].with_name("initdb")), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*initdb, "--locale=C"], user=user, cwd="/", check=True, capture_output=True)
    server = Server(
        [str(found[-1]), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", "", "-c", "fsync=off"],
        port,
        {},
        user,
        open_folder / "postgres.log",
    )
    server.start()
    yield server
    server.stop(signal.SIGQUIT)


@pytest.fixture(scope="module")
def redis(open_folder: Path) -> Iterator[Server]:
    found = shutil.which("redis-server")
    libraries = ""
    if not found:
        # The server is the same program as the checker, by another name.
        found = str(open_folder / "redis-server")
        Path(found).symlink_to(debian_tree("redis-tools") / "usr" / "bin" / "redis-check-rdb")
        trees = [debian_tree(package) for package in ("liblzf1", "libjemalloc2")]
        libraries = os.pathsep.join(str(path.parent) for tree in trees for path in tree.rglob("*.so.*"))
    port = free_port()
    command = [found, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(open_folder)]
    server = Server(command, port, {"LD_LIBRARY_PATH": libraries} if libraries else {}, None, open_folder / "redis.log")
    server.start()
    yield server
    server.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def stack() -> Path:
    if not (STACK / "pytest").exists():
        pytest.skip("there is no .venv-stack: `make .venv-stack/.ready` makes it")
    return STACK


def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.05)


def _ask(port: int, path: str, key: str = "", body: Any = None) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


class Instances:
    """Two instances of the API on the same servers, and an administrator's key."""

    def __init__(self, stack: Path, database: Server, redis: Server, folder: Path) -> None:
        self._python, self._folder = str(stack / "python"), folder
        self._settings = {
            "PYTHONPATH": str(PROGRAM),
            "CONTROL_API_DATABASE_URL": f"postgresql://postgres@127.0.0.1:{database.port}/postgres",
            "CONTROL_API_REDIS_URL": f"redis://127.0.0.1:{redis.port}/0",
            "CONTROL_API_LIMIT_DATA": "40",
            "CONTROL_API_LIMIT_STATUS": "20",
            "CONTROL_API_OPTIMIZE_SECONDS": "60",
        }
        self.ports = [free_port(), free_port()]

    def run(self, *arguments: str) -> str:
        command = [self._python, "-m", "control_api", *arguments]
        environment = {**os.environ, **self._settings}
        return subprocess.run(
            command, env=environment, cwd=self._folder, check=True, capture_output=True, text=True
        ).stdout

    def start(self, processes: Processes) -> list[subprocess.Popen[bytes]]:
        # Both migrate at once: neither may stumble over the other.
        command = [self._python, "-m", "control_api", "serve"]
        with ThreadPoolExecutor(2) as pool:
            return list(
                pool.map(
                    lambda port: processes.start(command, port, {**self._settings, "CONTROL_API_PORT": str(port)}, 120),
                    self.ports,
                )
            )


def _key(instances: Instances, owner: str) -> str:
    return str(json.loads(instances.run("keys", "create", "--owner", owner, "--role", "admin"))["key"])


def test_its_own_tests_hold_on_postgresql_and_redis(stack: Path, database: Server, redis: Server) -> None:
    environment = {
        **os.environ,
        "CONTROL_API_TEST_DATABASE_URL": f"postgresql://postgres@127.0.0.1:{database.port}/postgres",
        "CONTROL_API_TEST_REDIS_URL": f"redis://127.0.0.1:{redis.port}/1",
    }
    command = [str(stack / "pytest"), "-q", "-c", "tests/stack/pyproject.toml", "--rootdir", "."]
    # The optimiser knows of no database.
    files = [f"tests/stack/control_api/test_{name}.py" for name in ("api", "limits", "schema")]
    done = subprocess.run([*command, *files], cwd=REPO, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "skipped" not in done.stdout


def test_instances_share_limits_and_survive_their_servers(
    stack: Path, database: Server, redis: Server, open_folder: Path, processes: Processes
) -> None:
    instances = Instances(stack, database, redis, open_folder)
    running = instances.start(processes)
    one, other = instances.ports
    ann, bob, eve = (_key(instances, owner) for owner in ("ann", "bob", "eve"))

    # Sixty at once, by two instances: exactly the limit.
    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(lambda n: _ask((one, other)[n % 2], "/api/data", ann), range(60))
        codes = Counter(code for code, _answer in answers)
    assert codes == {200: 40, 429: 20}
    code, item = _ask(one, "/api/data", bob, {"name": "kept", "cost": 1, "value": 1})
    assert code == 201

    # Redis away: degraded, served, and still limited; back: as before, unaided.
    redis.stop(signal.SIGKILL)
    _until(lambda: _ask(one, "/ready")[1]["status"] == "degraded")
    assert _ask(one, "/ready")[0] == 200
    codes = Counter(_ask(one, "/api/status", eve)[0] for _n in range(25))
    assert codes == {200: 20, 429: 5}
    redis.start()
    _until(lambda: _ask(one, "/ready")[1]["status"] == "ready")

    # PostgreSQL away: said so, with no detail of it; back: the item is there.
    database.stop(signal.SIGINT)
    _until(lambda: _ask(one, "/ready")[0] == 503)
    assert _ask(one, "/health")[0] == 200
    code, problem = _ask(one, f"/api/data/{item['id']}", bob)
    assert (code, problem["detail"]) == (503, "The database does not answer. Try again in a moment.")
    database.start()
    _until(lambda: _ask(one, "/ready")[0] == 200 and _ask(other, "/ready")[0] == 200)
    assert _ask(other, f"/api/data/{item['id']}", bob) == (200, item)

    # SIGTERM: it ends by that, and soon.
    for process in running:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == -signal.SIGTERM
    with suppress(OSError):
        _ask(one, "/health")
        pytest.fail("it still answers")
