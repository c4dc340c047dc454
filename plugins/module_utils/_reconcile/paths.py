# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of files below a root, and the error of a file that cannot be read or written safely."""

# Not pathlib: names are text relative to an open directory.
from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

TEMPORARY_PREFIX = ".zerotrust-tmp-"
TEMPORARY = re.compile(re.escape(TEMPORARY_PREFIX) + r"[0-9a-f]{16}\Z")
#: A directory of `swap`.
SWAP_PREFIX = ".zerotrust-swap-"
SWAP = re.compile(re.escape(SWAP_PREFIX) + r"[0-9a-f]{16}\Z")
#: What most paths look like, for which nothing else has to be looked at.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}){0,5}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class FileError(PlatformError):
    """A file or directory that cannot be read or written safely."""


def is_secret(mode: int) -> bool:
    """Whether a file of this mode is for its owner's eyes only."""
    return mode & 0o077 == 0


def check_relative_path(path: str) -> str:
    """The path itself, if it names a file below a root and cannot lead out of it; else `bad_path`."""
    if _PLAIN.match(path):
        return path
    if not path or _CONTROL.search(path):
        raise FileError(f"{path!r} is not a relative file name: it must be text without control characters", "bad_path")
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise FileError(
            f"{path!r} is not a relative file name: it must not begin or end with '/', nor hold '//', '.' or '..'",
            "bad_path",
        )
    if any(part.startswith((TEMPORARY_PREFIX, SWAP_PREFIX)) for part in parts):
        raise FileError(f"{path!r}: names that begin with '.zerotrust-' are our own", "bad_path")
    if any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts) or len(path) > 1024:
        raise FileError(f"{path[:60]!r}… is too long: at most 255 bytes a component, 1024 in all", "bad_path")
    return path


def parents(path: str) -> Iterator[str]:
    """The directories a relative path lies in, deepest first, without the root."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


_REASONS = {
    errno.ENOSPC: ("no_space", "no space is left on the file system; free some and run again"),
    errno.EDQUOT: ("no_space", "the disk quota is used up; free some and run again"),
    errno.EROFS: ("read_only", "the file system is mounted read-only"),
    errno.ENAMETOOLONG: ("bad_path", "the name is too long for this file system"),
    errno.ELOOP: ("symlink", "it is a symbolic link, which is not followed"),
    errno.ENOTDIR: ("not_a_directory", "a part of the path is not a directory"),
    errno.EISDIR: ("is_directory", "it is a directory"),
}


class explained:  # noqa: N801 - used as `with explained(..)`
    """Turn an OSError into a FileError that says what was tried on what, and why it failed.

    A class, as a generator costs four times as much, and each file that is read needs some.
    """

    __slots__ = ("_doing", "_path")

    def __init__(self, path: str, doing: str) -> None:
        self._path, self._doing = path, doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: Optional[BaseException], trace: object) -> None:
        if not isinstance(error, OSError):
            return
        code = error.errno or 0
        if code in (errno.EACCES, errno.EPERM):
            why = f"permission denied to user id {os.geteuid()}"
            reason = "permission_denied"
        else:
            reason, why = _REASONS.get(code, ("os_error", os.strerror(code) if code else str(error)))
        raise FileError(f"{self._path}: cannot {self._doing}: {why}", reason) from error


def refuse_unless_regular(path: str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISLNK(mode):
        raise FileError(f"{path}: is a symbolic link, which is not followed; remove it or name its target", "symlink")
    if stat.S_ISDIR(mode):
        raise FileError(
            f"{path}: is a directory where a file should be; remove it or choose another name", "is_directory"
        )
    raise FileError(f"{path}: is a FIFO, socket or device where a file should be; remove it", "special_file")
