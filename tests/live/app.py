# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A workload: `python app.py http:3000 tcp:5432` answers HTTP with 200, and what comes by TCP with itself."""

from __future__ import annotations

import http.server
import socketserver
import sys
import threading


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_arguments: object) -> None:
        pass


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(100):
            self.request.sendall(data)


for item in sys.argv[1:]:
    protocol, _colon, port = item.partition(":")
    where = ("0.0.0.0", int(port))
    server = (
        http.server.ThreadingHTTPServer(where, Answer)
        if protocol == "http"
        else socketserver.ThreadingTCPServer(where, Echo)
    )
    threading.Thread(target=server.serve_forever).start()
threading.Event().wait()
