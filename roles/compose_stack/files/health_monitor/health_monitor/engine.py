# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's HTTP API, as far as it is needed: four requests, which a proxy before its socket can tell apart.

GET /events, GET /containers/json, GET /containers/{id}/json, POST /containers/{id}/restart
(https://docs.docker.com/reference/api/engine/). Paths carry no version: the engine then uses its own.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Optional

import aiohttp

from health_monitor.core import Heard, Sight

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
ONE_OFF = "com.docker.compose.oneoff"

#: How the engine's words for what happens are understood.
ACTIONS = {
    "start": "start",
    "die": "die",
    "stop": "stop",
    "destroy": "destroy",
    "pause": "pause",
    "unpause": "unpause",
    "health_status: healthy": "healthy",
    "health_status: unhealthy": "unhealthy",
}

#: A restart waits for the container to end by itself for 10 s, and then for the engine.
RESTART_SECONDS = 60.0
ANSWER_SECONDS = 10.0


class EngineError(Exception):
    """The engine cannot be reached, or refuses; a sentence."""


class Engine:
    """``address``: unix:///path or http://host:port. ``own_id``: how the id of who asks begins; it is not watched."""

    def __init__(self, address: str, project: str, ignore: list[str], own_id: str, silence: float) -> None:
        self._address = address
        self._project = project
        self._ignore = frozenset(ignore)
        self._own_id = own_id
        self._silence = silence
        unix = address.startswith("unix://")
        self._base = "http://engine" if unix else address
        connector = aiohttp.UnixConnector(address.removeprefix("unix://")) if unix else aiohttp.TCPConnector()
        self._session = aiohttp.ClientSession(connector=connector, raise_for_status=False)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._session.close()

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[Heard]]:
        """What happens from now on. It ends when nothing was heard for as long as was said, or the engine is gone."""
        filters = json.dumps({"type": ["container"], "label": [f"{PROJECT}={self._project}"]})
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=ANSWER_SECONDS, sock_read=self._silence)
        try:
            async with self._session.get(
                f"{self._base}/events", params={"filters": filters}, timeout=timeout, read_bufsize=2**20
            ) as answer:
                await self._refused(answer, "GET /events")
                yield self._heard(answer)
        except (aiohttp.ClientError, OSError) as error:
            raise EngineError(f"{self._address}: {error}.") from error

    async def _heard(self, answer: aiohttp.ClientResponse) -> AsyncIterator[Heard]:
        try:
            async for line in answer.content:
                event = json.loads(line)
                labels = event["Actor"].get("Attributes") or {}
                action = ACTIONS.get(event.get("Action", ""))
                if action and self._watches(event["Actor"]["ID"], labels):
                    yield Heard(event["Actor"]["ID"], labels.get(SERVICE, ""), action)
        except aiohttp.SocketTimeoutError:
            return
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EngineError(f"{self._address}: an event is not understood: {error!r}.") from error

    async def sights(self) -> tuple[Sight, ...]:
        """All containers of the project as they are."""
        filters = json.dumps({"label": [f"{PROJECT}={self._project}"]})
        rows = await self._json("GET", "/containers/json", {"all": "1", "filters": filters})
        sights = []
        for row in rows:
            if self._watches(row["Id"], row.get("Labels") or {}):
                sight = await self.sight(row["Id"])
                if sight:
                    sights.append(sight)
        return tuple(sights)

    async def sight(self, container: str) -> Optional[Sight]:
        """A container as it is; nothing when there is no such container."""
        row = await self._json("GET", f"/containers/{container}/json")
        if row is None:
            return None
        state = row["State"]
        health = (state.get("Health") or {}).get("Status", "")
        labels = row["Config"].get("Labels") or {}
        return Sight(
            container, labels.get(SERVICE, ""), state["Status"], "" if health == "none" else health, state["ExitCode"]
        )

    async def restart(self, container: str) -> None:
        """Restart it, and return when it runs. A container that is gone is no error."""
        await self._json("POST", f"/containers/{container}/restart", {"t": "10"}, RESTART_SECONDS)

    def _watches(self, container: str, labels: dict[str, str]) -> bool:
        own = bool(self._own_id) and container.startswith(self._own_id)
        return not own and labels.get(ONE_OFF) != "True" and labels.get(SERVICE, "") not in self._ignore

    async def _json(
        self, method: str, path: str, params: Optional[dict[str, str]] = None, seconds: float = ANSWER_SECONDS
    ) -> Any:
        try:
            async with self._session.request(
                method, self._base + path, params=params, timeout=aiohttp.ClientTimeout(total=seconds)
            ) as answer:
                if answer.status == 404:
                    return None
                await self._refused(answer, f"{method} {path}")
                return await answer.json(content_type=None) if method == "GET" else None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise EngineError(f"{self._address}: {method} {path}: {str(error) or type(error).__name__}.") from error

    async def _refused(self, answer: aiohttp.ClientResponse, what: str) -> None:
        if answer.status >= 400:
            text = (await answer.text())[:300].strip()
            raise EngineError(f"{self._address}: {what}: {answer.status} {text}")
