# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files written so that a reader, a crash and an attacker each find the old content or the new one, nothing between.

A write is: a temporary file in the destination's own directory (O_CREAT|O_EXCL|O_NOFOLLOW, its final mode set before
the first byte), fsync, rename over the destination, fsync of the directory. What is not a regular file is refused
without being opened. How its directory is found is `directories`'.

Errors are `FileError`s; `reason` is one of bad_path, symlink, is_directory, not_a_directory, special_file, hard_link,
too_large, no_space, permission_denied, read_only, locked, lock_unsupported, os_error.
"""

# pathlib has no names relative to an open directory, and resolves links.
# ruff: noqa: PTH100, PTH118
from __future__ import annotations

import os
import secrets
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.directories import OS, Directories, Os
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import (
    SWAP,
    TEMPORARY,
    TEMPORARY_PREFIX,
    FileError,
    check_relative_path,
    explained,
    is_secret,
    refuse_unless_regular,
)

#: Nothing this project writes or reads as a whole is larger (bytes).
MAX_FILE = 64 * 1024 * 1024

_OPEN_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class FileState:
    """A regular file as it lies on disk. mode: permission bits only."""

    content: bytes
    mode: int
    uid: int
    links: int
    gid: int


class Write(NamedTuple):
    """What a file is going to be. uid, gid: None for those that a new file gets by itself."""

    content: bytes
    mode: int
    uid: Optional[int] = None
    gid: Optional[int] = None


class _Names:
    """Names of temporary files. They need not be secret, as the files must not exist: only other ones each time."""

    def __init__(self) -> None:
        self._begin, self._count = secrets.token_hex(4), 0

    def draw(self) -> str:
        self._count += 1
        return f"{TEMPORARY_PREFIX}{self._begin}{self._count:08x}"


class Tree(Directories):
    """A root directory and the files below it."""

    def __init__(self, path: str, system: Os = OS) -> None:
        self._names = _Names()
        super().__init__(path, system)

    def forked(self) -> None:
        super().forked()
        self._names = _Names()

    def stat(self, path: str) -> Optional[os.stat_result]:
        """The file's attributes, None if there is none; a FileError if it is anything but a regular file."""
        found = self._lstat(path)
        if found is not None and stat.S_ISLNK(found.st_mode):
            behind = self._behind(path)
            found = self._lstat(behind) if behind else found
        if found is not None:
            refuse_unless_regular(self.name(path), found.st_mode)
        return found

    def _lstat(self, path: str) -> Optional[os.stat_result]:
        parent, _slash, name = path.rpartition("/")
        handle = self._directory(parent)
        if handle is None:
            return None
        try:
            return os.stat(name, dir_fd=handle, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError:
            with explained(self.name(path), "read the file's attributes"):
                raise

    def link_target(self, path: str) -> Optional[str]:
        """The text of a symbolic link, None if there is none."""
        parent, _slash, name = path.rpartition("/")
        handle = self._directory(parent)
        if handle is None:
            return None
        try:
            return os.readlink(name, dir_fd=handle)
        except OSError:
            return None

    def _behind(self, path: str) -> Optional[str]:
        """The file that a link of an unfinished `swap` stands for, None if it is another link."""
        parts = (self.link_target(path) or "").replace("../" * path.count("/"), "", 1).split("/")
        if len(parts) != 3 or not SWAP.match(parts[0]) or parts[1] != "now" or not parts[2].isdigit():
            return None
        side = self.link_target(f"{parts[0]}/now")
        return f"{parts[0]}/{side}/{parts[2]}" if side in ("old", "new") else None

    def read(self, path: str) -> Optional[FileState]:
        """The file, None if there is none; a FileError if it is anything but a regular file."""
        found = self._lstat(path)
        if found is None:
            return None
        if not stat.S_ISREG(found.st_mode):
            behind = self._behind(path) if stat.S_ISLNK(found.st_mode) else None
            if behind:
                return self.read(behind)
            refuse_unless_regular(self.name(path), found.st_mode)
        if found.st_size > MAX_FILE:
            raise FileError(f"{self.name(path)}: is larger than {MAX_FILE} bytes, so it is none of ours", "too_large")
        parent, _slash, name = path.rpartition("/")
        try:
            handle = self._os.open(name, _OPEN_READ, dir_fd=self._directory(parent))
            try:
                content = _read_all(handle, found.st_size)
            finally:
                self._os.close(handle)
        except OSError:
            # Its name is put together only where it is needed: this is the most frequent call of all.
            with explained(self.name(path), "read the file"):
                raise
        return FileState(content, stat.S_IMODE(found.st_mode), found.st_uid, found.st_nlink, found.st_gid)

    def write(self, path: str, content: bytes, mode: int, uid: Optional[int] = None, gid: Optional[int] = None) -> None:
        """Create or replace a file, with directories it needs. Durable after `sync`.

        uid, gid: its owner and group, before its first byte is written; None for those that a new file gets by itself.
        """
        check_relative_path(path)
        self.write_own(path, content, mode, uid, gid)

    def write_own(
        self, path: str, content: bytes, mode: int, uid: Optional[int] = None, gid: Optional[int] = None
    ) -> None:
        """`write` for names that are reserved for ourselves."""
        temporary, handle = self.create(path, Write(content, mode, uid, gid))
        try:
            with explained(self.name(path), "write the file"):
                try:
                    self._os.fsync(handle)
                finally:
                    self._os.close(handle)
            self.put(path, temporary)
        except BaseException:
            self.discard(path, temporary)
            raise

    def create(self, path: str, write: Write) -> tuple[str, int]:
        """Write a temporary file beside the place of a file: (its name, an open handle). `put` follows its fsync."""
        parent = path.rpartition("/")[0]
        self._directory(parent, create=True)
        found = self.stat(path)
        if found is not None and is_secret(write.mode) and found.st_nlink > 1:
            raise FileError(
                f"{self.name(path)}: has {found.st_nlink} hard links, so a copy of the secret would stay under the "
                "other name; remove one of them",
                "hard_link",
            )
        # Asked for again, as a look behind a link of a swap is a look into another directory.
        temporary, directory = self._names.draw(), self._directory(parent)
        with explained(self.name(path), "write the file"):
            try:
                handle = self._os.open(temporary, _OPEN_NEW, write.mode, dir_fd=directory)
                try:
                    self._fill(handle, write)
                except BaseException:
                    self._os.close(handle)
                    raise
            except BaseException:
                self.discard(path, temporary)
                raise
        return temporary, handle

    def _fill(self, handle: int, write: Write) -> None:
        if write.uid is not None or write.gid is not None:
            self._os.fchown(handle, -1 if write.uid is None else write.uid, -1 if write.gid is None else write.gid)
        # The umask may have taken bits away; it never adds any. Last, as a new owner may take some away too.
        self._os.fchmod(handle, write.mode)
        rest = memoryview(write.content)
        while rest:
            rest = rest[self._os.write(handle, rest) :]

    def put(self, path: str, temporary: str) -> None:
        """Rename a temporary file to its place. Durable after `sync`."""
        parent, _slash, name = path.rpartition("/")
        directory = self._directory(parent)
        with explained(self.name(path), "write the file"):
            self._os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        self._unsynced.add(parent)

    def discard(self, path: str, temporary: str) -> None:
        """Remove a temporary file, if it is there; if that fails, the next run does it."""
        with suppress(OSError):
            self._os.unlink(temporary, dir_fd=self._directory(path.rpartition("/")[0]))

    def link(self, path: str, target: str) -> None:
        """Put a symbolic link in the place of what is at `path`. Durable after `sync`."""
        directory = self._directory(path.rpartition("/")[0], create=True)
        temporary = self._names.draw()
        try:
            with explained(self.name(path), "write the file"):
                self._os.symlink(target, temporary, dir_fd=directory)
            self.put(path, temporary)
        except BaseException:
            self.discard(path, temporary)
            raise

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        parent, _slash, name = path.rpartition("/")
        handle = self._directory(parent)
        if handle is None:
            return
        with explained(self.name(path), "remove the file"):
            try:
                self._os.unlink(name, dir_fd=handle)
            except FileNotFoundError:
                return
        self._unsynced.add(parent)


def _read_all(handle: int, size: int) -> bytes:
    # One more than there should be, so that one call reads it all and sees the end.
    parts = [os.read(handle, size + 1)]
    if len(parts[0]) != size:
        while parts[-1]:
            parts.append(os.read(handle, 65_536))
    return b"".join(parts)


def write_atomic(path: str, content: bytes, mode: int = 0o644, system: Os = OS) -> None:
    """Create or replace one file, and make it durable."""
    directory, name = os.path.split(os.path.abspath(path))
    with Tree(directory, system) as tree:
        for entry, _is_directory in tree.entries():
            if TEMPORARY.match(entry) and _is_stale(os.path.join(directory, entry)):
                tree.remove(entry)
        tree.write(name, content, mode)
        tree.sync()


def _is_stale(path: str, age: float = 3600.0) -> bool:
    # No lock is held here, so a young temporary file may be another run's.
    try:
        return time.time() - os.lstat(path).st_mtime > age
    except OSError:
        return False
