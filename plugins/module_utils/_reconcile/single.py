# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file as a reconciled thing: an answer that a module is asked to leave somewhere.

Unlike a tree (``files.py``) it has no manifest: whoever names the file owns it.
"""

from __future__ import annotations

import os
import stat
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import write_atomic
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import shown_text
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import (
    explained,
    is_secret,
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
SECRET_MODE = 0o600


def plan_file(path: str, content: Optional[bytes], mode: int = MODE) -> Plan:
    """What it would change to write ``content`` to ``path``, or with None to remove it. Reads only.

    A file that is to be secret by its mode, or is, is not shown; one that is to be secret and is open is a change.
    """
    with explained(path, "read it"):
        try:
            found = os.lstat(path).st_mode
        except FileNotFoundError:
            if content is None:
                return Plan()
            return Plan((Change(CREATE, "file", path, ("missing",), None, shown_text(content, mode)),))
        refuse_unless_regular(path, found)
        with open(path, "rb") as file:  # noqa: PTH123
            before = file.read()
    is_mode = stat.S_IMODE(found)
    if content is None:
        return Plan((Change(DELETE, "file", path, ("not_declared",), shown_text(before, is_mode)),))
    opened = is_secret(mode) and not is_secret(is_mode)
    reasons = (*(["content"] if before != content else []), *(["mode"] if opened else []))
    if not reasons:
        return Plan(unchanged=1)
    shown = SECRET_MODE if is_secret(mode) or is_secret(is_mode) else mode
    return Plan((Change(UPDATE, "file", path, reasons, shown_text(before, shown), shown_text(content, shown)),))


def apply_file(path: str, content: Optional[bytes], mode: int = MODE) -> None:
    """Write it, or with None remove it."""
    if content is not None:
        write_atomic(path, content, mode)
        return
    with explained(path, "remove it"):
        os.unlink(path)  # noqa: PTH108
