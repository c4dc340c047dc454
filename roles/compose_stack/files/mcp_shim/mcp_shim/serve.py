# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shim as an MCP server itself, on standard input and output, for clients that start their servers."""

from __future__ import annotations

from typing import Any, Optional

from mcp import MCPError, types
from mcp.server import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from mcp_shim.errors import Exit, ShimError
from mcp_shim.shim import Shim


async def serve(shim: Shim) -> None:
    """Until standard input ends."""

    async def list_tools(
        _context: ServerRequestContext[Any], _params: Optional[types.PaginatedRequestParams]
    ) -> types.ListToolsResult:
        try:
            return types.ListToolsResult(tools=await shim.list_tools())
        except ShimError as error:
            raise MCPError(types.INTERNAL_ERROR, str(error)) from error

    async def call_tool(
        _context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            return await shim.call_tool(params.name, params.arguments or {})
        except ShimError as error:
            if error.code is Exit.REFUSED:
                return types.CallToolResult(content=[types.TextContent(text=str(error))], is_error=True)
            raise MCPError(types.INTERNAL_ERROR, str(error)) from error

    server: Server[Any] = Server("mcp-shim", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
