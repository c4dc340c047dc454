# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shim as a command, with a real server behind it or none."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_shim.servers import local_command
from mcp_shim.settings import Settings
from mcp_shim.shim import Shim

from tests.stack.mcp.serving import Server, free_port, serving
from tests.stack.mcp_shim.calling import Caller, caller


@pytest.fixture
def alone(tmp_path: Path, node_modules: Path) -> Caller:
    """A shim whose container is down."""
    return caller(tmp_path, MCP_SHIM_NODE_MODULES=str(node_modules))


@pytest.fixture(scope="module")
def server(node_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("filesystem", tmp_path_factory.mktemp("server"), MCP_NODE_MODULES=str(node_modules)) as running:
        yield running


@pytest.fixture
def both(server: Server, node_modules: Path) -> Caller:
    """A shim whose container is up."""
    return caller(server.log.parent, MCP_SHIM_URL=server.url, MCP_SHIM_NODE_MODULES=str(node_modules))


def test_the_containers_server_comes_first(both: Caller) -> None:
    path = both.directory / "data" / "first"
    answer = both.tool("write_file", path=str(path), content="x")
    assert (answer.code, answer.server, path.read_text()) == (0, "container", "x")
    assert {tool["name"] for tool in both("tools/list").output["tools"]} >= {"read_text_file", "edit_file"}


def test_it_falls_back_and_comes_back(tmp_path: Path, node_modules: Path) -> None:
    port = str(free_port())
    shim = caller(tmp_path, MCP_SHIM_URL=f"http://127.0.0.1:{port}", MCP_SHIM_NODE_MODULES=str(node_modules))
    path = str(tmp_path / "data" / "note")
    with serving("filesystem", tmp_path, MCP_NODE_MODULES=str(node_modules), MCP_PORT=port):
        assert shim.tool("write_file", path=path, content="one").server == "container"
        assert shim("health").code == 0
    fallen = shim.tool("read_text_file", path=path)
    assert (fallen.code, fallen.server) == (0, "local")
    assert fallen.output["structuredContent"] == {"content": "one"}
    assert [line["event"] for line in fallen.logs] == ["container_down", "answered"]
    health = shim("health")
    assert (health.code, health.output["using"]) == (1, "local")
    with serving("filesystem", tmp_path, MCP_NODE_MODULES=str(node_modules), MCP_PORT=port):
        assert shim.tool("read_text_file", path=path).server == "container"


def test_while_the_circuit_is_open_the_container_is_left_alone(both: Caller) -> None:
    state = both.lock.with_name("shim.lock.state")
    both("tools/list", MCP_SHIM_URL="http://127.0.0.1:9", MCP_SHIM_RETRY_SECONDS="1000")
    assert both("health", MCP_SHIM_RETRY_SECONDS="1000").output["circuit"] == "open"
    assert both("tools/list", MCP_SHIM_RETRY_SECONDS="1000").server == "local"
    state.unlink()
    assert both("tools/list").server == "container"


def test_without_any_server_it_says_so(tmp_path: Path) -> None:
    shim = caller(tmp_path, MCP_SHIM_NODE_MODULES="/nonexistent")
    answer = shim("tools/list")
    assert answer.code == 3
    assert answer.sentence.startswith("No server can be used. The container's: http://127.0.0.1:9: ")
    assert "server-filesystem/dist/index.js is missing." in answer.sentence
    health = shim("health")
    assert (health.code, health.output["using"]) == (3, "none")


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["tools/call", "read_text_file", "{}"], "read_text_file: the arguments: 'path' is a required property"),
        (["tools/call", "read_text_file", '{"path": 5}'], "read_text_file: path: 5 is not of type 'string'"),
        (["tools/call", "edit_file", '{"path": "x", "edits": [{"oldText": 1}]}'], "edit_file: edits[0]"),
        (["tools/call", "read_text_fil"], "There is no tool 'read_text_fil'; did you mean 'read_text_file'?"),
    ],
)
def test_what_does_not_match_the_schema_is_not_sent(both: Caller, args: list[str], reason: str) -> None:
    answer = both(*args)
    assert answer.code == 2
    assert answer.sentence.startswith(reason)


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["resources/list"], "invalid choice: 'resources/list'"),
        (["tools/call"], "required: name"),
        ([], "required: COMMAND"),
        (["tools/call", "x", "{"], "The arguments are no JSON"),
        (["tools/call", "x", "[" * 200_00], "The arguments are no JSON"),
        (["tools/call", "x", "[]"], "The arguments must be a JSON object, not list."),
    ],
)
def test_other_commands_are_refused_with_a_sentence(tmp_path: Path, args: list[str], reason: str) -> None:
    answer = caller(tmp_path)(*args)
    assert answer.code == 2
    assert reason in answer.sentence


