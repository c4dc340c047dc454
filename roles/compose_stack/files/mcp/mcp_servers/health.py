# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m mcp_servers.health``: the container's HEALTHCHECK. Exit code 0 when the server says that it is well."""

from __future__ import annotations

import http.client
import sys

from mcp_servers.settings import Settings


def main() -> int:
    """0 or 1; what is wrong on standard error."""
    settings = Settings()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.listen_host, settings.listen_host)  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.port, timeout=8)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        body = answer.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"http://{host}:{settings.port}/health: {error}\n")
        return 1
    finally:
        connection.close()
    if answer.status != 200:
        sys.stderr.write(f"http://{host}:{settings.port}/health: {answer.status} {body}\n")
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
