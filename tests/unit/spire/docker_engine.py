# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of the Docker Engine API as an exec needs, on a Unix socket. What is executed runs as a process here.

`POST /containers/NAME/exec`, `POST /exec/ID/start` (the connection becomes the streams), `GET /exec/ID/json`; source:
Docker Engine API 1.47, "Exec".
"""

from __future__ import annotations

import contextlib
import json
import re
import socketserver
import struct
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Optional


class Engine(socketserver.ThreadingUnixStreamServer):
    """container: the only one. drop: whether the connection is cut in the middle of a command."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, container: str) -> None:
        super().__init__(path, _Handler)
        self.container = container
        self.commands: list[dict[str, Any]] = []
        self.statuses: dict[int, Optional[int]] = {}
        self.drop = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Engine

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        found = re.search(r"/exec/(\d+)/json$", self.path)
        if found:
            self._answer(200, {"ExitCode": self.server.statuses[int(found[1])], "Running": False})
        else:
            self._answer(200, {"ApiVersion": "1.47", "Version": "27.0.0"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        started = re.search(r"/exec/(\d+)/start$", self.path)
        if started:
            self._start(int(started[1]))
            return
        name = self.path.split("/")[-2]
        if name != self.server.container:
            self._answer(404, {"message": f"No such container: {name}"})
            return
        self.server.commands.append(body)
        self._answer(201, {"Id": str(len(self.server.commands) - 1)})

    def _answer(self, status: int, data: Any) -> None:
        content = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _start(self, number: int) -> None:
        self.close_connection = True
        asked = self.server.commands[number]
        head = (
            b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n"
            b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        )
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(asked["Cmd"], stdin=pipe, stdout=pipe, stderr=pipe)
        except FileNotFoundError:
            self.server.statuses[number] = 127
            text = f'exec failed: exec: "{asked["Cmd"][0]}": executable file not found'.encode()
            # Headers and the first frame in one packet, as may happen on a busy machine.
            self.wfile.write(head + struct.pack(">BxxxL", 1, len(text)) + text)
            return
        self.wfile.write(head)
        if self.server.drop:
            process.kill()
            process.communicate()
            return
        stdin = self.rfile.read() if asked["AttachStdin"] else b""
        stdout, stderr = process.communicate(stdin)
        self.server.statuses[number] = process.returncode
        for stream, content in ((1, stdout), (2, stderr)):
            for at in range(0, len(content), 60_000):
                part = content[at : at + 60_000]
                self.wfile.write(struct.pack(">BxxxL", stream, len(part)) + part)


@contextlib.contextmanager
def docker_engine(folder: Path, container: str = "spire-server") -> Iterator[tuple[str, Engine]]:
    """(address, engine)."""
    path = str(folder / "docker.sock")
    with Engine(path, container) as engine:
        thread = threading.Thread(target=engine.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"unix://{path}", engine
        finally:
            engine.shutdown()
            thread.join()
