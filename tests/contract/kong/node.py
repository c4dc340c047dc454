# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node says of itself: version, plugins, status. The two modes differ in `Node`'s subclass in `dbless.py`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Optional

from tests.contract.kong import errors
from tests.contract.kong.kinds import Kind
from tests.contract.kong.plugin_configs import CONFIGS

if TYPE_CHECKING:
    from tests.contract.kong.admin_api import AdminApi, Answer, Request
    from tests.contract.kong.store import Store

VERSION = "3.9.1"

_DICTS = {
    "kong": "5.00", "kong_locks": "8.00", "kong_healthchecks": "5.00", "kong_cluster_events": "5.00",
    "kong_rate_limiting_counters": "12.00", "kong_core_db_cache": "128.00", "kong_core_db_cache_miss": "12.00",
    "kong_db_cache": "128.00", "kong_db_cache_miss": "12.00", "kong_secrets": "5.00", "prometheus_metrics": "5.00",
}  # fmt: skip


class Node:
    """A node with a database."""

    dbless = False

    def __init__(self, enterprise: bool = False) -> None:
        self.enterprise = enterprise
        self.version = f"{VERSION}.1" if enterprise else VERSION
        self.node_id = str(uuid.uuid4())
        #: What a node that is set up with care says of its settings; a test may change it.
        self.configuration: dict[str, Any] = {
            "database": "off" if self.dbless else "postgres",
            "role": "traditional",
            "proxy_listen": ["0.0.0.0:8000 reuseport backlog=16384", "0.0.0.0:8443 http2 ssl reuseport backlog=16384"],
            "stream_listen": ["off"],
            "admin_listen": ["127.0.0.1:8001 reuseport backlog=16384", "127.0.0.1:8444 http2 ssl reuseport"],
            "admin_gui_listen": ["off"],
            "status_listen": ["127.0.0.1:8007 reuseport backlog=16384"],
            "ssl_cert": ["/etc/kong/proxy.crt"],
            "ssl_cert_key": "******",
            "admin_ssl_cert": ["/usr/local/kong/ssl/admin-kong-default.crt"],
            "admin_ssl_cert_key": "******",
            "status_ssl_cert": {},
            "pg_host": "127.0.0.1",
            "pg_password": "******",
            "pg_ssl": False,
            "trusted_ips": {},
            "untrusted_lua": "sandbox",
            "anonymous_reports": False,
        }
        self.requests = 0

    def information(self, store: Store) -> dict[str, Any]:
        plugins = {name: {"version": VERSION, "priority": 1000} for name in CONFIGS}
        return {
            "version": self.version,
            "edition": "enterprise" if self.enterprise else "community",
            "tagline": "Welcome to kong",
            "hostname": "kong",
            "node_id": self.node_id,
            "lua_version": "LuaJIT 2.1.0-20231117",
            "configuration": self.configuration,
            "plugins": {
                "available_on_server": plugins,
                "enabled_in_cluster": sorted({row["name"] for row in store.rows["plugins"].values()}),
            },
            "timers": {"running": 0, "pending": 5},
            "pids": {"master": 1, "workers": [479, 480]},
        }

    def status(self) -> dict[str, Any]:
        dicts = {name: {"capacity": f"{size} MiB", "allocated_slabs": "0.04 MiB"} for name, size in _DICTS.items()}
        workers = [{"pid": pid, "http_allocated_gc": "46.58 MiB"} for pid in (479, 480)]
        connections = ("waiting", "active", "reading", "handled", "writing", "accepted")
        server = {f"connections_{name}": 1 for name in connections}
        return {
            "memory": {"lua_shared_dicts": dicts, "workers_lua_vms": workers},
            "server": {**server, "total_requests": self.requests},
            "database": {"reachable": True},
        }

    def config(self, _api: AdminApi, _request: Request) -> Answer:
        text = "this endpoint is only available when Kong is configured to not use a database"
        raise errors.plain(400, text)

    def check_tag_filter(self, _store: Store, _kind: Kind, _tags: Optional[tuple[bool, list[str]]]) -> None:
        """A database filters what has no tags like anything else."""
