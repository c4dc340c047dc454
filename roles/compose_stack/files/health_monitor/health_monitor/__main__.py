# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m health_monitor``: watch until SIGTERM. Exit code 0 then, 2 when the settings are wrong."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys

from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler
from pydantic import ValidationError
from pythonjsonlogger.json import JsonFormatter

from health_monitor.engine import Engine
from health_monitor.metrics import Metrics
from health_monitor.monitor import Monitor
from health_monitor.settings import Settings


async def serve(settings: Settings) -> None:
    """Watch, and answer ``/health`` and ``/metrics``. Raises OSError when it cannot listen."""
    metrics = Metrics()
    # In a container the host's name is the beginning of the container's id, unless somebody has set another.
    engine = Engine(
        settings.engine, settings.project, settings.ignore, socket.gethostname(), silence=settings.resync_seconds
    )
    monitor = Monitor(engine, settings.policy(), metrics)

    async def health(_request: web.Request) -> web.Response:
        problem = monitor.problem()
        if problem:
            return web.json_response({"status": "unhealthy", "detail": problem}, status=503)
        return web.json_response({"status": "ok"})

    app = web.Application(client_max_size=1024)
    app.router.add_get("/health", health)
    app.router.add_get("/metrics", make_aiohttp_handler(metrics.registry))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        for host in settings.listen_hosts:
            await web.TCPSite(runner, host, settings.port).start()
        watching = asyncio.create_task(monitor.run())
        waiting = asyncio.create_task(ended.wait())
        await asyncio.wait([watching, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        watching.cancel()
        await asyncio.wait([watching])
        if not watching.cancelled():
            watching.result()
    finally:
        await runner.cleanup()
        await engine.close()


def main() -> int:
    """The exit code."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(["asctime", "levelname", "name", "message"]))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        asyncio.run(serve(Settings()))
    except ValidationError as error:
        wrong = "; ".join(f"HEALTH_MONITOR_{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        sys.stderr.write(f"The settings are not complete: {wrong}.\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
