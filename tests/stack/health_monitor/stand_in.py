# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for the engine that speaks its HTTP over a unix socket, with containers as a test wants them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Optional

from aiohttp import web

PACKAGE = Path(__file__).parents[3] / "roles" / "compose_stack" / "files" / "health_monitor"
SECONDS = 20.0


class StandIn:
    """``restarted``: a container's id for each restart that was asked for; ``asked``: each path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.containers: dict[str, dict[str, Any]] = {}
        self.restarted: asyncio.Queue[str] = asyncio.Queue()
        self.listeners = 0
        self.listed = asyncio.Event()
        self.refuse_restarts = 0
        self.heals = True
        self._streams: set[web.StreamResponse] = set()
        self._runner: Optional[web.AppRunner] = None

    def add(
        self, identity: str, service: str, health: str = "healthy", status: str = "running", exit_code: int = 0
    ) -> None:
        labels = {"com.docker.compose.project": "stack", "com.docker.compose.service": service}
        state = {"Status": status, "ExitCode": exit_code, "Health": {"Status": health}}
        self.containers[identity] = {"Id": identity, "State": state, "Config": {"Labels": labels}}

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/events", self._events)
        app.router.add_get("/containers/json", self._list)
        app.router.add_get("/containers/{id}/json", self._inspect)
        app.router.add_post("/containers/{id}/restart", self._restart)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.path)).start()

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
        self.path.unlink(missing_ok=True)
        self.listed.clear()

    async def tell(self, identity: str, action: str) -> None:
        labels = self.containers[identity]["Config"]["Labels"]
        await self.say(
            json.dumps({"Type": "container", "Action": action, "Actor": {"ID": identity, "Attributes": labels}})
        )

    async def say(self, line: str) -> None:
        for stream in list(self._streams):
            await stream.write(line.encode() + b"\n")

    async def become(self, identity: str, health: str) -> None:
        self.containers[identity]["State"]["Health"]["Status"] = health
        await self.tell(identity, f"health_status: {health}")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        filters = json.loads(request.query["filters"])
        assert filters == {"type": ["container"], "label": ["com.docker.compose.project=stack"]}
        stream = web.StreamResponse()
        await stream.prepare(request)
        self._streams.add(stream)
        try:
            await asyncio.sleep(3600)
        finally:
            self._streams.discard(stream)
        return stream

    async def _list(self, request: web.Request) -> web.Response:
        assert request.query["all"] == "1"
        self.listed.set()
        return web.json_response([{"Id": c["Id"], "Labels": c["Config"]["Labels"]} for c in self.containers.values()])

    async def _inspect(self, request: web.Request) -> web.Response:
        container = self.containers.get(request.match_info["id"])
        return web.json_response(container or {"message": "No such container"}, status=200 if container else 404)

    async def _restart(self, request: web.Request) -> web.Response:
        identity = request.match_info["id"]
        self.restarted.put_nowait(identity)
        if self.refuse_restarts:
            self.refuse_restarts -= 1
            return web.json_response({"message": "no"}, status=500)
        state = self.containers[identity]["State"]
        state.update(Status="running", ExitCode=0)
        for action in ("kill", "die", "stop", "start", "restart"):
            await self.tell(identity, action)
        await self.become(identity, "healthy" if self.heals else "unhealthy")
        return web.Response(status=204)


class Watching:
    """The monitor as a process beside the stand-in."""

    def __init__(self, engine: StandIn, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.engine = engine
        self.process = process
        self.port = port
        self.log = log

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    async def get(self, path: str) -> tuple[int, str]:
        def ask() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        return await asyncio.to_thread(ask)

    async def until(self, path: str, words: str) -> str:
        """What the path answers once it has the words in it."""
        async with asyncio.timeout(SECONDS):
            while True:
                with contextlib.suppress(urllib.error.URLError):
                    text = (await self.get(path))[1]
                    if words in text:
                        return text
                await asyncio.sleep(0.05)

    async def restarted(self) -> str:
        return await asyncio.wait_for(self.engine.restarted.get(), SECONDS)


@contextlib.asynccontextmanager
async def watching(engine: StandIn, **settings: str) -> AsyncIterator[Watching]:
    """The monitor, from its start to its end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PACKAGE),
        "HEALTH_MONITOR_ENGINE": f"unix://{engine.path}",
        "HEALTH_MONITOR_PROJECT": "stack",
        "HEALTH_MONITOR_PORT": str(port),
        "HEALTH_MONITOR_BACKOFF_SECONDS": "0.1",
        "HEALTH_MONITOR_DEAD_SECONDS": "0.2",
        **settings,
    }
    log = engine.path.parent / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "health_monitor"], env=environment, stdout=output, stderr=output
        )
        try:
            yield Watching(engine, process, port, log)
        finally:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, 15)
            finally:
                process.kill()


@contextlib.asynccontextmanager
async def standing_in() -> AsyncIterator[StandIn]:
    """A stand-in on a socket whose path is short enough for one."""
    with tempfile.TemporaryDirectory() as directory:
        engine = StandIn(Path(directory) / "engine.sock")
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop()
