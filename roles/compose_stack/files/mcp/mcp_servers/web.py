# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server of the protocol as an HTTP application that only holders of the token can use.

Sessions are not kept (each request stands alone), so that a restart loses nothing and any number of callers can come.
Host and Origin are checked by the SDK, as the specification's section on transports asks for against DNS rebinding.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_servers.settings import Settings

log = logging.getLogger(__name__)

#: Says what is wrong, or nothing.
Check = Callable[[], Awaitable[str]]


class BearerToken:
    """Lets requests pass that carry the token (RFC 6750, 2.1), and those for the path ``/health``."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/health" or self._holds(scope):
            await self._app(scope, receive, send)
            return
        client = scope.get("client") or ("unknown",)
        log.warning("refused", extra={"event": "unauthorized", "client": client[0], "path": scope["path"][:200]})
        problem = {"title": "Unauthorized", "status": 401, "detail": "Send the header Authorization: Bearer <token>."}
        answer = Response(
            json.dumps(problem),
            401,
            {"WWW-Authenticate": 'Bearer realm="mcp"'},
            media_type="application/problem+json",
        )
        await answer(scope, receive, send)

    def _holds(self, scope: Scope) -> bool:
        values = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(values) != 1:
            return False
        scheme, _space, token = values[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)


def application(server: Server[Any], settings: Settings, check: Check) -> ASGIApp:
    """The ASGI application: ``/mcp`` with the token, ``/health`` without."""

    async def health(_request: Request) -> Response:
        problem = await check()
        if problem:
            return JSONResponse({"status": "unhealthy", "detail": problem}, 503)
        return JSONResponse({"status": "ok"})

    app = server.streamable_http_app(
        json_response=True,
        stateless_http=True,
        max_request_body_size=settings.request_bytes,
        transport_security=TransportSecuritySettings(allowed_hosts=settings.allowed_hosts, allowed_origins=[]),
        custom_starlette_routes=[Route("/health", health, methods=["GET"])],
    )
    return BearerToken(app, settings.token())
