# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A published server that speaks over its standard streams, reachable over HTTP.

One child process serves all callers: each tools/list and tools/call is handed on, nothing else is offered. When the
child is gone the bridge ends too, with an error, as whoever started it (the engine, systemd) can start it anew.

The SDK's own client and server do it in this file: mcp-proxy needs the SDK's version 1, and FastMCP's proxy brings
forty packages for two methods.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Optional

import anyio
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.server import ServerRequestContext
from mcp.server.lowlevel import Server

from mcp_servers.settings import Settings

log = logging.getLogger(__name__)

#: A child that does not answer a ping within this is not healthy.
PING_SECONDS = 5.0


def filesystem(settings: Settings) -> StdioServerParameters:
    """The published server of files, which keeps within one directory."""
    return _node(settings, "server-filesystem", str(settings.data_dir))


def memory(settings: Settings) -> StdioServerParameters:
    """The published server of a knowledge graph, which keeps it in one file."""
    child = _node(settings, "server-memory")
    child.env = {"MEMORY_FILE_PATH": str(settings.data_dir / "memory.jsonl")}
    return child


def _node(settings: Settings, package: str, *args: str) -> StdioServerParameters:
    script = settings.node_modules / "@modelcontextprotocol" / package / "dist" / "index.js"
    return StdioServerParameters(command=settings.node, args=[str(script), *args], cwd=str(settings.data_dir))


class Bridge:
    """``one_at_a_time``: for a child that reads, changes and writes a whole file, and so loses what two do at once."""

    def __init__(
        self,
        name: str,
        child: StdioServerParameters,
        call_seconds: float,
        ended: Callable[[], None],
        one_at_a_time: bool = False,
    ) -> None:
        self._child = child
        self._call_seconds = call_seconds
        self._ended = ended
        self._turn: Optional[anyio.Lock] = anyio.Lock() if one_at_a_time else None
        self._client: Optional[Client] = None
        self.server: Server[Any] = Server(
            name, lifespan=self._lifespan, on_list_tools=self._list_tools, on_call_tool=self._call_tool
        )

    @asynccontextmanager
    async def _lifespan(self, _server: Server[Any]) -> AsyncIterator[dict[str, Any]]:
        async with Client(stdio_client(self._child), read_timeout_seconds=self._call_seconds) as self._client:
            yield {}

    async def check(self) -> str:
        """What is wrong with the child, or nothing."""
        if self._client is None:
            return "The server has not started."
        try:
            with anyio.fail_after(PING_SECONDS):
                await self._client.session.send_ping()
        except TimeoutError:
            return f"The server did not answer a ping within {PING_SECONDS:g} s."
        except MCPError as error:
            self._lost(error)
            return "The server has ended."
        return ""

    async def _list_tools(
        self, _context: ServerRequestContext[Any], params: Optional[types.PaginatedRequestParams]
    ) -> types.ListToolsResult:
        try:
            return await self._session().list_tools(cursor=params.cursor if params else None)
        except MCPError as error:
            self._lost(error)
            raise

    async def _call_tool(
        self, _context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        started = time.monotonic()
        outcome = "error"
        try:
            async with AsyncExitStack() as stack:
                if self._turn:
                    await stack.enter_async_context(self._turn)
                result = await self._session().call_tool(params.name, params.arguments or {})
            outcome = "refused" if result.is_error else "ok"
            return result
        except MCPError as error:
            self._lost(error)
            raise
        finally:
            seconds = round(time.monotonic() - started, 4)
            log.info(
                "call", extra={"event": "tools/call", "tool": params.name[:100], "outcome": outcome, "seconds": seconds}
            )

    def _session(self) -> Client:
        if self._client is None:
            raise MCPError(types.INTERNAL_ERROR, "The server has not started.")
        return self._client

    def _lost(self, error: MCPError) -> None:
        if error.code == types.CONNECTION_CLOSED:
            log.error("the server behind the bridge has ended", extra={"event": "child_ended"})
            self._ended()
