# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An asyncio server in a thread of its own for as long as a `with` block lasts; nothing of it is left afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Coroutine, Iterator
from typing import Any, Callable, Optional


@contextlib.contextmanager
def in_thread(
    name: str,
    start: Callable[[], Coroutine[Any, Any, asyncio.AbstractServer]],
    close: Callable[[asyncio.AbstractServer], Coroutine[Any, Any, None]],
) -> Iterator[tuple[asyncio.AbstractEventLoop, asyncio.AbstractServer]]:
    """`start` makes the server, `close` ends it and its connections; both run in the loop."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    try:
        yield loop, server
    finally:
        asyncio.run_coroutine_threadsafe(close(server), loop).result(timeout=30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=30)
        loop.close()


def port_of(server: Any) -> int:
    return int(server.sockets[0].getsockname()[1])


class Streams:
    """Serves each connection in a task, and ends them all.

    Flow: connection -> `serve(reader, writer)`; a writer that is still open at its end is aborted.
    """

    def __init__(
        self,
        serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        context: Optional[ssl.SSLContext] = None,
    ) -> None:
        self._serve, self._context = serve, context
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: set[asyncio.BaseTransport] = set()
        self.connections = 0

    async def listen(self) -> asyncio.AbstractServer:
        return await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=1 << 26, ssl=self._context)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._transports.add(writer.transport)
        task = asyncio.get_running_loop().create_task(self._one(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            # A writer that is closing has something to send first.
            if not writer.is_closing():
                writer.transport.abort()

    async def close(self, server: asyncio.AbstractServer) -> None:
        server.close()
        await settle()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for transport in self._transports:
            transport.abort()  # type: ignore[attr-defined]  # every transport of a socket has it
        await settle()
        await server.wait_closed()


async def settle() -> None:
    """A connection that was accepted a moment ago needs some rounds of the loop until it is known."""
    for _round in range(5):
        await asyncio.sleep(0)
