# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for a Kong node's Admin API: a real HTTP server on loopback that answers as Kong 3.9.1 was recorded.

    python -m tests.contract.kong.standin --mode postgres          # prints its address, serves until it is ended
    with standin(mode="dbless") as node: node.url                  # in this process, in a thread
    with standin_process(mode="postgres") as node: node.url        # in a process of its own, for measurements

Flow: bytes -> `_Connection` (HTTP/1.1, keep-alive, pipelining) -> `StandIn.respond` (who may, which workspace) ->
`AdminApi` -> bytes. One thread serves all connections, so that calls happen one after the other, each whole.
The proxy and its routing are in `gateway.py`.

With `enterprise` there are workspaces, what `enterprise.py` has, and tokens that are confined to a workspace. All this
rests on documentation, not on recordings.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import email.utils
import functools
import hmac
import itertools
import os
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

from tests.contract.kong.admin_api import AdminApi, Answer, Request, answer
from tests.contract.kong.dbless import DeclarativeNode
from tests.contract.kong.enterprise import EnterpriseApi
from tests.contract.kong.node import Node
from tests.contract.kong.serving import in_thread, port_of, settle
from tests.contract.kong.store import Store

_REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 415: "Unsupported Media Type",
    500: "Internal Server Error",
}  # fmt: skip


@dataclass
class Settings:
    """How the node is set up. Paths are PEM files; `now` (seconds since the epoch) is where its clock starts."""

    mode: str = "postgres"
    enterprise: bool = False
    token: str = ""
    read_only_token: str = ""
    workspace_token: str = ""
    """`{workspace}:{token}`: a token that is good for this workspace and nothing else."""
    token_header: str = "Kong-Admin-Token"
    basic_user: str = ""
    basic_password: str = ""
    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    now: float = 0.0
    ids: Sequence[str] = ()
    port: int = 0

    def tls(self) -> Optional[ssl.SSLContext]:
        if not self.certificate:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if self.client_ca:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@dataclass
class StandIn:
    """The node behind the socket."""

    settings: Settings
    workspaces: dict[str, AdminApi] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = self.settings
        offset = settings.now - time.time() if settings.now else 0.0
        self.clock: Callable[[], float] = lambda: time.time() + offset
        given = iter(settings.ids)
        self.new_id: Callable[[], str] = lambda: next(given, None) or str(uuid.uuid4())
        self.node = (DeclarativeNode if settings.mode == "dbless" else Node)(settings.enterprise)
        self.add_workspace("default")

    def add_workspace(self, name: str) -> AdminApi:
        store = Store(self.clock, self.new_id, self.settings.enterprise)
        self.workspaces[name] = (EnterpriseApi if self.settings.enterprise else AdminApi)(store, self.node)
        return self.workspaces[name]

    def respond(self, request: Request) -> Answer:
        self.node.requests += 1
        refusal = self._refuse(request)
        if refusal is not None:
            return refusal
        if self.settings.enterprise:
            return self._in_workspace(request)
        return self.workspaces["default"].handle(request)

    def _refuse(self, request: Request) -> Optional[Answer]:
        settings = self.settings
        if settings.token:
            given = request.headers.get(settings.token_header.lower(), "")
            if settings.read_only_token and hmac.compare_digest(given, settings.read_only_token):
                if request.method in ("GET", "HEAD", "OPTIONS"):
                    return None
                verb = {"DELETE": "delete", "PUT": "update", "PATCH": "update"}.get(request.method, "create")
                return answer(403, {"message": f"reader, you do not have permissions to {verb} this resource"})
            workspace, _colon, confined = settings.workspace_token.partition(":")
            if confined and hmac.compare_digest(given, confined):
                if request.parts[:1] == [workspace]:
                    return None
                return answer(403, {"message": "confined, you do not have permissions to read this resource"})
            if not hmac.compare_digest(given, settings.token):
                return answer(401, {"message": "Invalid credentials. Token or User credentials required"})
        if settings.basic_user:
            pair = f"{settings.basic_user}:{settings.basic_password}".encode()
            wanted = "Basic " + base64.b64encode(pair).decode()
            if not hmac.compare_digest(request.headers.get("authorization", ""), wanted):
                return answer(401, {"message": "Unauthorized"})
        return None

    def _in_workspace(self, request: Request) -> Answer:
        parts = request.parts
        known = self.workspaces["default"]
        paths = (*known.collections, "workspaces", "kong", "schemas", "tags", "status", "config")
        if len(parts) > 1 and parts[0] not in paths and parts[1] in paths:
            if parts[0] not in self.workspaces:
                return answer(404, {"message": f"Workspace '{parts[0]}' not found"})
            known = self.workspaces[parts.pop(0)]
        if parts and parts[0] == "workspaces":
            return self._workspaces(request)
        return known.handle(request)

    def _workspaces(self, request: Request) -> Answer:
        def show(name: str) -> dict[str, Any]:
            return {"id": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)), "name": name, "config": {}, "meta": {}}

        name = request.parts[1] if len(request.parts) > 1 else request.json().get("name")
        if request.method == "GET" and name is None:
            return answer(200, {"data": [show(known) for known in self.workspaces], "next": None})
        if request.method in ("POST", "PUT") and name:
            if name not in self.workspaces:
                self.add_workspace(name)
            return answer(201 if request.method == "POST" else 200, show(name))
        if name in self.workspaces:
            if request.method == "DELETE":
                del self.workspaces[name]
                return answer(204)
            return answer(200, show(name))
        return answer(404, {"message": "Not found"})


