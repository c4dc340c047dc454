# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server of commands: each one of the allow-list is a tool. There is no shell, and no tool takes a command line."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional

import anyio
from mcp import types
from mcp.server import ServerRequestContext
from mcp.server.lowlevel import Server

from mcp_servers.commands import Command
from mcp_servers.running import run

log = logging.getLogger(__name__)

#: So many commands run at a time; further ones wait for their turn.
AT_ONCE = 4


class ProcessServer:
    """``directory``: where every command runs."""

    def __init__(self, commands: Mapping[str, Command], directory: Path) -> None:
        self._commands = commands
        self._directory = directory
        self._turns = anyio.Semaphore(AT_ONCE)
        self.server: Server[Any] = Server("mcp-process", on_list_tools=self._list_tools, on_call_tool=self._call_tool)

    async def check(self) -> str:
        """What keeps the commands from running, or nothing."""
        if not self._directory.is_dir():
            return f"{self._directory}: there is no such directory."
        missing = sorted(name for name, command in self._commands.items() if not os.access(command.argv[0], os.X_OK))
        return f"The program of {missing[0]!r} cannot be run: {self._commands[missing[0]].argv[0]}." if missing else ""

    async def _list_tools(
        self, _context: ServerRequestContext[Any], _params: Optional[types.PaginatedRequestParams]
    ) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(name=name, description=command.description or None, input_schema=command.schema_())
                for name, command in self._commands.items()
            ]
        )

    async def _call_tool(
        self, _context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        command = self._commands.get(params.name)
        if command is None:
            self._log(params.name, "refused")
            return _refusal(f"There is no command {params.name[:100]!r}.")
        try:
            argv = command.filled(params.arguments or {})
        except ValueError as error:
            self._log(params.name, "refused")
            return _refusal(str(error))
        try:
            async with self._turns:
                outcome = await run(argv, self._directory, command.timeout_seconds, command.output_bytes)
        except OSError as error:
            self._log(params.name, "failed")
            return _refusal(f"{argv[0]} cannot be run: {error.strerror}.")
        failed = outcome.exit_code != 0 or outcome.timed_out or outcome.truncated
        self._log(params.name, "timeout" if outcome.timed_out else "failed" if failed else "ok", outcome.seconds)
        text = outcome.stdout + outcome.stderr
        if outcome.timed_out:
            text += f"\nIt was ended after {command.timeout_seconds:g} s."
        if outcome.truncated:
            text += f"\nIt was ended as it wrote more than {command.output_bytes} bytes."
        return types.CallToolResult(
            content=[types.TextContent(text=text)], structured_content=asdict(outcome), is_error=failed
        )

    def _log(self, name: str, outcome: str, seconds: float = 0.0) -> None:
        extra = {"event": "tools/call", "tool": name[:100], "outcome": outcome, "seconds": seconds}
        log.info("call", extra=extra)


def _refusal(sentence: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=sentence)], is_error=True)
