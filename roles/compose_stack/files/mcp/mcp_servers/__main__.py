# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m mcp_servers filesystem|memory|process``: serve until SIGTERM.

Exit code 0 after a signal, 1 when the server behind a bridge has ended, 2 when the settings are wrong.
"""

from __future__ import annotations

import argparse
import logging
import sys
from typing import Any, Optional

import uvicorn
from mcp.server.lowlevel import Server
from pydantic import ValidationError
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from mcp_servers import bridge
from mcp_servers.commands import read_commands
from mcp_servers.process import ProcessServer
from mcp_servers.settings import Settings
from mcp_servers.web import Check, application


class Serving:
    """A running server, and whether it had to be ended."""

    def __init__(self) -> None:
        self.failed = False
        self._uvicorn: Optional[uvicorn.Server] = None

    def end(self) -> None:
        """Take no more requests and return from `run`, which then says 1."""
        self.failed = True
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True

    def run(self, kind: str, settings: Settings) -> int:
        """Serve. The exit code."""
        server, check = self._make(kind, settings)
        config = uvicorn.Config(
            application(server, settings, check),
            host=settings.listen_host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=settings.connections,
            timeout_graceful_shutdown=5,
        )
        self._uvicorn = uvicorn.Server(config)
        self._uvicorn.run()
        return int(self.failed or not self._uvicorn.started)

    def _make(self, kind: str, settings: Settings) -> tuple[Server[Any], Check]:
        if kind == "process":
            process = ProcessServer(read_commands(settings.commands_file), settings.data_dir)
            return process.server, process.check
        bridged = bridge.Bridge(
            f"mcp-{kind}",
            bridge.filesystem(settings) if kind == "filesystem" else bridge.memory(settings),
            settings.call_seconds,
            self.end,
            one_at_a_time=kind == "memory",
        )
        return bridged.server, bridged.check


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="mcp_servers", description="An MCP server over streamable HTTP.")
    parser.add_argument("kind", choices=["filesystem", "memory", "process"])
    kind = parser.parse_args().kind
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter(
            ["asctime", "levelname", "name", "message"],
            static_fields={"server": kind},
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        settings = Settings()
        return Serving().run(kind, settings)
    except ValidationError as error:
        wrong = "; ".join(f"MCP_{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        sys.stderr.write(f"The settings are not complete: {wrong}.\n")
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