@functools.lru_cache(maxsize=1)
def _date(_second: int) -> str:
    return email.utils.formatdate(usegmt=True)


class _Connection(asyncio.Protocol):
    """HTTP/1.1 over one socket."""

    def __init__(self, standin: StandIn, connections: set[asyncio.BaseTransport]) -> None:
        self.standin = standin
        self.connections = connections
        self.buffer = b""
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.connections.add(transport)

    def connection_lost(self, _error: Optional[Exception]) -> None:
        self.connections.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            lines = head.decode("latin-1").split("\r\n")
            headers = {}
            for line in lines[1:]:
                name, _colon, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            taken = self._body(headers, rest)
            if taken is None:
                if headers.get("expect", "").lower() == "100-continue" and not rest:
                    self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            body, self.buffer = taken
            method, target, version = lines[0].split(" ", 2)
            self._answer(Request(method, target, headers, body), version)

    @staticmethod
    def _body(headers: dict[str, str], rest: bytes) -> Optional[tuple[bytes, bytes]]:
        """The body and what follows it; None while it is not all there."""
        if headers.get("transfer-encoding", "").lower() != "chunked":
            length = int(headers.get("content-length") or 0)
            return (rest[:length], rest[length:]) if len(rest) >= length else None
        body = b""
        while True:
            size_line, found, rest = rest.partition(b"\r\n")
            size = int(size_line.split(b";")[0], 16) if found else 0
            if not found or len(rest) < size + 2:
                return None
            body, rest = body + rest[:size], rest[size + 2 :]
            if size == 0:
                return body, rest

    def _answer(self, request: Request, version: str) -> None:
        started = time.perf_counter()
        head_only = request.method == "HEAD"
        if head_only:
            request.method = "GET"
        status, body = self.standin.respond(request)
        last = request.headers.get("connection", "").lower() == "close" or version == "HTTP/1.0"
        lines = [
            f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}",
            f"Date: {_date(int(time.time()))}",
            f"Connection: {'close' if last else 'keep-alive'}",
            "Access-Control-Allow-Origin: *",
            "Access-Control-Allow-Credentials: true",
        ]
        if body:
            lines.append("Content-Type: application/json; charset=utf-8")
        if status == 401 and self.standin.settings.basic_user:
            lines.append('WWW-Authenticate: Basic realm="service"')
        if status not in (204, 304):
            lines.append(f"Content-Length: {len(body)}")
        lines.append(f"X-Kong-Admin-Latency: {int((time.perf_counter() - started) * 1000)}")
        lines.append(f"Server: kong/{self.standin.node.version}\r\n\r\n")
        head = "\r\n".join(lines).encode("latin-1")
        self.transport.write(head if head_only else head + body)
        if last:
            self.transport.close()


@dataclass(frozen=True)
class Address:
    """Where a node listens. `standin` is there only where it runs in this process."""

    url: str
    standin: Optional[StandIn] = None
    pid: Optional[int] = None

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])


async def _listen(standin: StandIn, connections: set[asyncio.BaseTransport]) -> asyncio.AbstractServer:
    loop = asyncio.get_running_loop()
    settings = standin.settings
    return await loop.create_server(
        lambda: _Connection(standin, connections), "127.0.0.1", settings.port, ssl=settings.tls(), backlog=256
    )


def _url(server: Any, settings: Settings) -> str:
    return f"{'https' if settings.certificate else 'http'}://127.0.0.1:{port_of(server)}"


@contextlib.contextmanager
def standin(**settings: Any) -> Iterator[Address]:
    """A node in a thread of this process; `settings` as in `Settings`."""
    node = StandIn(Settings(**settings))
    connections: set[asyncio.BaseTransport] = set()
    with in_thread("kong-standin", lambda: _listen(node, connections), lambda server: _close(server, connections)) as (
        _loop,
        server,
    ):
        yield Address(_url(server, node.settings), node)


async def _close(server: asyncio.AbstractServer, connections: set[asyncio.BaseTransport]) -> None:
    server.close()
    await settle()
    for transport in list(connections):
        transport.abort() if hasattr(transport, "abort") else transport.close()
    while connections:
        await asyncio.sleep(0)
    await server.wait_closed()


@contextlib.contextmanager
def standin_process(**settings: Any) -> Iterator[Address]:
    """A node in a process of its own; it ends with the block."""
    root = str(Path(__file__).resolve().parents[3])
    flags = itertools.chain.from_iterable(_flag(name, value) for name, value in settings.items())
    command = [sys.executable, "-m", "tests.contract.kong.standin", *flags]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(command, cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().decode().strip()
            if not url:
                raise RuntimeError("The stand-in did not start; what it said is on standard error.")
            yield Address(url, pid=process.pid)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _flag(name: str, value: Any) -> list[str]:
    option = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return [option] if value else []
    return [option, str(value)]


async def _serve(node: StandIn) -> None:
    server = await _listen(node, set())
    print(_url(server, node.settings), flush=True)
    async with server:
        await server.serve_forever()


def main(arguments: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(description="Answers as a Kong node's Admin API on loopback.")
    defaults = Settings()
    for name, value in vars(defaults).items():
        option = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            parser.add_argument(option, action="store_true")
        elif name != "ids":
            choices = ("postgres", "dbless") if name == "mode" else None
            parser.add_argument(option, type=type(value), default=value, choices=choices)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(StandIn(Settings(**vars(parser.parse_args(arguments))))))


if __name__ == "__main__":
    main()
