# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m health_monitor.health``: the container's HEALTHCHECK.

Exit code 0 when the monitor says it is well, 1 when not, 3 when it listens and says nothing: whoever asks may end it.
"""

from __future__ import annotations

import http.client
import sys

from health_monitor.settings import Settings


def main() -> int:
    """0, 1 or 3; what is wrong on standard error."""
    settings = Settings()
    connection = http.client.HTTPConnection(settings.listen_hosts[0], settings.port, timeout=3)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        body = answer.read(2000).decode(errors="replace")
    except TimeoutError:
        sys.stderr.write("/health: no answer\n")
        return 3
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"/health: {error}\n")
        return 1
    finally:
        connection.close()
    if answer.status != 200:
        sys.stderr.write(f"/health: {answer.status} {body}\n")
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
