# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The other side of the stand-in: the gateway's proxy, as far as it tells whether a request is routed.

    with standin() as node, gateway(node, delay=0.05) as proxy: …proxy.url
    proxy.calls                       # (method, path, host) of each request

Routing follows a write late, as recorded: a worker sees that something has changed when a request comes, and routes by
it `delay` seconds after that; the second worker after twice that time. Connections go to the workers in turn. What is
routed is answered with `status`, and what is not with Kong's own 404. Source of what matches and what comes first:
Kong's "How routing works"; only hosts, paths, methods and headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import re
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

from tests.contract.kong.faults import Message, read_message
from tests.contract.kong.serving import Streams, in_thread, port_of
from tests.contract.kong.standin import Address

NO_ROUTE = {"message": "no Route matched with those values", "request_id": "5f2a3b4c5d6e7f8091a2b3c4d5e6f708"}


@dataclass
class _Worker:
    delay: float
    table: list[dict[str, Any]] = field(default_factory=list)
    due: Optional[float] = None

    def route(self, now: list[dict[str, Any]], request: Message) -> Optional[dict[str, Any]]:
        if now != self.table and self.due is None:
            self.due = time.monotonic() + self.delay
        if self.due is not None and time.monotonic() >= self.due:
            self.table, self.due = now, None
        found = [route for route in self.table if _matches(route, request)]
        return max(found, key=_precedence, default=None)


def _matches(route: dict[str, Any], request: Message) -> bool:
    method, path, _version = request.start.split(" ")
    host = request.header("host")
    return (
        bool({"http", "https"} & set(route["protocols"]))
        and method in (route["methods"] or [method])
        and any(_fits_host(pattern, host) for pattern in route["hosts"] or [host])
        and any(_fits_path(pattern, path) for pattern in route["paths"] or ["/"])
        and all(request.header(name.lower()) in values for name, values in (route["headers"] or {}).items())
    )


def _fits_host(pattern: str, host: str) -> bool:
    name = host if ":" in pattern else host.split(":")[0]
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    return name.startswith(pattern[:-1]) if pattern.endswith(".*") else name == pattern


def _fits_path(pattern: str, path: str) -> bool:
    return bool(re.match(pattern[1:], path)) if pattern.startswith("~") else path.startswith(pattern)


def _precedence(route: dict[str, Any]) -> tuple[int, int]:
    criteria = sum(bool(route[name]) for name in ("hosts", "paths", "methods", "headers"))
    return criteria, max((len(path) for path in route["paths"] or [""]), default=0)


@dataclass
class Gateway:
    node: Address
    workers: list[_Worker]
    status: int
    url: str = ""
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    _next: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        worker = self.workers[self._next % len(self.workers)]
        self._next += 1
        while (request := await read_message(reader)) is not None:
            method, path, _version = request.start.split(" ")
            self.calls.append((method, path, request.header("host")))
            assert self.node.standin is not None
            rows = self.node.standin.workspaces["default"].store.rows["routes"]
            route = worker.route(copy.deepcopy(list(rows.values())), request)
            status, body = (404, NO_ROUTE) if route is None else (self.status, {"route": route["name"]})
            last = request.header("connection").lower() == "close"
            headers = [
                ("Content-Type", "application/json; charset=utf-8"),
                ("Connection", "close" if last else "keep-alive"),
                ("Server", "kong/3.9.1"),
            ]
            answer = Message(f"HTTP/1.1 {status} -", headers).with_body(json.dumps(body).encode())
            writer.write(answer.head() + answer.body)
            if last:
                writer.close()
                return


@contextlib.contextmanager
def gateway(
    node: Address, delay: float = 0.05, workers: int = 1, status: int = 200, certificate: str = "", key: str = ""
) -> Iterator[Gateway]:
    """The proxy of a stand-in in this process. `certificate`, `key`: PEM files, for TLS."""
    found = Gateway(node, [_Worker(delay * (nth + 1)) for nth in range(workers)], status)
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    streams = Streams(found.serve, context)
    with in_thread("kong-gateway", streams.listen, streams.close) as (_loop, server):
        found.url = f"{'https' if certificate else 'http'}://127.0.0.1:{port_of(server)}"
        yield found
