# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container's server first; the local one while it is down; the container's again when it is back.

A call goes to the second server only where that cannot do anything twice: when the first was not reached, or the tool
says of itself that it only reads or may be repeated. One call runs at a time among all callers, as an edit reads,
changes and writes a file.
"""

from __future__ import annotations

import difflib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import jsonschema
from mcp import Client, MCPError, types
from referencing import Registry

from mcp_shim import servers
from mcp_shim.circuit import Circuit
from mcp_shim.errors import DownError, Exit, ShimError
from mcp_shim.lock import held
from mcp_shim.settings import Settings

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class Shim:
    """Makes one call after the other."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._circuit = Circuit(settings.state_file, settings.retry_seconds)

    def health(self) -> dict[str, Any]:
        """What could be used now, and what would be. Takes no lock."""
        report: dict[str, Any] = {"circuit": "open" if self._circuit.is_open else "closed"}
        try:
            servers.look(self._settings)
            report["container"] = {"ok": True}
        except DownError as error:
            report["container"] = {"ok": False, "detail": str(error)}
        try:
            report["local"] = {"ok": True, "sandbox": servers.local_command(self._settings)[1]}
        except DownError as error:
            report["local"] = {"ok": False, "detail": str(error)}
        report["using"] = "container" if report["container"]["ok"] else "local" if report["local"]["ok"] else "none"
        return report

    async def list_tools(self) -> list[types.Tool]:
        """The tools of the server that answers. Raises ShimError."""
        return await self._locked(_tools, shared=True)

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        """Call it, once its arguments are found to match its schema. Raises ShimError."""

        async def call(client: Client) -> types.CallToolResult:
            tool = _checked(await _tools(client), name, arguments)
            try:
                return await client.call_tool(name, arguments)
            except (MCPError, OSError) as error:
                if isinstance(error, MCPError) and error.code == types.INVALID_PARAMS:
                    raise ShimError(Exit.REFUSED, f"{name}: {error}.") from error
                hints = tool.annotations
                if hints and (hints.read_only_hint or hints.idempotent_hint):
                    raise DownError(f"it did not answer: {error}") from error
                self._circuit.failed()
                sentence = f"{name}: the server did not answer ({error}); see whether it was done before you repeat it."
                raise ShimError(Exit.UNREACHABLE, sentence) from error

        return await self._locked(call, shared=False, tool=name)

    async def _locked(self, work: Callable[[Client], Awaitable[Answer]], shared: bool, **names: str) -> Answer:
        started = time.monotonic()
        with held(self._settings.lock_file, self._settings.lock_seconds, shared):
            waited = time.monotonic() - started
            server, answer = await self._either(work)
        seconds = {"waited": round(waited, 4), "seconds": round(time.monotonic() - started, 4)}
        log.info("answered", extra={"event": "answered", "server": server, **names, **seconds})
        return answer

    async def _either(self, work: Callable[[Client], Awaitable[Answer]]) -> tuple[str, Answer]:
        reason = "it was down a moment ago"
        if not self._circuit.is_open:
            try:
                answer = await _with(servers.container(self._settings), work)
                self._circuit.succeeded()
                return "container", answer
            except DownError as error:
                reason = str(error)
                self._circuit.failed()
                log.warning("the container's server is down", extra={"event": "container_down", "reason": reason})
        try:
            return "local", await _with(servers.local(self._settings), work)
        except DownError as error:
            sentence = f"No server can be used. The container's: {reason}. The local one: {error}."
            raise ShimError(Exit.UNREACHABLE, sentence) from error


async def _with(server: Any, work: Callable[[Client], Awaitable[Answer]]) -> Answer:
    """Do it with the server. Whatever goes wrong beneath is a `DownError`, or a `ShimError` where all is said."""
    try:
        async with server as client:
            return await work(client)
    except BaseException as error:
        said = _first(error, ShimError) or _first(error, DownError)
        if said:
            raise said from error
        if _first(error, anyio.get_cancelled_exc_class()) or not isinstance(error, Exception):
            raise
        inner = _first(error, OSError) or _first(error, MCPError) or error
        raise DownError(str(inner) or type(inner).__name__) from error


def _first(error: BaseException, kind: type[BaseException]) -> Any:
    """An error of that kind in it, which the SDK's tasks may have put into groups."""
    if isinstance(error, kind):
        return error
    if isinstance(error, BaseExceptionGroup):  # noqa: F821 (ruff is set to an older Python)
        return next((found for found in (_first(inner, kind) for inner in error.exceptions) if found), None)
    return None


async def _tools(client: Client) -> list[types.Tool]:
    tools: list[types.Tool] = []
    cursor = None
    while True:
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if not cursor:
            return tools


def _checked(tools: list[types.Tool], name: str, arguments: dict[str, Any]) -> types.Tool:
    tool = next((tool for tool in tools if tool.name == name), None)
    if tool is None:
        near = difflib.get_close_matches(name, [tool.name for tool in tools], 1)
        hint = f"did you mean {near[0]!r}?" if near else "tools/list shows those that there are."
        raise ShimError(Exit.REFUSED, f"There is no tool {name[:100]!r}; {hint}")
    # An empty registry: a schema is not to make us fetch another.
    validator = jsonschema.Draft202012Validator(tool.input_schema, registry=Registry())
    error = jsonschema.exceptions.best_match(validator.iter_errors(arguments))
    if error is not None:
        place = error.json_path.removeprefix("$").lstrip(".") or "the arguments"
        raise ShimError(Exit.REFUSED, f"{name}: {place}: {error.message[:300]}.")
    return tool
