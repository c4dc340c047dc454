# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often one may ask: sliding windows, in memory or in Redis.

A window is a log of the times at which something was taken. A request takes from all its windows or from none, in one
step, so that concurrent requests never get more than the limit. What is refused is not counted.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Protocol

import redis
import redis.asyncio

SECONDS = 60
"""The length of every window."""


@dataclass(frozen=True)
class Window:
    """policy: the name that clients see. subject: whose requests are counted together. limit: requests in SECONDS."""

    policy: str
    subject: str
    limit: int


@dataclass(frozen=True)
class Reading:
    """remaining: requests left. reset: seconds until one more is there, 0 if nothing was taken."""

    window: Window
    remaining: int
    reset: float


@dataclass(frozen=True)
class Decision:
    """allowed: whether it was taken. readings: of each window afterwards, in the order asked for."""

    allowed: bool
    readings: tuple[Reading, ...]

    @property
    def retry_after(self) -> int:
        """Whole seconds, at least 1, until every exhausted window has room."""
        return max([1, *(math.ceil(reading.reset) for reading in self.readings if not reading.remaining)])


class Limiter(Protocol):
    async def take(self, windows: Sequence[Window], cost: int = 1) -> Decision:
        """Take `cost` from all windows or from none. With 0, look whether there is room for 1."""

    async def close(self) -> None: ...


class MemoryLimiter:
    """For one process. A call has no await in it, so it is one step for the event loop.

    clock: seconds that only grow. subjects: how many windows are kept; beyond that the idle ones go.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, subjects: int = 10_000) -> None:
        self._clock, self._subjects = clock, subjects
        self._logs: dict[tuple[str, str], deque[float]] = {}

    async def take(self, windows: Sequence[Window], cost: int = 1) -> Decision:
        now = self._clock()
        logs = [self._log(window, now) for window in windows]
        allowed = all(len(log) < window.limit for log, window in zip(logs, windows))
        if allowed and cost:
            for log in logs:
                log.append(now)
        return Decision(
            allowed,
            tuple(
                Reading(window, max(0, window.limit - len(log)), log[0] + SECONDS - now if log else 0.0)
                for log, window in zip(logs, windows)
            ),
        )

    async def close(self) -> None:
        self._logs.clear()

    def _log(self, window: Window, now: float) -> deque[float]:
        name = (window.policy, window.subject)
        log = self._logs.get(name)
        if log is None:
            if len(self._logs) >= self._subjects:
                self._forget(now)
            log = self._logs[name] = deque()
        while log and log[0] <= now - SECONDS:
            log.popleft()
        return log

    def _forget(self, now: float) -> None:
        """The idle windows; if there are none, the half that was met first, so that memory stays bounded."""
        idle = [name for name, log in self._logs.items() if not log or log[-1] <= now - SECONDS]
        for name in idle or list(self._logs)[: self._subjects // 2]:
            del self._logs[name]


# Redis runs a script as one step. The clock is Redis' own, so that several processes agree. The members of a sorted set
# are unique by a counter beside it, as two requests may come in the same microsecond.
_SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local span, cost = tonumber(ARGV[1]), tonumber(ARGV[2])
local counts, allowed = {}, 1
for i = 1, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - span)
  counts[i] = redis.call('ZCARD', KEYS[i])
  if counts[i] >= tonumber(ARGV[2 + i]) then allowed = 0 end
end
local answer = {allowed}
for i = 1, #KEYS do
  if allowed == 1 and cost > 0 then
    local last = redis.call('ZREVRANGE', KEYS[i], 0, 0)[1]
    local number = last and (tonumber(string.match(last, '%d+$')) + 1) or 1
    redis.call('ZADD', KEYS[i], now, string.format('%.0f-%d', now, number))
    redis.call('PEXPIRE', KEYS[i], span / 1000)
    counts[i] = counts[i] + 1
  end
  local first = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2]
  answer[#answer + 1] = counts[i]
  answer[#answer + 1] = first and string.format('%.0f', tonumber(first) + span - now) or '0'
end
return answer
"""


class RedisLimiter:
    """For any number of processes. Raises redis.RedisError, OSError when Redis does not answer in time."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str = "control_api:limit:") -> None:
        self._client, self._prefix = client, prefix
        self._script = client.register_script(_SCRIPT)

    async def take(self, windows: Sequence[Window], cost: int = 1) -> Decision:
        answer = await self._script(
            keys=[f"{self._prefix}{window.policy}:{window.subject}" for window in windows],
            args=[SECONDS * 1_000_000, cost, *(window.limit for window in windows)],
        )
        numbers = [int(value) for value in answer]
        return Decision(
            bool(numbers[0]),
            tuple(
                Reading(window, max(0, window.limit - count), reset / 1_000_000)
                for window, count, reset in zip(windows, numbers[1::2], numbers[2::2])
            ),
        )

    async def close(self) -> None:
        await self._client.aclose()


class FallbackLimiter:
    """Redis while it answers; otherwise each process limits by itself, and Redis is tried again every `pause` seconds.

    Each of n processes then allows the whole limit: up to n times as much for as long as Redis is away. Nothing is
    refused for Redis' sake, and nothing goes unlimited.
    """

    def __init__(self, shared: Limiter, clock: Callable[[], float] = time.monotonic, pause: float = 1.0) -> None:
        self._shared, self._own = shared, MemoryLimiter(clock)
        self._clock, self._pause = clock, pause
        self._away_until = -math.inf
        self.degraded = False

    async def take(self, windows: Sequence[Window], cost: int = 1) -> Decision:
        if self._clock() >= self._away_until:
            try:
                decision = await self._shared.take(windows, cost)
            except (redis.RedisError, OSError, TimeoutError):
                self._away_until = self._clock() + self._pause
                self.degraded = True
            else:
                self.degraded = False
                return decision
        return await self._own.take(windows, cost)

    async def close(self) -> None:
        await self._shared.close()


def redis_limiter(url: str, arguments: dict[str, Any]) -> FallbackLimiter:
    """A Redis that is slow is as good as away: a request waits half a second for it at most."""
    client = redis.asyncio.Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=None, **arguments)
    return FallbackLimiter(RedisLimiter(client))
