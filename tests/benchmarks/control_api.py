# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control API on loopback with and without its middlewares, and its limiter beside slowapi's.

Run by `.venv-stack/bin/python tests/benchmarks/control_api.py build/bench-control-api.json`. The two of a
pair run in turns and are compared by CPU seconds, so that a busy machine changes little; the rounds' median counts.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "roles" / "compose_stack" / "files" / "control_api"))

import uvicorn  # noqa: E402
from control_api import keys  # noqa: E402
from control_api.access import principal  # noqa: E402
from control_api.app import create_app  # noqa: E402
from control_api.database import migrate  # noqa: E402
from control_api.limits import MemoryLimiter, Window  # noqa: E402
from control_api.serving import listen  # noqa: E402
from control_api.settings import Settings  # noqa: E402
from limits import parse  # noqa: E402
from limits.storage import MemoryStorage  # noqa: E402
from limits.strategies import MovingWindowRateLimiter  # noqa: E402
from sqlalchemy.orm import Session  # noqa: E402

ROUNDS, REQUESTS, TAKES = 41, 150, 10_000
GOAL = 0.15
"""Share of the server's CPU time for a request that the middlewares may take."""


@contextmanager
def _served(app: Any) -> Iterator[int]:
    sockets = listen(["127.0.0.1"], 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def _requests(port: int, key: str) -> tuple[float, float, float]:
    """Requests a second over one connection, the 99th percentile of their milliseconds, the server's CPU ms for one."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    times = []
    # The server has threads of its own in this process; this thread is the client.
    before = time.process_time() - time.thread_time()
    for _n in range(REQUESTS):
        begin = time.perf_counter()
        connection.request("GET", "/api/data", headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        answer.read()
        times.append(time.perf_counter() - begin)
        if answer.status != 200:
            raise RuntimeError(f"the API answers {answer.status}")
    connection.close()
    cpu = time.process_time() - time.thread_time() - before
    return REQUESTS / sum(times), statistics.quantiles(times, n=100)[98] * 1000, cpu / REQUESTS * 1000


def middlewares(folder: Path) -> dict[str, Any]:
    """GET /api/data, whose handler reads the database. Without the middlewares nobody looks the key up either."""
    wide = {f"limit_{name}": 10**6 for name in ("default", "key", "data")}
    settings = Settings(database_url=f"sqlite:///{folder}/bench.db", **wide)
    ours, bare = create_app(settings), create_app(settings)
    migrate(ours.state.engine)
    with Session(ours.state.engine) as session:
        key = keys.create(session, "bench", keys.Role.USER, datetime.now(timezone.utc), None)[1]
    bare.user_middleware.clear()
    bare.dependency_overrides[principal] = lambda: keys.Principal(1, "bench", keys.Role.USER)
    # The audit log is written, to where it costs no terminal.
    log = logging.getLogger("control_api")
    log.setLevel(logging.INFO)
    log.addHandler(logging.FileHandler(folder / "audit.log"))
    rounds: dict[str, list[tuple[float, float, float]]] = {"ours": [], "bare": []}
    with _served(ours) as port, _served(bare) as bare_port:
        for _n in range(ROUNDS):
            rounds["ours"].append(_requests(port, key))
            rounds["bare"].append(_requests(bare_port, key))
    result: dict[str, Any] = {
        which: {
            name: round(statistics.median(column), 3)
            for name, column in zip(("requests_per_second", "p99_milliseconds", "cpu_milliseconds"), zip(*found))
        }
        for which, found in rounds.items()
    }
    share = 1 - statistics.median(b[2] / a[2] for a, b in zip(rounds["ours"], rounds["bare"]))
    return {**result, "cost_share": round(share, 3), "goal_cost_share": GOAL}


def limiters() -> dict[str, Any]:
    """Microseconds for one decision in memory, most of them refusals or not: the window holds 1000 of 10,000."""

    async def ours() -> float:
        limiter, window = MemoryLimiter(), [Window("bench", "ann", 1000)]
        begin = time.process_time()
        for _n in range(TAKES):
            await limiter.take(window)
        return time.process_time() - begin

    def slowapis() -> float:
        # What slowapi calls for each request: the sliding window of the library `limits`.
        limiter, rate = MovingWindowRateLimiter(MemoryStorage()), parse("1000/minute")
        begin = time.process_time()
        for _n in range(TAKES):
            limiter.hit(rate, "ann")
            limiter.get_window_stats(rate, "ann")
        return time.process_time() - begin

    pairs = [(asyncio.run(ours()), slowapis()) for _n in range(ROUNDS)]
    own, other = (statistics.median(column) / TAKES * 1e6 for column in zip(*pairs))
    return {
        "ours_microseconds": round(own, 2),
        "slowapi_microseconds": round(other, 2),
        "times_faster": round(other / own, 1),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        result = {"middlewares": middlewares(Path(folder)), "limiters": limiters()}
    print(json.dumps(result, indent=2))
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
