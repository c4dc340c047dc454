# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the image's HEALTHCHECK runs: exit code 0 if the server beside us answers."""

from __future__ import annotations

import http.client
import sys

from control_api.settings import Settings


def main() -> int:
    settings = Settings()
    host = settings.listen_hosts[0]
    connection = http.client.HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, settings.port, timeout=3)  # noqa: S104
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except OSError as error:
        print(f"no answer from {host} port {settings.port}: {error}")
        return 1
    finally:
        connection.close()
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
