# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Around every request: its id, the security headers, the metrics, a line of the audit log, and the last resort."""

from __future__ import annotations

import logging
import secrets
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_api.problems import problem

AUDIT = logging.getLogger("control_api.audit")
LOG = logging.getLogger("control_api")

#: A browser that shows an answer of ours loads nothing and may not be framed.
SECURITY_HEADERS = (
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-xss-protection", b"1; mode=block"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"cache-control", b"no-store"),
)
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
#: Asked every few seconds by machines: logged only when they fail.
PROBES = frozenset(("/health", "/ready", "/metrics"))


class Metrics:
    """By the route's template: paths are the client's, and would be series without end."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        labels = ("method", "route", "status")
        self.requests = Counter("control_api_requests", "Requests answered", labels, registry=registry)
        self.seconds = Histogram(
            "control_api_request_seconds", "Time until the answer was sent", ("route",), registry=registry
        )


class Envelope:
    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        number = secrets.token_hex(16)
        own_headers = [*SECURITY_HEADERS, (b"x-request-id", number.encode())]
        state: dict[str, Any] = scope.setdefault("state", {})
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *own_headers, *state.get("headers", ())]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception:
            LOG.exception("unexpected error", extra={"request_id": number})
            if status:
                raise
            await problem(500, f"Something went wrong on our side. Tell us the request's id: {number}")(
                scope, receive, answer
            )
        finally:
            self._record(scope, state, number, status or 499, time.perf_counter() - begin)

    def _record(self, scope: Scope, state: dict[str, Any], number: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "unmatched"
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        if route in PROBES and status < 400:
            return
        principal = state.get("principal")
        AUDIT.info(
            "request",
            extra={
                "request_id": number,
                "client": scope["client"][0] if scope.get("client") else None,
                "key": principal.key if principal else None,
                "owner": principal.owner if principal else None,
                "role": principal.role.value if principal else None,
                "method": method,
                "route": route,
                # What a client makes up may hold anything, also a key; the path of a route holds numbers at most.
                "path": scope["path"] if route != "unmatched" and status != 422 else None,
                "status": status,
                "milliseconds": round(seconds * 1000, 2),
            },
        )
