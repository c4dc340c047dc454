# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of a Kubernetes API server as an exec needs: a list of pods, and a websocket. What is executed runs here.

A message of the websocket is a channel (0 stdin, 1 stdout, 2 stderr, 3 the final Status) and content; in version 5 of
the protocol channel 255 closes another one (KEP-4006). Frames are those of RFC 6455, section 5.2.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import struct
import subprocess
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional
from urllib.parse import parse_qs, urlsplit

import yaml

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"


class ApiServer(ThreadingHTTPServer):
    """pods: name → whether it is ready. speaks: the protocols it knows. drop: whether it cuts connections."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pods: dict[str, bool] = {"spire-server-0": True}
        self.speaks: tuple[str, ...] = (V5, V4)
        self.commands: list[tuple[str, list[str]]] = []
        self.drop = False

    def kubeconfig(self, folder: Path) -> str:
        path = folder / "kubeconfig"
        named = {"name": "test"}
        data = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{**named, "cluster": {"server": f"http://127.0.0.1:{self.server_port}"}}],
            "contexts": [{**named, "context": {"cluster": "test", "user": "test"}}],
            "users": [{**named, "user": {"token": "EXAMPLE-TOKEN"}}],
        }
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        return str(path)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ApiServer

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        words = parts.path.strip("/").split("/")
        if words[-1] == "pods":
            self._answer(200, {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": self._pods()})
        elif words[-2] not in self.server.pods:
            message = f'pods "{words[-2]}" not found'
            self._answer(404, {"kind": "Status", "apiVersion": "v1", "message": message, "code": 404})
        else:
            self._exec(words[-2], query)

    def _pods(self) -> list[Mapping[str, Any]]:
        return [
            {
                "metadata": {"name": name},
                "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
            }
            for name, ready in self.server.pods.items()
        ]

    def _answer(self, status: int, data: Any) -> None:
        content = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _exec(self, pod: str, query: Mapping[str, list[str]]) -> None:
        offered = [word.strip() for word in self.headers["Sec-WebSocket-Protocol"].split(",")]
        protocol = next(word for word in self.server.speaks if word in offered)
        digest = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + _GUID).encode()).digest()
        self.close_connection = True
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(digest).decode())
        self.send_header("Sec-WebSocket-Protocol", protocol)
        self.end_headers()
        self.server.commands.append((pod, query["command"]))
        if self.server.drop:
            return
        stdin = self._stdin() if query.get("stdin") == ["True"] or query.get("stdin") == ["true"] else b""
        if stdin is None:
            return
        pipe = subprocess.PIPE
        try:
            done = subprocess.Popen(query["command"], stdin=pipe, stdout=pipe, stderr=pipe)
        except FileNotFoundError:
            self._send(3, json.dumps({"status": "Failure", "message": "executable file not found"}).encode())
            self._close()
            return
        stdout, stderr = done.communicate(stdin)
        for channel, content in ((1, stdout), (2, stderr)):
            for at in range(0, len(content), 30_000):
                self._send(channel, content[at : at + 30_000])
        self._send(3, _status(done.returncode))
        self._close()

    def _stdin(self) -> Optional[bytes]:
        """What is sent until it is closed; None if the connection ends before."""
        parts = []
        while True:
            message = self._receive()
            if message is None:
                return None
            if message[:1] == b"\xff":
                return b"".join(parts)
            parts.append(message[1:])

    def _receive(self) -> Optional[bytes]:
        head = self.rfile.read(2)
        if len(head) < 2 or head[0] & 15 == 8:
            return None
        size = head[1] & 127
        if size == 126:
            (size,) = struct.unpack(">H", self.rfile.read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self.rfile.read(8))
        mask = self.rfile.read(4)
        content = self.rfile.read(size)
        key = (mask * (size // 4 + 1))[:size]
        return (int.from_bytes(content, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")

    def _send(self, channel: int, content: bytes) -> None:
        self._frame(2, bytes([channel]) + content)

    def _close(self) -> None:
        self._frame(8, struct.pack(">H", 1000))

    def _frame(self, opcode: int, content: bytes) -> None:
        size = len(content)
        head = bytes([128 | opcode]) + (bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size))
        self.wfile.write(head + content)


def _status(code: int) -> bytes:
    if code == 0:
        return json.dumps({"status": "Success"}).encode()
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return json.dumps({"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}).encode()


@contextlib.contextmanager
def api_server() -> Iterator[ApiServer]:
    with ApiServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
