# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The monitor as a process, beside an engine that the tests make say what they need."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.stack.health_monitor.stand_in import PACKAGE, SECONDS, standing_in, watching

Test = Callable[..., Coroutine[Any, Any, None]]


def in_a_loop(test: Test) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 3 * SECONDS))

    return run


@in_a_loop
async def test_an_unhealthy_container_is_seen_restarted_logged_and_counted() -> None:
    async with standing_in() as engine:
        engine.add("c1" * 32, "api")
        engine.add("c2" * 32, "redis")
        async with watching(engine) as monitor:
            await monitor.until("/metrics", 'health_monitor_container_well{service="api"} 1.0')
            await engine.become("c1" * 32, "unhealthy")
            assert await monitor.restarted() == "c1" * 32
            counted = 'health_monitor_restarts_total{outcome="ok",reason="unhealthy",service="api"} 1.0'
            metrics = await monitor.until("/metrics", counted)
            assert "health_monitor_connected 1.0" in metrics
            assert 'health_monitor_container_well{service="redis"} 1.0' in metrics
            assert (await monitor.get("/health"))[0] == 200
        assert monitor.process.returncode == 0
        told = [line["event"] for line in monitor.lines() if line.get("service") == "api"]
        assert [event for event in told if event.startswith("restart")] == ["restarting", "restarted"]
        assert engine.restarted.empty()


@in_a_loop
async def test_what_was_unhealthy_before_is_restarted_too() -> None:
    async with standing_in() as engine:
        engine.add("c1" * 32, "api", health="unhealthy")
        async with watching(engine) as monitor:
            assert await monitor.restarted() == "c1" * 32


@in_a_loop
async def test_a_dead_container_is_restarted() -> None:
    async with standing_in() as engine:
        engine.add("c1" * 32, "api")
        async with watching(engine) as monitor:
            await monitor.until("/metrics", 'service="api"')
            engine.containers["c1" * 32]["State"].update(Status="exited", ExitCode=137)
            await engine.tell("c1" * 32, "die")
            assert await monitor.restarted() == "c1" * 32


@in_a_loop
async def test_it_gives_up_loudly() -> None:
    async with standing_in() as engine:
        engine.heals = False
        engine.add("c1" * 32, "api", health="unhealthy")
        async with watching(engine, HEALTH_MONITOR_ATTEMPTS="2") as monitor:
            await monitor.until("/health", "Given up: api.")
            assert (await monitor.get("/health"))[0] == 503
            await monitor.until("/metrics", 'health_monitor_container_given_up{service="api"} 1.0')
        assert engine.restarted.qsize() == 2
        (told,) = (line for line in monitor.lines() if line["levelname"] == "ERROR")
        assert (told["event"], told["service"], told["attempts"]) == ("given_up", "api", 2)


@in_a_loop
async def test_a_restart_that_is_refused_is_tried_again() -> None:
    async with standing_in() as engine:
        engine.refuse_restarts = 2
        engine.add("c1" * 32, "api", health="unhealthy")
        async with watching(engine) as monitor:
            await monitor.until("/metrics", 'health_monitor_restarts_total{outcome="ok"')
        assert engine.restarted.qsize() == 3


@in_a_loop
async def test_it_outlives_the_engine_and_sees_what_happened_meanwhile() -> None:
    async with standing_in() as engine:
        engine.add("c1" * 32, "api")
        async with watching(engine) as monitor:
            await monitor.until("/metrics", "health_monitor_connected 1.0")
            await engine.stop()
            await monitor.until("/metrics", "health_monitor_connected 0.0")
            engine.add("c1" * 32, "api", health="unhealthy")
            await engine.start()
            assert await monitor.restarted() == "c1" * 32
            await monitor.until("/metrics", "health_monitor_connected 1.0")


@pytest.mark.parametrize("line", ["{", "[]", '{"Action": "die", "Actor": {}}'])
@in_a_loop
async def test_an_event_that_makes_no_sense_costs_a_connection_and_no_more(line: str) -> None:
    async with standing_in() as engine:
        engine.add("c1" * 32, "api")
        async with watching(engine) as monitor:
            await monitor.until("/metrics", "health_monitor_connected 1.0")
            await engine.say(line)
            await monitor.until("/metrics", "health_monitor_connected 0.0")
            engine.containers["c1" * 32]["State"]["Health"]["Status"] = "unhealthy"
            assert await monitor.restarted() == "c1" * 32


@in_a_loop
async def test_silence_makes_it_list_anew() -> None:
    async with standing_in() as engine:
        engine.add("c1" * 32, "api")
        async with watching(engine, HEALTH_MONITOR_RESYNC_SECONDS="0.5") as monitor:
            await monitor.until("/metrics", "health_monitor_connected 1.0")
            engine.containers["c1" * 32]["State"]["Health"]["Status"] = "unhealthy"
            assert await monitor.restarted() == "c1" * 32
        assert not [line for line in monitor.lines() if line.get("event") == "disconnected"]


@in_a_loop
async def test_what_is_to_be_ignored_is() -> None:
    async with standing_in() as engine:
        engine.add("c1" * 32, "api", health="unhealthy")
        engine.add("c2" * 32, "redis", health="unhealthy")
        async with watching(engine, HEALTH_MONITOR_IGNORE="api, postgres") as monitor:
            assert await monitor.restarted() == "c2" * 32
        assert engine.restarted.empty()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "HEALTH_MONITOR_PROJECT: Field required"),
        (
            {"HEALTH_MONITOR_PROJECT": "stack", "HEALTH_MONITOR_ENGINE": "docker"},
            "HEALTH_MONITOR_ENGINE: String should",
        ),
        ({"HEALTH_MONITOR_PROJECT": "stack", "HEALTH_MONITOR_PORT": "x"}, "HEALTH_MONITOR_PORT: Input should be"),
        ({"HEALTH_MONITOR_PROJECT": "stack", "HEALTH_MONITOR_LISTEN_HOSTS": "192.0.2.1"}, "192.0.2.1"),
    ],
)
def test_wrong_settings_are_told_in_a_sentence(settings: dict[str, str], sentence: str) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE), "HEALTH_MONITOR_PORT": "0", **settings}
    command = [sys.executable, "-m", "health_monitor"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


def check(port: int) -> int:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PACKAGE),
        "HEALTH_MONITOR_PROJECT": "stack",
        "HEALTH_MONITOR_PORT": str(port),
    }
    command = [sys.executable, "-m", "health_monitor.health"]
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=30).returncode


@in_a_loop
async def test_its_check_tells_what_is_frozen_from_what_does_not_listen() -> None:
    async with standing_in() as engine, watching(engine) as monitor:
        await monitor.until("/metrics", "health_monitor_connected 1.0")
        assert await asyncio.to_thread(check, monitor.port) == 0
        monitor.process.send_signal(signal.SIGSTOP)
        try:
            assert await asyncio.to_thread(check, monitor.port) == 3
        finally:
            monitor.process.send_signal(signal.SIGCONT)
    assert check(monitor.port) == 1
