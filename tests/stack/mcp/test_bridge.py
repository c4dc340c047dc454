# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The published servers behind their bridge."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from mcp import MCPError, types

from tests.stack.mcp.serving import Server, serving


@pytest.fixture(scope="module")
def filesystem(node_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("filesystem", tmp_path_factory.mktemp("filesystem"), MCP_NODE_MODULES=str(node_modules)) as running:
        yield running


def call(server: Server, name: str, arguments: dict[str, object]) -> types.CallToolResult:
    async def once() -> types.CallToolResult:
        async with server.client() as client:
            return await client.call_tool(name, arguments)

    return asyncio.run(once())


def test_files_are_written_and_read(filesystem: Server) -> None:
    path = filesystem.log.parent / "data" / "note"
    assert not call(filesystem, "write_file", {"path": str(path), "content": "zażółć"}).is_error
    assert path.read_text() == "zażółć"
    assert call(filesystem, "read_text_file", {"path": str(path)}).structured_content == {"content": "zażółć"}


@pytest.mark.parametrize("outside", ["/etc/passwd", "{data}/../token", "{data}/link"])
def test_nothing_outside_of_the_directory_is_read(filesystem: Server, outside: str) -> None:
    data = filesystem.log.parent / "data"
    link = data / "link"
    if not link.is_symlink():
        link.symlink_to("/etc/passwd")
    result = call(filesystem, "read_text_file", {"path": outside.format(data=data)})
    assert result.is_error
    assert "root:" not in str(result.content)
    assert filesystem.token not in str(result.content)


def test_an_unknown_tool_is_an_error(filesystem: Server) -> None:
    try:
        assert call(filesystem, "format_disk", {}).is_error
    except MCPError as error:
        assert error.code == types.INVALID_PARAMS  # noqa: PT017


def test_entities_of_fifty_callers_at_once_are_all_kept(node_modules: Path, tmp_path: Path) -> None:
    names = [f"entity-{n}" for n in range(50)]

    async def create(server: Server, name: str) -> None:
        async with server.client() as client:
            entity = {"name": name, "entityType": "thing", "observations": []}
            assert not (await client.call_tool("create_entities", {"entities": [entity]})).is_error

    async def all_at_once(server: Server) -> None:
        await asyncio.gather(*(create(server, name) for name in names))

    with serving("memory", tmp_path, MCP_NODE_MODULES=str(node_modules)) as server:
        asyncio.run(all_at_once(server))
    kept = [json.loads(line)["name"] for line in (tmp_path / "data" / "memory.jsonl").read_text().splitlines()]
    assert sorted(kept) == sorted(names)


def test_it_ends_with_an_error_when_its_child_does(node_modules: Path, tmp_path: Path) -> None:
    with serving("memory", tmp_path, MCP_NODE_MODULES=str(node_modules)) as server:
        pid = server.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        assert httpx2.get(f"{server.url}/health", timeout=10).status_code == 503
        assert server.process.wait(10) == 1
    assert '"child_ended"' in server.log.read_text()
