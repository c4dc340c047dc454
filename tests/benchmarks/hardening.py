# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hardening costs: one small container, hardened and plain by turns, on an engine of its own.

    python tests/benchmarks/hardening.py [rounds]

Needs what the live tests need, and without it says why nothing was measured. Prints medians: seconds from `docker run`
to the first answer, MiB after it, CPU seconds of the container for all requests, milliseconds of one.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.live.docker_engine import Engine

IMAGE = "zt-hardening:1"
REQUESTS = 500
PLAIN = ["--publish", "127.0.0.1:8080:8080"]
HARDENED = [
    *("--publish", "127.0.0.1:8080:8080", "--user", "1000:1000", "--read-only", "--tmpfs", "/tmp", "--init"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "128m", "--cpus", "1"),
    *("--pids-limit", "64", "--ulimit", "nofile=512:512", "--health-interval", "30s"),
    *("--health-cmd", "python3 -c \"import socket; socket.create_connection(('127.0.0.1', 8080), 2)\""),
]
SERVER = """
from http.server import *
class Handler(BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", 65536
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *a): pass
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""
CLIENT = f"""
import http.client, json, statistics, time
while True:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=5)
        connection.request("GET", "/"); connection.getresponse().read(); break
    except (OSError, http.client.HTTPException):
        time.sleep(0.01)
first, took = time.time(), []
for at in range({REQUESTS}):
    began = time.perf_counter(); connection.request("GET", "/"); connection.getresponse().read()
    took.append(time.perf_counter() - began)
print(json.dumps([first, statistics.median(took)]))
"""
FIGURES = ("start-up s", "memory MiB", "CPU s", "response ms")


def once(engine: Engine, options: list[str]) -> tuple[float, ...]:
    import docker

    began = time.time()
    container = engine.cli("run", "--detach", *options, IMAGE, "python3", "-c", SERVER).strip()
    first, response = json.loads(engine.run(*engine.inside(sys.executable, "-c", CLIENT)))
    client = docker.APIClient(engine.host)
    stats = client.stats(container, stream=False)
    client.close()
    engine.cli("rm", "--force", container)
    cpu = stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
    return first - began, stats["memory_stats"]["usage"] / 2**20, cpu, response * 1000


def main(rounds: int) -> None:
    engine = Engine()
    try:
        engine.start()
        engine.image(IMAGE, ["python3"])
        once(engine, PLAIN)
        measured: dict[str, list[tuple[float, ...]]] = {"plain": [], "hardened": []}
        for _round in range(rounds):
            measured["plain"].append(once(engine, PLAIN))
            measured["hardened"].append(once(engine, HARDENED))
    finally:
        engine.remove()
    print(f"{'':12}{'plain':>10}{'hardened':>10}{'more':>10}")
    for name, plain, hardened in zip(FIGURES, zip(*measured["plain"]), zip(*measured["hardened"])):
        before, after = statistics.median(plain), statistics.median(hardened)
        print(f"{name:12}{before:10.2f}{after:10.2f}{after - before:+10.2f}")


if __name__ == "__main__":
    try:
        if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter"))):
            pytest.skip("a Docker engine needs root, iproute2 and util-linux")
        main(int((sys.argv[1:] or ["5"])[0]))
    except pytest.skip.Exception as reason:
        print(f"What hardening costs was not measured: {reason}.")
