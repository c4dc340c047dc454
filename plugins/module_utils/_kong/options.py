# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that all of Kong's modules share, and what of an inline declaration is a secret.

The options are documented in the fragment `zerotrust.platform.kong`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._kong.schemas import is_secret_name
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.masking import values
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Item

KONG_OPTIONS: dict[str, dict[str, Any]] = {
    "connection": {
        "type": "dict",
        "required": True,
        "options": {
            "url": {"type": "str", "required": True},
            "token": {"type": "str", "no_log": True},
            "token_header": {"type": "str", "default": "Kong-Admin-Token", "no_log": False},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "ca_path": {"type": "path"},
            "validate_certs": {"type": "bool", "default": True},
            "client_cert": {"type": "path"},
            "client_key": {"type": "path", "no_log": False},
            "timeout": {"type": "float", "default": 30},
            "use_proxy": {"type": "bool", "default": True},
        },
    },
    "workspace": {"type": "str"},
}


def access_secrets(connection: Mapping[str, Any]) -> set[str]:
    return {connection[name] for name in ("token", "password") if connection.get(name)}


def state_secrets(value: Any, sealed: bool = False) -> Iterator[str]:
    """What the names of fields in a declaration say is secret; before a node has told more."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from state_secrets(inner, is_secret_name(str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from state_secrets(inner, sealed)
    elif sealed and isinstance(value, str) and value:
        yield value


def item_secrets(items: Iterable[Item]) -> set[str]:
    return {value for item in items for path in item.secrets for value in values(item.data, path) if _is_text(value)}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
