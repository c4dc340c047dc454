# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One command, run within limits of time and output.

It gets a process group of its own, which is killed as a whole when the command has ended or its time is over: nothing
that it started goes on. (Who leaves the group by setsid is held by the container's limit of processes, not here.) It
gets no input, and nothing of our environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Optional

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}

#: How long the ends of the pipes are waited for once everything in the group is killed.
DRAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Outcome:
    """``exit_code`` as in subprocess: negative for the signal that ended it."""

    exit_code: int
    stdout: str
    stderr: str
    timed_out: bool
    truncated: bool
    seconds: float


async def run(argv: list[str], directory: Path, timeout_seconds: float, output_bytes: int) -> Outcome:
    """Run it; raises OSError if it cannot start. Who writes more than ``output_bytes`` to a stream is killed."""
    started = time.monotonic()
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=directory,
        env={**ENVIRONMENT, "HOME": str(directory)},
        start_new_session=True,
    )
    timed_out = False
    streams = [_Stream(process.pid, output_bytes), _Stream(process.pid, output_bytes)]
    readers = [
        asyncio.create_task(stream.read(pipe)) for stream, pipe in zip(streams, (process.stdout, process.stderr))
    ]
    try:
        timed_out = not await _ended(process.pid, timeout_seconds)
    finally:
        _kill_group(process.pid)
        exit_code = process.wait()
        await asyncio.wait(readers, timeout=DRAIN_SECONDS)
        for reader in readers:
            reader.cancel()
    return Outcome(
        exit_code=exit_code,
        stdout=streams[0].text(),
        stderr=streams[1].text(),
        timed_out=timed_out,
        truncated=any(stream.full for stream in streams),
        seconds=round(time.monotonic() - started, 4),
    )


async def _ended(pid: int, timeout_seconds: float) -> bool:
    """Whether it ends in time. It stays a zombie, so that its number is nobody else's when the group is killed.

    Not asyncio's own subprocesses: up to Python 3.11 they end only when all who hold the pipes have.
    """
    handle = os.pidfd_open(pid)
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(timeout_seconds):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    return True


class _Stream:
    def __init__(self, group: int, limit: int) -> None:
        self._group = group
        self._limit = limit
        self._data = bytearray()
        self.full = False

    async def read(self, pipe: Optional[IO[bytes]]) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _protocol = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        try:
            while chunk := await reader.read(65536):
                room = self._limit - len(self._data)
                self._data += chunk[:room]
                if len(chunk) > room:
                    self.full = True
                    _kill_group(self._group)
                    return
        finally:
            transport.close()

    def text(self) -> str:
        return self._data.decode(errors="replace")


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
