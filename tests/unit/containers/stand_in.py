# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of the Docker Engine API as an audit reads, on a Unix socket or by TCP; source: Docker Engine API 1.47."""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.unit.containers.documents import IMAGE, INFO


class Engine(socketserver.ThreadingUnixStreamServer):
    """containers: by name. gone: ids that are listed, and not there any more. broken: paths that answer 500."""

    daemon_threads = True

    def __init__(self, path: str, containers: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(path, _Handler)
        self.containers = containers
        self.gone: set[str] = set()
        self.broken: set[str] = set()
        self.paths: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Engine

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        path = re.sub(r"^/v[0-9.]+", "", self.path.partition("?")[0])
        self.server.paths.append(self.path)
        if path in self.server.broken:
            self._answer(500, {"message": "the disk is full"})
        elif path == "/info":
            self._answer(200, INFO)
        elif path == "/containers/json":
            self._answer(200, [{"Id": name} for name in self.server.containers])
        elif found := re.fullmatch(r"/containers/([^/]+)/json", path):
            self._container(found[1])
        elif path.endswith("/top"):
            self._answer(200, {"Titles": ["PID", "CMD"], "Processes": [["1", "web serve"]]})
        elif path.startswith("/images/"):
            self._answer(200, IMAGE)
        else:
            self._answer(200, {"ApiVersion": "1.47", "Version": "27.0.0"})

    def _container(self, name: str) -> None:
        if name in self.server.containers and name not in self.server.gone:
            self._answer(200, self.server.containers[name])
        else:
            self._answer(404, {"message": f"No such container: {name}"})

    def _answer(self, status: int, data: Any) -> None:
        content = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving(path: str, containers: Mapping[str, Mapping[str, Any]]) -> Iterator[Engine]:
    with Engine(path, containers) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()
