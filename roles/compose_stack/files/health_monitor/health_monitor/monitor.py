# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shell around the core: hears events, keeps the time, and does what is decided.

On each connection the stream of events is opened first and the states are listed then, so nothing falls between the
two. All events go through one queue, so the core sees one after the other.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Optional

from health_monitor import core
from health_monitor.engine import Engine, EngineError
from health_monitor.metrics import Metrics

log = logging.getLogger(__name__)

#: Between two attempts to reach the engine.
RECONNECT_SECONDS = 2.0
#: Between two streams of events, in case that each is closed at once.
PAUSE_SECONDS = 0.5
#: Without the engine for so long, the monitor is not healthy.
LONGEST_WITHOUT_ENGINE = 30.0


class Monitor:
    """Runs until it is cancelled."""

    def __init__(self, engine: Engine, policy: core.Policy, metrics: Metrics) -> None:
        self._engine = engine
        self._policy = policy
        self._metrics = metrics
        self._state = core.State()
        self._queue: asyncio.Queue[core.Event] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lost_since: Optional[float] = time.monotonic()

    def problem(self) -> str:
        """What makes the monitor itself unhealthy, or nothing."""
        if self._state.given_up:
            return f"Given up: {', '.join(self._state.given_up)}."
        if self._lost_since is not None and time.monotonic() - self._lost_since > LONGEST_WITHOUT_ENGINE:
            return "The engine cannot be reached."
        return ""

    async def run(self) -> None:
        """Watch."""
        listener = asyncio.create_task(self._listen())
        try:
            while True:
                self._take(await self._next())
        finally:
            for task in (listener, *self._tasks):
                task.cancel()
            await asyncio.gather(listener, *self._tasks, return_exceptions=True)

    async def _next(self) -> core.Event:
        due = self._state.next_due(self._policy)
        try:
            # Not wait_for, which before Python 3.12 can lose a cancellation.
            async with asyncio.timeout(None if due is None else max(0, due - time.monotonic())):
                return await self._queue.get()
        except TimeoutError:
            return core.Tick()

    def _take(self, event: core.Event) -> None:
        if isinstance(event, core.Heard):
            self._metrics.events.labels(event.service, event.action).inc()
            level = logging.WARNING if event.action in ("unhealthy", "die") else logging.INFO
            log.log(level, event.action, extra={"event": event.action, **_names(event.id, event.service)})
        draw = random.random()  # noqa: S311 (nothing is to be kept secret)
        self._state, actions = core.step(self._policy, self._state, event, time.monotonic(), draw)
        self._metrics.show(self._state)
        for action in actions:
            if isinstance(action, core.GiveUp):
                extra = {"event": "given_up", "reason": action.reason, "attempts": action.attempts}
                log.error("given up", extra={**extra, **_names(action.id, action.service)})
            else:
                task = asyncio.create_task(
                    self._look(action) if isinstance(action, core.Look) else self._restart(action)
                )
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _look(self, action: core.Look) -> None:
        try:
            self._queue.put_nowait(core.Looked(action.id, await self._engine.sight(action.id)))
        except EngineError as error:
            log.warning("cannot look", extra={"event": "look_failed", "container": action.id[:12], "error": str(error)})
            self._queue.put_nowait(core.Tried(action.id, False))

    async def _restart(self, action: core.Restart) -> None:
        names = {**_names(action.id, action.service), "reason": action.reason, "attempt": action.attempt}
        log.warning("restarting", extra={"event": "restarting", **names})
        outcome = "failed"
        try:
            await self._engine.restart(action.id)
            outcome = "ok"
            log.info("restarted", extra={"event": "restarted", **names})
        except EngineError as error:
            log.error("the engine did not restart it", extra={"event": "restart_failed", "error": str(error), **names})
        self._metrics.restarts.labels(action.service, action.reason, outcome).inc()
        self._queue.put_nowait(core.Tried(action.id, outcome == "ok"))

    async def _listen(self) -> None:
        while True:
            try:
                async with self._engine.events() as events:
                    self._queue.put_nowait(core.Listed(await self._engine.sights()))
                    if self._lost_since is not None:
                        log.info("connected", extra={"event": "connected"})
                    self._lost_since = None
                    self._metrics.connected.set(1)
                    async for event in events:
                        self._queue.put_nowait(event)
                # Nothing was heard for long, or the engine is going: listen anew, and list.
                await asyncio.sleep(PAUSE_SECONDS)
            except EngineError as error:
                if self._lost_since is None:
                    self._lost_since = time.monotonic()
                self._metrics.connected.set(0)
                log.warning("not connected", extra={"event": "disconnected", "error": str(error)})
                await asyncio.sleep(RECONNECT_SECONDS)


def _names(container: str, service: str) -> dict[str, str]:
    return {"service": service, "container": container[:12]}
