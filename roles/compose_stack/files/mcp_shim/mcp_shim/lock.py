# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lock that all callers share, and files in a directory that everybody may write to.

The lock is the kernel's (flock), so it ends with the process that holds it; the file stays. In /tmp anybody can have
put something under our name: a link is not followed, and what is not a plain file of our own is refused.
"""

from __future__ import annotations

import fcntl
import os
import random
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcp_shim.errors import Exit, ShimError


def open_own(path: Path, flags: int) -> int:
    """A descriptor of a plain file that is ours alone. Raises FileNotFoundError without O_CREAT, and ShimError."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ShimError(Exit.REFUSED, f"{path} cannot be used: {error.strerror}; remove it or name another.") from error
    found = os.fstat(descriptor)
    wrong = (
        "is not a plain file"
        if not stat.S_ISREG(found.st_mode)
        else "belongs to another user"
        if found.st_uid != os.geteuid()
        else "has another name too"
        if found.st_nlink > 1
        else ""
    )
    if wrong:
        os.close(descriptor)
        raise ShimError(Exit.REFUSED, f"{path} {wrong}; remove it or name another.")
    os.fchmod(descriptor, 0o600)
    return descriptor


@contextmanager
def held(path: Path, seconds: float, shared: bool = False) -> Iterator[None]:
    """The lock, held until the block ends. Raises ShimError when it is not free in time."""
    try:
        descriptor = open_own(path, os.O_RDWR | os.O_CREAT)
    except FileNotFoundError as error:
        raise ShimError(Exit.REFUSED, f"{path.parent}: there is no such directory.") from error
    try:
        _take(descriptor, path, seconds, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, seconds: float, kind: int) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise ShimError(Exit.LOCKED, f"{path} was not free within {seconds:g} s; try again later.") from None
            time.sleep(random.uniform(0.005, 0.03))  # noqa: S311 (so that waiters do not wake together)
