# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The application: everything put together, from settings alone."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio import to_thread
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from prometheus_client import CollectorRegistry
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from control_api import __version__, keys, problems
from control_api.body import BodyLimit
from control_api.database import make_engine, migrate
from control_api.envelope import Envelope, Metrics
from control_api.gate import Authenticator, Gate
from control_api.limits import Limiter, MemoryLimiter, redis_limiter
from control_api.routes import items, optimize, system
from control_api.routes import keys as key_routes
from control_api.settings import Settings, secret


class Cors(CORSMiddleware):
    """A preflight that is refused is a problem like others."""

    def preflight_response(self, request_headers: Any) -> Response:
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        return problems.problem(400, "This origin, method or header is not allowed by CORS.", {"Vary": "Origin"})


def create_app(settings: Settings) -> FastAPI:
    """Connects to nothing before it is started. Raises OSError, ValueError for the files of the settings."""
    engine = make_engine(settings)
    limiter: Limiter = redis_limiter(*settings.redis()) if settings.redis_url else MemoryLimiter()
    metrics = Metrics(CollectorRegistry())
    authenticator = Authenticator(engine)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await to_thread.run_sync(_prepare, app)
        app.state.started = time.monotonic()
        try:
            yield
        finally:
            await limiter.close()
            engine.dispose()

    app = FastAPI(
        title="Control API",
        version=__version__,
        lifespan=lifespan,
        responses=problems.RESPONSES,
        # They would load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.settings, app.state.engine, app.state.limiter = settings, engine, limiter
    app.state.metrics, app.state.authenticator = metrics, authenticator
    app.state.probe = system.Probe()
    app.state.started = time.monotonic()
    app.state.optimizations = anyio.CapacityLimiter(settings.optimize_jobs)
    problems.install(app)
    for router in (system.router, items.router, optimize.router, key_routes.router):
        app.include_router(router)
    # The last one added is the outermost.
    app.add_middleware(Gate, settings=settings, authenticator=authenticator, limiter=limiter)
    app.add_middleware(BodyLimit, most=settings.body_bytes)
    app.add_middleware(
        Cors,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Authorization", "Content-Type"],
        expose_headers=["RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID", "Location"],
        max_age=600,
    )
    app.add_middleware(Envelope, metrics=metrics)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _prepare(app: FastAPI) -> None:
    settings: Settings = app.state.settings
    if settings.migrate_on_start:
        migrate(app.state.engine)
    if settings.admin_key_sha256_file:
        keys.declare_admin(app.state.engine, secret(settings.admin_key_sha256_file))


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's, with the schema of a problem, to which the responses refer."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        models = schema.setdefault("components", {}).setdefault("schemas", {})
        described = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        models.update(described.pop("$defs", {}))
        models["Problem"] = described
        app.openapi_schema = schema
    return app.openapi_schema
