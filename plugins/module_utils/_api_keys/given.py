# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""API keys that a user brings, from a vault for example, as lists by consumer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError


def given_keys(given: Optional[Mapping[str, Any]], option: str) -> dict[str, list[str]]:
    """Raises PlatformError for what is no list of texts."""
    for consumer, keys in (given or {}).items():
        if not isinstance(keys, list) or not keys or not all(isinstance(key, str) and key for key in keys):
            raise PlatformError(f"{option}.{consumer}: a list of keys is expected, each a text", "bad_option")
    return {str(consumer): keys for consumer, keys in sorted((given or {}).items())}


def given_secrets(given: Optional[Mapping[str, Any]]) -> set[str]:
    """The keys, whatever else is wrong with them."""
    found: set[str] = set()
    for keys in (given or {}).values():
        found.update(str(key) for key in (keys if isinstance(keys, list) else [keys]) if key)
    return found
