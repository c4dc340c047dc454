# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What costs much to work out and never changes, kept in the user's cache directory from one run to the next.

A cache is no state: whatever cannot be read is made again, and whatever cannot be written is left.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import write_atomic

FOLDER = "zerotrust.platform"


def cached(name: str, source: str, make: Callable[[], Any]) -> Any:
    """``make()``'s answer, JSON-like data, or what an earlier run kept of it.

    ``name`` becomes a part of a file's name. ``source`` is what the answer depends on, such as the versions of what it
    is made with. None is not kept.
    """
    # XDG Base Directory Specification, section 3.
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    path = Path(root, FOLDER, f"{name}-{hashlib.sha256(source.encode()).hexdigest()[:16]}.json")
    with suppress(OSError, ValueError):
        return json.loads(path.read_bytes())
    made = make()
    if made is None:
        return None
    # A module may run where there is no home to write to.
    with suppress(PlatformError, OSError):
        write_atomic(str(path), json.dumps(made).encode(), 0o600)
    return made
