# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asks, and how often: 401 for an unknown key, 429 for too many requests.

Requests count by key, and without a key by the client's address. What a route allows anonymous clients, and which role
it needs, is its own business (`access`).
"""

from __future__ import annotations

import hashlib
import time
from datetime import datetime, timezone
from typing import Optional

from anyio import to_thread
from sqlalchemy import Engine
from starlette.types import ASGIApp, Receive, Scope, Send

from control_api import keys
from control_api.envelope import PROBES
from control_api.limits import SECONDS, Decision, Limiter, Window
from control_api.problems import DATABASE_AWAY, ProblemResponse, database_away, problem
from control_api.settings import Settings

#: RFC 6750, section 3.
CHALLENGE = {"WWW-Authenticate": "Bearer"}
INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class Authenticator:
    """Looks keys up, and remembers those that are valid for FRESH seconds.

    So long may a key that another process revokes still be good; for this process it ends at once.
    """

    FRESH = 5.0
    KEPT = 1000

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[bytes, tuple[float, keys.Principal]] = {}

    def remembered(self, key: str) -> Optional[keys.Principal]:
        until, principal = self._known.get(hashlib.sha256(key.encode()).digest(), (0.0, None))
        return principal if time.monotonic() < until else None

    async def find(self, key: str) -> Optional[keys.Principal]:
        """Raises SQLAlchemyError."""
        principal = await to_thread.run_sync(keys.find, self._engine, key, datetime.now(timezone.utc))
        if principal is not None:
            if len(self._known) >= self.KEPT:
                self._known.clear()
            self._known[hashlib.sha256(key.encode()).digest()] = (time.monotonic() + self.FRESH, principal)
        return principal

    def forget(self) -> None:
        self._known.clear()


class Gate:
    def __init__(self, app: ASGIApp, settings: Settings, authenticator: Authenticator, limiter: Limiter) -> None:
        self._app, self._settings = app, settings
        self._authenticator, self._limiter = authenticator, limiter
        self._routes = {
            "/api/optimize": ("optimize", settings.limit_optimize),
            "/api/status": ("status", settings.limit_status),
            "/api/data": ("data", settings.limit_data),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None
        if scope["type"] == "http" and scope["path"] not in PROBES:
            refusal = await self._refusal(scope)
        await (refusal or self._app)(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Optional[ProblemResponse]:
        address = scope["client"][0] if scope.get("client") else "unknown"
        principal = None
        credentials = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        if credentials is not None:
            try:
                principal, refusal = await self._authenticate(credentials.decode("latin-1"), address)
            except DATABASE_AWAY:
                return database_away()
            if refusal:
                return refusal
        scope["state"]["principal"] = principal
        decision = await self._limiter.take(self._windows(scope["path"], principal, address))
        scope["state"]["headers"] = _told(decision)
        return None if decision.allowed else _too_many(decision, "Too many requests.")

    async def _authenticate(
        self, credentials: str, address: str
    ) -> tuple[Optional[keys.Principal], Optional[ProblemResponse]]:
        scheme, _space, key = credentials.partition(" ")
        if scheme.lower() == "bearer":
            principal = self._authenticator.remembered(key)
            if principal:
                return principal, None
        # Whoever has failed too often is not even looked up. What is counted is the failure.
        failures = [Window("authentication", address, self._settings.limit_authentication)]
        decision = await self._limiter.take(failures, 0)
        if decision.allowed:
            if scheme.lower() == "bearer" and 20 <= len(key) <= 200:
                principal = await self._authenticator.find(key)
                if principal:
                    return principal, None
            decision = await self._limiter.take(failures)
        if not decision.allowed:
            return None, _too_many(decision, "Too many attempts with keys that are not valid.")
        return None, problem(401, "This API key is not valid: unknown, expired or revoked.", INVALID)

    def _windows(self, path: str, principal: Optional[keys.Principal], address: str) -> list[Window]:
        if principal:
            subject = f"key-{principal.key}"
            windows = [Window("key", subject, self._settings.limit_key)]
        else:
            subject = address
            windows = [Window("default", subject, self._settings.limit_default)]
        route = self._routes.get("/".join(path.split("/", 3)[:3]))
        if route:
            windows.append(Window(route[0], subject, route[1]))
        return windows


def _told(decision: Decision) -> list[tuple[bytes, bytes]]:
    """draft-ietf-httpapi-ratelimit-headers-10: q and w are a policy's quota and window, r what is left, t when."""
    policies = ", ".join(
        f'"{reading.window.policy}";q={reading.window.limit};w={SECONDS}' for reading in decision.readings
    )
    left = ", ".join(
        f'"{reading.window.policy}";r={reading.remaining};t={max(1, round(reading.reset))}'
        for reading in decision.readings
    )
    return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", left.encode())]


def _too_many(decision: Decision, what: str) -> ProblemResponse:
    wait = decision.retry_after
    return problem(429, f"{what} Try again in {wait} seconds.", {"Retry-After": str(wait)})
