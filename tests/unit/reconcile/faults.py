# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operating systems that fail, for the tests of what writes files."""

from __future__ import annotations

import os
import signal
from typing import Any, Callable, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.directories import Os

CALLS = [name for name, value in vars(Os).items() if isinstance(value, staticmethod)]


class Crash(BaseException):
    """The process is gone: nothing after this runs, not even clean-up, for the file system goes with it."""


class QuickOs(Os):
    """The real one without fsync: a process that dies loses nothing it has written, only a power cut does."""

    fsync = staticmethod(lambda _handle: None)


class CountingOs(Os):
    """The real one, that counts its calls and calls `before` ahead of each."""

    def __init__(self, before: Optional[Callable[[int, str], None]] = None) -> None:
        self.calls: list[str] = []
        for name in CALLS:
            setattr(self, name, self._wrap(name, before))

    def _wrap(self, name: str, before: Optional[Callable[[int, str], None]]) -> Callable[..., Any]:
        real = getattr(QuickOs, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            if before is not None:
                before(len(self.calls), name)
            return real(*args, **kwargs)

        return call


def crash_at(number: int) -> CountingOs:
    """From the n-th call on nothing reaches the disk any more, but what is open gets closed."""

    def before(count: int, name: str) -> None:
        if count >= number and name != "close":
            raise Crash

    return CountingOs(before)


def kill_at(number: int) -> CountingOs:
    """SIGKILL to this very process ahead of the n-th call."""

    def before(count: int, name: str) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return CountingOs(before)


def fail_at(call: str, code: int, occurrence: int = 1) -> CountingOs:
    """The n-th call of that name fails with an errno; the others work."""
    seen = []

    def before(count: int, name: str) -> None:
        if name == call:
            seen.append(count)
            if len(seen) == occurrence:
                raise OSError(code, os.strerror(code))

    return CountingOs(before)
