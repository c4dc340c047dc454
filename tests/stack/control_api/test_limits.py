# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every limiter keeps: in memory, and in Redis where one is given."""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections.abc import Awaitable
from typing import Callable

import pytest
import redis.asyncio
from control_api.limits import (
    SECONDS,
    FallbackLimiter,
    Limiter,
    MemoryLimiter,
    RedisLimiter,
    Window,
    redis_limiter,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.stack.control_api.conftest import REDIS


def _memory() -> Limiter:
    return MemoryLimiter()


def _redis() -> Limiter:
    return RedisLimiter(redis.asyncio.Redis.from_url(REDIS), f"test:{uuid.uuid4()}:")


def _away() -> Limiter:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return redis_limiter(f"redis://127.0.0.1:{free.getsockname()[1]}", {})


@pytest.fixture(params=[_memory, _away, *([_redis] if REDIS else [])])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[Limiter], Awaitable[None]]], None]:
    """A function: call this with a limiter of its own."""

    def run(scenario: Callable[[Limiter], Awaitable[None]]) -> None:
        async def all_of_it() -> None:
            limiter = request.param()
            await scenario(limiter)
            await limiter.close()

        asyncio.run(all_of_it())

    return run


Run = Callable[[Callable[[Limiter], Awaitable[None]]], None]


def test_as_many_as_the_limit_and_not_one_more(run: Run) -> None:
    async def scenario(limiter: Limiter) -> None:
        window = Window("p", "ann", 5)
        decisions = [await limiter.take([window]) for _n in range(7)]
        assert [d.allowed for d in decisions] == [True] * 5 + [False] * 2
        assert [d.readings[0].remaining for d in decisions] == [4, 3, 2, 1, 0, 0, 0]
        assert all(SECONDS - 5 < d.readings[0].reset <= SECONDS for d in decisions)
        assert SECONDS - 5 < decisions[-1].retry_after <= SECONDS
        assert (await limiter.take([Window("p", "bob", 5)])).allowed
        assert (await limiter.take([Window("q", "ann", 5)])).allowed

    run(scenario)


def test_mistake_9_a_hundred_at_once_get_no_more_than_the_limit(run: Run) -> None:
    async def scenario(limiter: Limiter) -> None:
        decisions = await asyncio.gather(*(limiter.take([Window("p", "ann", 30)]) for _n in range(100)))
        assert sum(d.allowed for d in decisions) == 30

    run(scenario)


def test_all_windows_or_none(run: Run) -> None:
    async def scenario(limiter: Limiter) -> None:
        wide, narrow = Window("wide", "ann", 10), Window("narrow", "ann", 2)
        for _n in range(5):
            await limiter.take([wide, narrow])
        decision = await limiter.take([wide])
        assert decision.readings[0].remaining == 10 - 2 - 1

    run(scenario)


def test_looking_takes_nothing(run: Run) -> None:
    async def scenario(limiter: Limiter) -> None:
        window = Window("p", "ann", 1)
        assert [(await limiter.take([window], 0)).allowed for _n in range(3)] == [True] * 3
        assert (await limiter.take([window])).allowed
        assert not (await limiter.take([window], 0)).allowed

    run(scenario)


@given(st.lists(st.floats(0, 40), max_size=60), st.integers(1, 6))
def test_no_sixty_seconds_see_more_than_the_limit(pauses: list[float], limit: int) -> None:
    now, taken = 0.0, []

    async def scenario() -> None:
        nonlocal now
        limiter = MemoryLimiter(lambda: now)
        for pause in pauses:
            now += pause
            refused = sum(then > now - SECONDS for then in taken) >= limit
            decision = await limiter.take([Window("p", "ann", limit)])
            assert decision.allowed is not refused
            if decision.allowed:
                taken.append(now)

    asyncio.run(scenario())


def test_who_waits_as_long_as_told_is_served() -> None:
    async def scenario() -> None:
        now = 0.0
        limiter = MemoryLimiter(lambda: now)
        window = Window("p", "ann", 2)
        for moment in (0.0, 12.3, 20.0):
            now = moment
            decision = await limiter.take([window])
        assert not decision.allowed
        now += decision.retry_after
        assert (await limiter.take([window])).allowed

    asyncio.run(scenario())


def test_memory_stays_bounded_whoever_asks() -> None:
    async def scenario() -> None:
        limiter = MemoryLimiter(subjects=100)
        for number in range(1000):
            await limiter.take([Window("p", str(number), 5)])
        assert len(limiter._logs) <= 100

    asyncio.run(scenario())


def test_without_redis_limits_hold_and_nobody_waits_for_it() -> None:
    async def scenario() -> None:
        limiter = _away()
        assert isinstance(limiter, FallbackLimiter)
        begin = time.monotonic()
        decisions = [await limiter.take([Window("p", "ann", 10)]) for _n in range(50)]
        assert sum(d.allowed for d in decisions) == 10
        assert limiter.degraded
        assert time.monotonic() - begin < 2
        await limiter.close()

    asyncio.run(scenario())
