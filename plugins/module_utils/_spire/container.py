# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server's command in a Docker container, by an exec of the Docker Engine API.

    exec_create ─▶ exec_start: the connection becomes the command's streams ─▶ exec_inspect: its status
                     ─▶ stdin, closed at its end
                     ◀─ frames: stream (1 stdout, 2 stderr), 3 bytes, length (4 bytes, big-endian), content

The end of stdin is a half-closed connection, which TLS as Python has it does not know.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Sequence
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._spire.transport import CallError, Deadline, Ran

_FRAME = struct.Struct(">BxxxL")


class Container:
    """name: of the container, or its id. host: such as unix:///run/docker.sock; by default what DOCKER_HOST says."""

    def __init__(self, command: Sequence[str], timeout: float, name: str, host: str = "") -> None:
        self.command, self.timeout, self.name, self.host = tuple(command), timeout, name, host
        self.where = f"{command[0]} in container {name}"
        self._local = threading.local()
        self._clients: list[Any] = []

    def run(self, arguments: Sequence[str], stdin: bytes = b"") -> Ran:
        import docker.errors

        deadline = Deadline(self.timeout)
        began = False
        try:
            client = self._client()
            execution = client.exec_create(self.name, [*self.command, *arguments], stdin=bool(stdin))
            began = True
            connection = client.exec_start(execution, socket=True)
            stdout, stderr = self._talk(connection, stdin, deadline)
            status = client.exec_inspect(execution)["ExitCode"]
        except (TimeoutError, socket.timeout):
            raise deadline.missed(self.where) from None
        except docker.errors.NotFound as error:
            raise CallError(f"{self.where}: {error.explanation}", "no_container") from error
        except docker.errors.APIError as error:
            raise CallError(f"{self.where}: Docker refuses: {error.explanation}", "refused", began) from error
        except (docker.errors.DockerException, OSError) as error:
            raise CallError(f"{self.where}: Docker cannot be talked to ({error})", "unreachable", began) from error
        # 126 and 127 are the engine's, for what it cannot start.
        if status in (126, 127):
            said = (stdout + stderr).decode("utf-8", "replace").strip()
            raise CallError(f"{self.where}: cannot be run ({said}). Give its path as connection.command", "no_command")
        return Ran(status, stdout, stderr)

    def _client(self) -> Any:
        """One for each thread, as its connections are."""
        import docker

        if not hasattr(self._local, "client"):
            options = {"base_url": self.host} if self.host else docker.utils.kwargs_from_env()
            self._local.client = docker.APIClient(**options, version="auto", timeout=self.timeout)
            self._clients.append(self._local.client)
        return self._local.client

    def _talk(self, connection: Any, stdin: bytes, deadline: Deadline) -> tuple[bytes, bytes]:
        raw = getattr(connection, "_sock", connection)
        if isinstance(raw, ssl.SSLSocket) and stdin:
            raise CallError(
                f"{self.where}: the end of a command's input cannot be told through TLS. Run the task on the machine "
                "of the container, or give its socket as connection.container.host",
                "bad_option",
            )
        writer = threading.Thread(target=_write, args=(raw, stdin), daemon=True)
        writer.start()
        try:
            return _read(_Reader(connection, raw, deadline))
        finally:
            # Ends the writer too, if nobody wanted all of it.
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)
            writer.join()
            connection.close()
            raw.close()

    def close(self) -> None:
        for client in self._clients:
            client.close()


def _write(raw: Any, stdin: bytes) -> None:
    with contextlib.suppress(OSError):
        if stdin:
            raw.sendall(stdin)
            raw.shutdown(socket.SHUT_WR)


class _Reader:
    """Bytes off the connection: first those that came along with the answer's headers, which the SDK leaves behind."""

    def __init__(self, connection: Any, raw: Any, deadline: Deadline) -> None:
        self._raw, self._deadline = raw, deadline
        response = getattr(connection, "_response", None)
        self._stream = response.raw._fp.fp if response is not None else raw.makefile("rb")

    def take(self, size: int) -> bytes:
        """So many bytes, or fewer at the end."""
        parts = bytearray()
        while len(parts) < size:
            left = self._deadline.left
            if not left:
                raise TimeoutError
            self._raw.settimeout(left)
            part = self._stream.read1(size - len(parts))
            if not part:
                break
            parts += part
        return bytes(parts)


def _read(reader: _Reader) -> tuple[bytes, bytes]:
    streams: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
    while True:
        head = reader.take(_FRAME.size)
        if len(head) < _FRAME.size:
            return bytes(streams[1]), bytes(streams[2])
        stream, length = _FRAME.unpack(head)
        streams.setdefault(stream, bytearray()).extend(reader.take(length))
