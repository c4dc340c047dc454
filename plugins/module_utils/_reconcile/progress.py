# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a long run is, told to a log now and then: a module cannot print."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.executor import Progress

#: Seconds between two words. A shorter run says nothing.
EVERY = 10.0


def logged(log: Callable[[str], object], now: Callable[[], float] = time.monotonic) -> Progress:
    """`log` is the module's."""
    last = now()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if now() - last >= EVERY and done < total:
            last = now()
            log(f"{done} of {total} writes are done")

    return tell
