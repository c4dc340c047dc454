# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An MCP server of ours as a process, and the official client to it."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

PACKAGE = Path(__file__).parents[3] / "roles" / "compose_stack" / "files" / "mcp"


@dataclass
class Server:
    """``log``: all that it has written."""

    port: int
    token: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """The official client, connected with the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with contextlib.AsyncExitStack() as stack:
            http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=30))
            yield await stack.enter_async_context(Client(streamable_http_client(f"{self.url}/mcp", http_client=http)))

    def post(self, headers: dict[str, str], body: bytes = b"{}") -> httpx2.Response:
        """A bare request to the protocol's endpoint, with the headers that it needs and those."""
        needed = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        return httpx2.post(f"{self.url}/mcp", headers={**needed, **headers}, content=body, timeout=30)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(directory: Path, **more: str) -> dict[str, str]:
    """The settings of a server that keeps its files below the directory."""
    (directory / "data").mkdir(exist_ok=True)
    (directory / "token").write_text(secrets.token_hex(32) + "\n")
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PACKAGE),
        "MCP_TOKEN_FILE": str(directory / "token"),
        "MCP_DATA_DIR": str(directory / "data"),
        "MCP_PORT": str(free_port()),
        **more,
    }


@contextlib.contextmanager
def serving(kind: str, directory: Path, **more: str) -> Iterator[Server]:
    """The server, once it is well, until the block ends."""
    settings = environment(directory, **more)
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mcp_servers", kind], env=settings, stdout=output, stderr=output, cwd=directory
        )
        server = Server(int(settings["MCP_PORT"]), Path(settings["MCP_TOKEN_FILE"]).read_text().strip(), process, log)
        try:
            _wait(server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(15)
            finally:
                process.kill()


def _wait(server: Server) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{server.url}/health", timeout=5).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"The server did not start: {server.log.read_text()}")
