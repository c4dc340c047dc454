# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP proxy on loopback that fails on demand, between a client and the node it talks to.

    with standin() as node, fault_proxy(node.url) as proxy:
        proxy.inject(cut_after(), method="PUT", nth=3)     # the third PUT is carried out, its answer is lost
        client(proxy.url)
    proxy.calls                                            # what came, and which fault each call met

A fault belongs to a rule: which calls (method, pattern of the path with its query), from which of them on (`nth`,
counted from 1 since the rule was made), and how many (`times`; None for all). A call meets the fault of the first rule
that applies; every rule counts the calls that fit it. A call that meets none is passed on.
Flow: request -> rule -> fault(exchange) -> answer, or a cut. A fault decides whether the node sees the call: `*_before`
do not pass it on, `*_after` do and then lose or replace the answer. Units: seconds, bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from typing import Callable, Optional
from urllib.parse import urlsplit

from tests.contract.kong.serving import Streams, in_thread, port_of

HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


class Cut(Exception):  # noqa: N818  (it is a deed, not an error)
    """Close the connection to the client now."""


@dataclass
class Message:
    """A request or an answer: start line, headers as they came, body."""

    start: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])

    def head(self) -> bytes:
        lines = [self.start, *(f"{key}: {value}" for key, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def with_body(self, body: bytes) -> Message:
        kept = [item for item in self.headers if item[0].lower() not in ("content-length", "transfer-encoding")]
        return Message(self.start, [*kept, ("Content-Length", str(len(body)))], body)


@dataclass(frozen=True)
class Call:
    """One call that reached the proxy, and the name of the fault it met."""

    method: str
    path: str
    body: bytes
    fault: str = ""


@dataclass
class Exchange:
    """What a fault may do: pass the request on, and write to the client."""

    request: Message
    forward: Callable[[], Awaitable[Message]]
    writer: asyncio.StreamWriter
    released: asyncio.Event

    async def send(self, answer: Message) -> None:
        self.writer.write(answer.head() + answer.body)
        await self.writer.drain()


Deed = Callable[[Exchange], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """A way to fail, by name."""

    name: str
    deed: Deed


def _message(status: int, reason: str, headers: dict[str, str], body: bytes) -> Message:
    return Message(f"HTTP/1.1 {status} {reason}", list(headers.items())).with_body(body)


def cut_before() -> Fault:
    """Cut the connection; the node never sees the call."""

    async def deed(_exchange: Exchange) -> None:
        raise Cut

    return Fault("cut_before", deed)


def cut_after() -> Fault:
    """The node carries the call out; its answer is lost."""

    async def deed(exchange: Exchange) -> None:
        await exchange.forward()
        raise Cut

    return Fault("cut_after", deed)


def cut_in_body(share: float = 0.5) -> Fault:
    """Send the whole head and a share of the body it announces, then cut."""

    async def deed(exchange: Exchange) -> None:
        answer = await exchange.forward()
        exchange.writer.write(answer.head() + answer.body[: int(len(answer.body) * share)])
        await exchange.writer.drain()
        exchange.writer.close()
        raise Cut

    return Fault("cut_in_body", deed)


def truncated_json(share: float = 0.5) -> Fault:
    """A whole HTTP answer with a part of its JSON."""

    async def deed(exchange: Exchange) -> None:
        answer = await exchange.forward()
        await exchange.send(answer.with_body(answer.body[: int(len(answer.body) * share)]))

    return Fault("truncated_json", deed)


def answer_before(status: int, reason: str = "", body: bytes = b"", headers: Optional[dict[str, str]] = None) -> Fault:
    """Answer in the node's place; it never sees the call."""
    given = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}

    async def deed(exchange: Exchange) -> None:
        await exchange.send(_message(status, reason, given, body))

    return Fault(f"answer_before {status}", deed)


def answer_after(status: int, reason: str = "", body: bytes = b"", headers: Optional[dict[str, str]] = None) -> Fault:
    """The node carries the call out; the client is told something else."""
    given = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}

    async def deed(exchange: Exchange) -> None:
        await exchange.forward()
        await exchange.send(_message(status, reason, given, body))

    return Fault(f"answer_after {status}", deed)


def server_error(status: int = 500) -> Fault:
    """What Kong itself says when it fails."""
    return answer_before(status, "Internal Server Error", b'{"message":"An unexpected error occurred"}')


def too_many_requests(retry_after: Optional[str] = "1") -> Fault:
    """429, with `Retry-After` (seconds or an HTTP date) unless None."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return answer_before(429, "Too Many Requests", b'{"message":"API rate limit exceeded"}', headers)


def html(status: int = 200) -> Fault:
    """A page in place of JSON, as a proxy or a login portal sends it."""
    return answer_before(status, "OK" if status == 200 else "Bad Gateway", HTML, {"Content-Type": "text/html"})


def delay(seconds: float) -> Fault:
    """Pass the call on after a while."""

    async def deed(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await exchange.send(await exchange.forward())

    return Fault("delay", deed)


def hold() -> Fault:
    """Pass the call on and keep the answer until `release()`: for a client's read timeout, without a race."""

    async def deed(exchange: Exchange) -> None:
        answer = await exchange.forward()
        await exchange.released.wait()
        await exchange.send(answer)

    return Fault("hold", deed)


def drip(size: int = 16, seconds: float = 0.005) -> Fault:
    """Send the answer `size` bytes at a time with a pause after each."""

    async def deed(exchange: Exchange) -> None:
        answer = await exchange.forward()
        data = answer.head() + answer.body
        for start in range(0, len(data), size):
            exchange.writer.write(data[start : start + size])
            await exchange.writer.drain()
            await asyncio.sleep(seconds)

    return Fault("drip", deed)


def rewrite(change: Callable[[bytes], bytes]) -> Fault:
    """Send another body than the node did: an `offset` that repeats, an entity that somebody has just changed."""

    async def deed(exchange: Exchange) -> None:
        answer = await exchange.forward()
        await exchange.send(answer.with_body(change(answer.body)))

    return Fault("rewrite", deed)


@dataclass
class _Rule:
    fault: Fault
    method: str
    path: re.Pattern[str]
    nth: int
    times: Optional[int]
    seen: int = 0

    def applies(self, method: str, path: str) -> bool:
        if (self.method and self.method != method) or not self.path.search(path):
            return False
        self.seen += 1
        return self.seen >= self.nth and (self.times is None or self.seen < self.nth + self.times)


@dataclass
class FaultProxy:
    """The proxy: its address, what reached it, and its rules."""

    upstream: str
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    peak: int = 0
    """How many calls were under way at the same time, at most."""
    _rules: list[_Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _now: int = 0
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: Optional[asyncio.AbstractEventLoop] = None

    def __post_init__(self) -> None:
        self.streams = Streams(self._serve)

    @property
    def connections(self) -> int:
        """How many connections clients have opened."""
        return self.streams.connections

    def inject(self, fault: Fault, *, method: str = "", path: str = "", nth: int = 1, times: Optional[int] = 1) -> None:
        """Let `fault` happen to the `nth` call that fits, and to the `times - 1` after it."""
        with self._lock:
            self._rules.append(_Rule(fault, method, re.compile(path), nth, times))

    def clear(self) -> None:
        """Forget rules and calls."""
        with self._lock:
            self._rules.clear()
            self.calls.clear()

    def release(self) -> None:
        """Let every answer go that `hold` keeps, now and later."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._released.set)

    def of(self, method: str = "", path: str = "") -> list[Call]:
        """The calls of a method and a pattern of the path."""
        return [c for c in self.calls if (not method or c.method == method) and re.search(path, c.path)]

    # -- the proxy's own thread ---------------------------------------------------------------------------------------

    def _take(self, request: Message) -> Optional[Fault]:
        method, path, _version = request.start.split(" ", 2)
        with self._lock:
            # Every rule counts the call, though only the first that applies is used.
            applying = [rule.fault for rule in self._rules if rule.applies(method, path)]
            fault = applying[0] if applying else None
            self.calls.append(Call(method, path, request.body, fault.name if fault else ""))
        return fault

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        node = _Upstream(self.upstream)
        try:
            while (request := await read_message(reader)) is not None:
                await self._exchange(request, node, writer)
        except Cut:
            pass
        finally:
            node.close()

    async def _exchange(self, request: Message, node: _Upstream, writer: asyncio.StreamWriter) -> None:
        fault = self._take(request)
        self._now += 1
        self.peak = max(self.peak, self._now)
        try:
            exchange = Exchange(request, lambda: node.call(request), writer, self._released)
            if fault is None:
                await exchange.send(await exchange.forward())
            else:
                await fault.deed(exchange)
        finally:
            self._now -= 1


class _Upstream:
    """The connection to the node that belongs to one connection of a client."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.streams: Optional[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = None

    async def call(self, request: Message) -> Message:
        if self.streams is None:
            self.streams = await asyncio.open_connection(*self.address)
        reader, writer = self.streams
        writer.write(request.head() + request.body)
        await writer.drain()
        answer = await read_message(reader)
        if answer is None:
            raise Cut
        if answer.header("connection").lower() == "close":
            self.close()
        return answer

    def close(self) -> None:
        if self.streams is not None:
            self.streams[1].transport.abort()
            self.streams = None


async def read_message(reader: asyncio.StreamReader) -> Optional[Message]:
    """One request or answer; None at the end of the stream."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    headers = [(name.strip(), value.strip()) for name, _colon, value in (line.partition(":") for line in head[1:])]
    message = Message(head[0], headers)
    if message.header("transfer-encoding").lower() == "chunked":
        body = b""
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            body += (await reader.readexactly(size + 2))[:-2]
            if size == 0:
                return message.with_body(body)
    message.body = await reader.readexactly(int(message.header("content-length") or 0))
    return message


@contextlib.contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """A proxy in a thread in front of the node at `upstream` (`http://host:port`)."""
    proxy = FaultProxy(upstream)
    with in_thread("fault-proxy", proxy.streams.listen, proxy.streams.close) as (loop, server):
        proxy._loop = loop
        proxy.url = f"http://127.0.0.1:{port_of(server)}"
        yield proxy
