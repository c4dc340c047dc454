# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that all of SPIRE's modules share, and the server that they lead to.

They are documented in the fragment `zerotrust.platform.spire`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.container import Container
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.local import Local
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.pod import Place, Pod
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.server import Server
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.transport import Transport

SPIRE_OPTIONS: dict[str, dict[str, Any]] = {
    "connection": {
        "type": "dict",
        "default": {},
        "mutually_exclusive": [("container", "pod")],
        "options": {
            "command": {"type": "list", "elements": "str"},
            "socket_path": {"type": "str"},
            "timeout": {"type": "float", "default": 120},
            "container": {
                "type": "dict",
                "options": {"name": {"type": "str", "required": True}, "host": {"type": "str"}},
            },
            "pod": {
                "type": "dict",
                "required_one_of": [("name", "selector")],
                "mutually_exclusive": [("name", "selector")],
                "options": {
                    "namespace": {"type": "str", "default": "spire"},
                    "name": {"type": "str"},
                    "selector": {"type": "str"},
                    "container": {"type": "str"},
                    "kubeconfig": {"type": "path"},
                    "context": {"type": "str"},
                },
            },
        },
    },
}

COMMAND = ("spire-server",)
#: In the images of the SPIRE project, which have no search path.
COMMAND_IN_IMAGE = ("/opt/spire/bin/spire-server",)


def server_of(connection: Mapping[str, Any]) -> Server:
    """From a module's parameter `connection`."""
    return Server(_transport(connection), connection.get("socket_path") or "")


def missing_libraries(connection: Mapping[str, Any]) -> list[str]:
    """The PyPI names of the libraries that this way needs and that are not installed."""
    needed = [name for name, option in (("docker", "container"), ("kubernetes", "pod")) if connection.get(option)]
    return [name for name in needed if importlib.util.find_spec(name) is None]


def _transport(connection: Mapping[str, Any]) -> Transport:
    timeout = connection.get("timeout") or 0
    if not 0 < timeout <= 86_400:
        raise PlatformError(f"connection.timeout: {timeout:g} is not between 0 and 86400 seconds", "bad_option")
    container, pod = connection.get("container"), connection.get("pod")
    command = tuple(connection.get("command") or (COMMAND_IN_IMAGE if container or pod else COMMAND))
    if container:
        return Container(command, timeout, container["name"], container.get("host") or "")
    if pod:
        return Pod(command, timeout, Place(**{name: value or "" for name, value in pod.items()}))
    return Local(command, timeout)
