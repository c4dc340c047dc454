# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server of commands, over a socket, by the official client."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import types

from tests.stack.mcp.serving import Server, serving

SPAWN = (
    "import subprocess, pathlib, time;"
    "child = subprocess.Popen(['/bin/sleep', '300']);"
    "pathlib.Path('child').write_text(str(child.pid));"
    "time.sleep(300)"
)
LEAVE = SPAWN.replace("time.sleep(300)", "print('left', flush=True)")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("process")
    commands: dict[str, Any] = {
        "show": {"argv": ["/bin/echo", "{text}"], "parameters": {"text": {"pattern": ".+"}}},
        "word": {"argv": ["/bin/echo", "{text}"], "parameters": {"text": {"pattern": "[a-z]+"}}},
        "after_dashes": {"argv": ["/bin/echo", "--", "{text}"], "parameters": {"text": {"pattern": ".+"}}},
        "environment": {"argv": ["/usr/bin/env"]},
        "where": {"argv": ["/bin/pwd"]},
        "fails": {"argv": ["/bin/ls", "/nonexistent"]},
        "endless": {"argv": ["/usr/bin/yes"], "output_bytes": 1000},
        "hangs": {"argv": [sys.executable, "-c", SPAWN], "timeout_seconds": 1.5},
        "leaves": {"argv": [sys.executable, "-c", LEAVE]},
    }
    (directory / "commands.json").write_text(json.dumps({"commands": commands}))
    with serving("process", directory, MCP_COMMANDS_FILE=str(directory / "commands.json")) as running:
        yield running


def call(server: Server, name: str, **arguments: object) -> types.CallToolResult:
    async def once() -> types.CallToolResult:
        async with server.client() as client:
            return await client.call_tool(name, arguments)

    return asyncio.run(once())


def text(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


def test_each_command_is_a_tool_with_its_schema(server: Server) -> None:
    async def tools() -> types.ListToolsResult:
        async with server.client() as client:
            return await client.list_tools()

    listed = {tool.name: tool.input_schema for tool in asyncio.run(tools()).tools}
    assert sorted(listed)[:3] == ["after_dashes", "endless", "environment"]
    assert listed["word"]["properties"]["text"]["pattern"] == "^(?:[a-z]+)$"
    assert listed["word"]["additionalProperties"] is False


def test_a_value_is_one_argument_whatever_it_holds(server: Server) -> None:
    value = "a; id $(id) `id` | cat && 'x' \"y\" > /tmp/z"
    result = call(server, "show", text=value)
    assert not result.is_error
    assert text(result) == value + "\n"


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("word", {"text": "two words"}, "must be a text that matches"),
        ("word", {"text": "end\n"}, "must be a text that matches"),
        ("word", {"text": 5}, "must be a text that matches"),
        ("word", {}, "'text' is missing"),
        ("word", {"text": "a", "more": "b"}, "'more' is no parameter"),
        ("show", {"text": "--version"}, "must not begin with a dash"),
        ("sh", {"text": "id"}, "There is no command 'sh'"),
        ("../bin/sh", {}, "There is no command"),
    ],
)
def test_what_is_not_allowed_is_refused_with_a_sentence(
    server: Server, name: str, arguments: dict[str, object], reason: str
) -> None:
    result = call(server, name, **arguments)
    assert result.is_error
    assert reason in text(result)


def test_after_two_dashes_a_value_may_begin_with_one(server: Server) -> None:
    assert text(call(server, "after_dashes", text="--version")) == "-- --version\n"


def test_a_command_sees_nothing_of_the_server(server: Server) -> None:
    names = {line.partition("=")[0] for line in text(call(server, "environment")).splitlines()}
    assert names == {"PATH", "LANG", "HOME"}
    assert Path(text(call(server, "where")).strip()) == server.log.parent / "data"


def test_a_failure_tells_its_exit_code(server: Server) -> None:
    result = call(server, "fails")
    assert result.is_error
    assert result.structured_content["exit_code"] == 2
    assert "/nonexistent" in result.structured_content["stderr"]


def test_who_writes_too_much_is_ended(server: Server) -> None:
    result = call(server, "endless")
    assert result.is_error
    assert result.structured_content["truncated"] is True
    assert len(result.structured_content["stdout"]) == 1000
    assert result.structured_content["exit_code"] == -9


def gone(pid: int) -> bool:
    """Within five seconds; a zombie that waits for its parent is gone."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        os.sched_yield()
    return False


@pytest.mark.parametrize(("name", "timed_out"), [("hangs", True), ("leaves", False)])
def test_nothing_that_a_command_started_outlives_it(server: Server, name: str, timed_out: bool) -> None:
    result = call(server, name)
    assert result.structured_content["timed_out"] is timed_out
    assert result.structured_content["seconds"] < 4
    assert gone(int((server.log.parent / "data" / "child").read_text()))


def test_many_calls_at_once_are_all_answered(server: Server) -> None:
    async def many() -> list[types.CallToolResult]:
        async with server.client() as client:
            return await asyncio.gather(*(client.call_tool("show", {"text": str(n)}) for n in range(60)))

    assert [text(result) for result in asyncio.run(many())] == [f"{n}\n" for n in range(60)]


def test_calls_are_logged_without_their_arguments(server: Server) -> None:
    call(server, "show", text="confidential")
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert {"event": "tools/call", "tool": "show", "outcome": "ok"}.items() <= lines[-1].items()
    assert "confidential" not in server.log.read_text()
