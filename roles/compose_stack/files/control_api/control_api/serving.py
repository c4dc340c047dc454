# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server: prepared sockets, so that it listens on several addresses, and JSON logs."""

from __future__ import annotations

import logging.config
import socket
from collections.abc import Sequence

import uvicorn

from control_api.app import create_app
from control_api.settings import Settings

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s",
            "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
        }
    },
    "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}},
    "root": {"handlers": ["stdout"], "level": "WARNING"},
    "loggers": {name: {"level": "INFO"} for name in ("control_api", "uvicorn.error")},
}


def listen(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """A socket for each address; with port 0 all get the one that the first was given. Raises OSError."""
    sockets: list[socket.socket] = []
    for host in hosts:
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind(address)
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on {host} port {port}: {error.strerror}") from None
        port = port or opened.getsockname()[1]
        sockets.append(opened)
    return sockets


def serve(settings: Settings) -> bool:
    """Until SIGTERM or SIGINT; requests that run may end within shutdown_seconds. Whether it had started.

    Raises OSError, ValueError.
    """
    logging.config.dictConfig(LOGGING)
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    server.run(sockets=listen(settings.listen_hosts, settings.port))
    return server.started
