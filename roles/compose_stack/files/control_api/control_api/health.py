# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m control_api.health``: the container's HEALTHCHECK. Exit code 0 when the server says that it is well.

It runs every few seconds, so it imports as little as it can: settings by their names and no HTTP client.
"""

from __future__ import annotations

import os
import socket
import sys


def main() -> int:
    """0 or 1; what is wrong on standard error."""
    host = os.environ.get("CONTROL_API_LISTEN_HOSTS", "").split(",")[0].strip() or "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    port = int(os.environ.get("CONTROL_API_PORT", "8000"))
    try:
        with socket.create_connection((host, port), 3) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\nHost: localhost:%d\r\n\r\n" % port)
            answer = connection.recv(2000).decode(errors="replace")
    except OSError as error:
        sys.stderr.write(f"http://{host}:{port}/health: {error}\n")
        return 1
    if answer.split(" ")[1:2] != ["200"]:
        sys.stderr.write(f"http://{host}:{port}/health: {answer}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
