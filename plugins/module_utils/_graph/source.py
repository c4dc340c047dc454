# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a service graph's file, as all modules do that take one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import parse


def read_graph(src: str, overrides: Optional[Mapping[str, Any]] = None) -> Graph:
    """The graph of a file. Raises GraphError for its mistakes, PlatformError where it cannot be read."""
    try:
        with open(src, "rb") as file:  # noqa: PTH123
            text = file.read()
    except OSError as error:
        message = f"{src}: the service graph cannot be read: {error.strerror or error}"
        raise PlatformError(message, "unreadable_graph") from error
    return parse(text, os.path.basename(src), overrides)  # noqa: PTH119