def test_a_wrong_token_is_told_and_not_fallen_back_from(both: Caller, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("wrong" * 10)
    answer = both("tools/list", MCP_SHIM_TOKEN_FILE=str(tmp_path / "token"))
    assert answer.code == 2
    assert "does not take the token" in answer.sentence
    assert "wrongwrong" not in json.dumps(answer.logs)


def test_wrong_settings_are_told(tmp_path: Path) -> None:
    assert "MCP_SHIM_URL: String should match" in caller(tmp_path)("health", MCP_SHIM_URL="x").sentence


def test_a_tool_that_fails_has_an_exit_code_of_its_own(alone: Caller) -> None:
    assert alone.tool("read_text_file", path="/etc/passwd").code == 1


def test_arguments_come_from_standard_input_too(alone: Caller) -> None:
    path = alone.directory / "data" / "large"
    answer = alone("tools/call", "write_file", "-", text=json.dumps({"path": str(path), "content": "x" * 300_000}))
    assert answer.code == 0
    assert path.stat().st_size == 300_000


def settings(shim: Caller) -> Settings:
    names = {name.removeprefix("MCP_SHIM_").lower(): value for name, value in shim.environment().items()}
    return Settings.model_validate({name: value for name, value in names.items() if name in Settings.model_fields})


def test_the_local_servers_sandbox_holds_where_the_server_itself_would_not(alone: Caller) -> None:
    if shutil.which("bwrap"):
        pytest.skip("bubblewrap is installed and used instead")
    command, sandbox = local_command(settings(alone))
    assert sandbox == "Node's permission model"
    for attempt in (
        "require('fs').readFileSync('/etc/passwd')",
        "require('fs').writeFileSync('/tmp/escaped', '')",
        "require('child_process').execSync('id')",
    ):
        tried = subprocess.run([*command[:-2], "-e", attempt], capture_output=True, text=True, check=False, timeout=30)
        assert "ERR_ACCESS_DENIED" in tried.stderr
        assert tried.returncode != 0


def test_another_path_needs_bubblewrap(alone: Caller) -> None:
    answer = alone("health", MCP_SHIM_MOUNTED_AT="/data", MCP_SHIM_BUBBLEWRAP="/nonexistent")
    assert "bubblewrap" in answer.output["local"]["detail"]


def append(configured: Settings, path: Path, number: int) -> None:
    """One caller's edit, in a process of its own."""
    edits = [{"oldText": "END", "newText": f"line {number}\nEND"}]
    result = asyncio.run(Shim(configured).call_tool("edit_file", {"path": str(path), "edits": edits}))
    os._exit(int(result.is_error))


@pytest.mark.parametrize(("which", "callers"), [("both", 50), ("alone", 3)])
def test_no_edit_of_many_callers_at_once_is_lost(which: str, callers: int, request: pytest.FixtureRequest) -> None:
    shim: Caller = request.getfixturevalue(which)
    path = shim.directory / "data" / "shared"
    path.write_text("END\n")
    fork = multiprocessing.get_context("fork")
    running = [fork.Process(target=append, args=(settings(shim), path, number)) for number in range(callers)]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [0] * callers
    assert sorted(path.read_text().splitlines()) == sorted(["END", *(f"line {number}" for number in range(callers))])


def test_it_is_a_server_itself_on_its_standard_streams(alone: Caller) -> None:
    async def talk() -> tuple[list[str], bool, str]:
        parameters = StdioServerParameters(
            command=sys.executable, args=["-m", "mcp_shim", "serve"], env=alone.environment()
        )
        async with Client(stdio_client(parameters)) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            refused = await client.call_tool("write_file", {"path": 5})
            return tools, refused.is_error, str(refused.content)

    tools, is_error, content = asyncio.run(talk())
    assert "write_file" in tools
    assert is_error
    assert "write_file: " in content
