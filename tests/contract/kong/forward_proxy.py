# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP proxy of a company, on loopback: what stands in `http_proxy` and `https_proxy`.

    with forward_proxy(user="me:secret") as proxy: …proxy.url
    proxy.seen                                    # method and target of each request

CONNECT makes a tunnel (RFC 9110, section 9.3.6), an absolute target is passed on (RFC 9112, section 3.2.2); everything
else is 400, and 407 without the user's name and password if one is set.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.contract.kong.faults import Message, read_message
from tests.contract.kong.serving import Streams, in_thread, port_of

_LAST = "Content-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class ForwardProxy:
    user: str = ""
    url: str = ""
    seen: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await read_message(reader)) is not None:
            method, target, _version = request.start.split(" ")
            self.seen.append(f"{method} {target}")
            wanted = "Basic " + base64.b64encode(self.user.encode()).decode()
            if self.user and request.header("proxy-authorization") != wanted:
                writer.write(f"HTTP/1.1 407 Proxy Authentication Required\r\n{_LAST}".encode())
                writer.close()
                return
            parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
            if not parts.hostname or not parts.port:
                writer.write(f"HTTP/1.1 400 Bad Request\r\n{_LAST}".encode())
                writer.close()
                return
            node_reader, node_writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await asyncio.gather(_pump(reader, node_writer), _pump(node_reader, writer))
                    return
                path = target.split(parts.netloc, 1)[1]
                request.start = f"{method} {path} HTTP/1.1"
                node_writer.write(request.head() + request.body)
                answer = await read_message(node_reader) or Message("HTTP/1.1 502 Bad Gateway", []).with_body(b"")
                writer.write(answer.head() + answer.body)
            finally:
                node_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextlib.contextmanager
def forward_proxy(user: str = "") -> Iterator[ForwardProxy]:
    proxy = ForwardProxy(user)
    streams = Streams(proxy.serve)
    with in_thread("forward-proxy", streams.listen, streams.close) as (_loop, server):
        proxy.url = f"http://{user + '@' if user else ''}127.0.0.1:{port_of(server)}"
        yield proxy
