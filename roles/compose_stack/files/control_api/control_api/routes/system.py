# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the service does: for the engine, for Prometheus, for people."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from control_api import __version__
from control_api.access import User
from control_api.database import answers
from control_api.limits import FallbackLimiter

router = APIRouter()


class Health(BaseModel):
    status: Literal["alive"] = "alive"


class Check(BaseModel):
    """degraded: it does not answer, and we do without. not_configured: it is not meant to be there."""

    state: Literal["ok", "degraded", "unavailable", "not_configured"]


class Checks(BaseModel):
    database: Check
    redis: Check


class Readiness(BaseModel):
    status: Literal["ready", "degraded", "unavailable"]
    checks: Checks


class Status(BaseModel):
    """uptime_seconds: of this process. role: the asking key's."""

    version: str
    uptime_seconds: float
    readiness: Readiness
    mcp_servers: list[str]
    role: str


@router.get("/health")
async def health() -> Health:
    """The process lives; it says nothing of what it depends on."""
    return Health()


class Probe:
    """What we depend on, asked at most once a second however many want to know."""

    def __init__(self) -> None:
        self._until = 0.0
        self._database = False

    async def read(self, request: Request) -> Readiness:
        if time.monotonic() >= self._until:
            self._database = await to_thread.run_sync(answers, request.app.state.engine)
            self._until = time.monotonic() + 1
        limiter = request.app.state.limiter
        if isinstance(limiter, FallbackLimiter):
            await limiter.take([])
            redis = Check(state="degraded" if limiter.degraded else "ok")
        else:
            redis = Check(state="not_configured")
        checks = Checks(database=Check(state="ok" if self._database else "unavailable"), redis=redis)
        if not self._database:
            return Readiness(status="unavailable", checks=checks)
        return Readiness(status="degraded" if redis.state == "degraded" else "ready", checks=checks)


async def _readiness(request: Request) -> Readiness:
    probe: Probe = request.app.state.probe
    return await probe.read(request)


Ready = Annotated[Readiness, Depends(_readiness)]


@router.get("/ready", responses={503: {"model": Readiness, "description": "The database does not answer"}})
async def ready(readiness: Ready, response: Response) -> Readiness:
    """Requests can be answered: 200 also when Redis is away, as limits then hold in each process."""
    response.status_code = 503 if readiness.status == "unavailable" else 200
    return readiness


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {CONTENT_TYPE_LATEST.partition(";")[0]: {}}}}
)
async def metrics(request: Request) -> Response:
    """In Prometheus' text format."""
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/api/status", tags=["status"])
async def status(request: Request, user: User, readiness: Ready) -> Status:
    return Status(
        version=__version__,
        uptime_seconds=round(time.monotonic() - request.app.state.started, 3),
        readiness=readiness,
        mcp_servers=sorted(request.app.state.settings.mcp_servers),
        role=user.role.value,
    )
