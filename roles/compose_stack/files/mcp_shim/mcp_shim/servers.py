# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two servers: the container's, over HTTP with its token; and the published one, started here in a sandbox.

Both serve one directory under one path. The sandbox is bubblewrap's where it is installed: nothing of the file system
but that directory can be written, and besides it only programs can be read; no network, no other processes. Without it
Node's permission model limits the program to the directory and itself, and lets it start nothing; the network stays
open to it, and the directory must have the same path here as in the container.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from mcp_shim.errors import DownError, Exit, ShimError
from mcp_shim.settings import Settings

PING = {"jsonrpc": "2.0", "id": 0, "method": "ping"}

#: What the sandbox sees of the machine, read-only, as far as it is there.
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/alternatives", "/etc/ssl")


def look(settings: Settings) -> None:
    """Whether the container's server is well, by its /health. Raises DownError."""
    try:
        answer = httpx2.get(
            f"{settings.url}/health", timeout=settings.connect_seconds, trust_env=False, verify=settings.tls
        )
    except httpx2.HTTPError as error:
        raise DownError(f"{settings.url}: {str(error) or type(error).__name__}") from error
    if answer.status_code != 200:
        raise DownError(f"{settings.url}/health: {answer.status_code}")


@asynccontextmanager
async def container(settings: Settings) -> AsyncIterator[Client]:
    """The container's server. Raises DownError before the block, and ShimError when it does not take the token."""
    look(settings)
    try:
        token = settings.token_file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ShimError(Exit.REFUSED, f"{settings.token_file}: the token cannot be read: {error}.") from error
    headers = {"Authorization": f"Bearer {token}"}
    timeout = httpx2.Timeout(settings.call_seconds, connect=settings.connect_seconds)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(
            httpx2.AsyncClient(headers=headers, timeout=timeout, trust_env=False, verify=settings.tls)
        )
        # The SDK does not tell a refusal of the token from other failures.
        if (await http.post(f"{settings.url}/mcp", json=PING)).status_code == 401:
            raise ShimError(Exit.REFUSED, f"{settings.url} does not take the token of {settings.token_file}.")
        transport = streamable_http_client(f"{settings.url}/mcp", http_client=http)
        yield await stack.enter_async_context(Client(transport, read_timeout_seconds=settings.call_seconds))


@asynccontextmanager
async def local(settings: Settings) -> AsyncIterator[Client]:
    """The published server in a sandbox, for as long as the block lasts. Raises DownError."""
    command, _sandbox = local_command(settings)
    parameters = StdioServerParameters(command=command[0], args=command[1:], cwd=str(settings.root))
    async with AsyncExitStack() as stack:
        silent = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        transport = stdio_client(parameters, errlog=silent)
        yield await stack.enter_async_context(Client(transport, read_timeout_seconds=settings.call_seconds))


def local_command(settings: Settings) -> tuple[list[str], str]:
    """The command line of the local server, and the sandbox's name. Raises DownError when it cannot be started."""
    node = shutil.which(settings.node)
    if not node:
        raise DownError(f"{settings.node} is not installed")
    script = settings.node_modules / "@modelcontextprotocol" / "server-filesystem" / "dist" / "index.js"
    if not script.is_file():
        raise DownError(f"{script} is missing")
    if not settings.root.is_dir():
        raise DownError(f"{settings.root} is no directory")
    bubblewrap = shutil.which(settings.bubblewrap)
    if bubblewrap:
        return _bubblewrap(settings, bubblewrap, [node, str(script)]), "bubblewrap"
    if settings.seen_at != settings.root:
        raise DownError(
            f"{settings.root} can be shown as {settings.seen_at} by bubblewrap only, which is not installed"
        )
    return _permission_model(settings, node, script), "Node's permission model"


def _bubblewrap(settings: Settings, bubblewrap: str, program: list[str]) -> list[str]:
    seen: list[str] = []
    for path in (*SYSTEM, str(Path(program[0]).resolve().parent), str(settings.node_modules)):
        seen += ["--ro-bind-try", path, path]
    alone = ["--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    system = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108 (the sandbox's own)
    root = ["--bind", str(settings.root), str(settings.seen_at), "--chdir", str(settings.seen_at)]
    return [bubblewrap, *alone, *system, *seen, *root, *program, str(settings.seen_at)]


def _permission_model(settings: Settings, node: str, script: Path) -> list[str]:
    found = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=10).stdout
    version = tuple(map(int, re.findall(r"\d+", found)[:2]))
    if version < (20,):
        raise DownError(f"{node} {found.strip()} has no permission model, and bubblewrap is not installed")
    stable = version >= (23, 5) or (22, 13) <= version < (23,)
    permission = "--permission" if stable else "--experimental-permission"
    root = str(settings.root.resolve())
    reads = [f"--allow-fs-read={path}/*" for path in (root, settings.node_modules.resolve())]
    return [node, permission, *reads, f"--allow-fs-write={root}/*", str(script), root]
