# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents of `inspect`, written by hand: a hardened container, and what is planted in it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

INFO: dict[str, Any] = {
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default"],
    "Swarm": {"LocalNodeState": "inactive"},
}
IMAGE: dict[str, Any] = {"RepoDigests": ["registry.example/web@sha256:" + "a" * 64], "Created": "2026-01-01T00:00:00Z"}
HARDENED: dict[str, Any] = {
    "Id": "c" * 64,
    "Name": "/web",
    "Image": "sha256:" + "b" * 64,
    "AppArmorProfile": "docker-default",
    "ProcessLabel": "",
    "State": {"Running": True},
    "Config": {
        "User": "1000:1000",
        "Image": "registry.example/web:1.2@sha256:" + "a" * 64,
        "Env": ["PATH=/usr/bin", "API_TOKEN_FILE=/run/secrets/token"],
        "Cmd": ["serve", "--port=8080"],
        "Healthcheck": {"Test": ["CMD", "web", "health"], "Interval": 30_000_000_000},
    },
    "HostConfig": {
        "Privileged": False,
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "CapAdd": None,
        "SecurityOpt": ["no-new-privileges:true"],
        "Memory": 67108864,
        "NanoCpus": 500000000,
        "PidsLimit": 64,
        "NetworkMode": "shop_default",
        "PidMode": "",
        "IpcMode": "private",
        "UTSMode": "",
        "UsernsMode": "",
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5},
        "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 2048}],
        "PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
        "CgroupParent": "",
        "Devices": [],
    },
    "Mounts": [{"Type": "volume", "Source": "/data/web", "Destination": "/data", "RW": True, "Propagation": ""}],
    "NetworkSettings": {
        "Networks": {"shop_default": {}},
        "Ports": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
    },
}


def container(**planted: Any) -> dict[str, Any]:
    """`container(**{"HostConfig.Privileged": True})`: hardened, but for that."""
    document = copy.deepcopy(HARDENED)
    for path, value in planted.items():
        at: Any = document
        *parents, last = path.split(".")
        for parent in parents:
            at = at[parent]
        at[last] = value
    return document


def bind(source: str, writable: bool = True, propagation: str = "rprivate") -> list[Mapping[str, Any]]:
    return [{"Type": "bind", "Source": source, "Destination": "/x", "RW": writable, "Propagation": propagation}]
