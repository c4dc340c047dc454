# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file as a reconciled thing: an answer that a module is asked to leave somewhere.

Unlike a tree (``files.py``) it has no manifest: whoever names the file owns it.
"""

from __future__ import annotations

import os
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import write_atomic
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import shown_text
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import (
    explained,
    refuse_unless_regular,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Change,
    Plan,
)

MODE = 0o644


def plan_file(path: str, content: Optional[bytes]) -> Plan:
    """What it would change to write ``content`` to ``path``, or with None to remove it. Reads only."""
    with explained(path, "read it"):
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            if content is None:
                return Plan()
            return Plan((Change(CREATE, "file", path, ("missing",), None, shown_text(content, MODE)),))
        refuse_unless_regular(path, mode)
        with open(path, "rb") as file:  # noqa: PTH123
            before = file.read()
    if content is None:
        return Plan((Change(DELETE, "file", path, ("not_declared",), shown_text(before, MODE)),))
    if before == content:
        return Plan(unchanged=1)
    change = Change(UPDATE, "file", path, ("content",), shown_text(before, MODE), shown_text(content, MODE))
    return Plan((change,))


def apply_file(path: str, content: Optional[bytes]) -> None:
    """Write it, or with None remove it."""
    if content is not None:
        write_atomic(path, content, MODE)
        return
    with explained(path, "remove it"):
        os.unlink(path)  # noqa: PTH108
