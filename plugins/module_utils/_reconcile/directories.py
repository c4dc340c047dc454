# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A root and the directories below it: opened without following a link, made, removed, locked, brought to the disk.

Names are resolved one component at a time relative to an open directory, never through a symbolic link, so nobody can
swap a directory for a link in the middle. The files in them are `atomic`'s.

Every system call that matters goes through an `Os`, so that a test can fail or kill the process at any of them.
"""

# pathlib has no names relative to an open directory, and resolves links.
# ruff: noqa: PTH100, PTH112, PTH118, PTH120
from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Optional, TypeVar

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import FileError, explained

DIRECTORY_MODE = 0o755
#: How many files are open at most to be flushed together, from how many on that is done, and with how many threads.
MANY, FEW, _AT_A_TIME = 128, 16, 8

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Self = TypeVar("Self", bound="Directories")


class Os:
    """The operating system's calls, as they are."""

    close = staticmethod(os.close)
    fchmod = staticmethod(os.fchmod)
    fchown = staticmethod(os.fchown)
    fsync = staticmethod(os.fsync)
    mkdir = staticmethod(os.mkdir)
    open = staticmethod(os.open)
    rename = staticmethod(os.rename)
    rmdir = staticmethod(os.rmdir)
    symlink = staticmethod(os.symlink)
    unlink = staticmethod(os.unlink)
    write = staticmethod(os.write)


OS = Os()


class Directories:
    """A root directory and the directories below it. Paths are relative to the root, with `/` between components.

    The root need not exist: reading then finds nothing, and the first write makes it.
    `path` may contain symbolic links only if root or the running user owns them.
    """

    def __init__(self, path: str, system: Os = OS) -> None:
        self.path = os.path.abspath(path)
        self._os = system
        self._root: Optional[int] = None
        #: The directory used last; trees are walked in order, so that one is enough.
        self._last: tuple[str, Optional[int]] = ("", None)
        #: Directories with entries that are not yet on disk for sure.
        self._unsynced: set[str] = set()
        self._threads: Optional[ThreadPoolExecutor] = None
        #: Whether this object made the root.
        self.made = False
        self._check_ancestors()
        self._open_root()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open; a lock ends with it."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None
        self._forget_last()
        if self._root is not None:
            self._os.close(self._root)
            self._root = None

    @property
    def exists(self) -> bool:
        return self._root is not None

    def name(self, path: str) -> str:
        """How a path below the root is called in messages."""
        return f"{self.path.rstrip('/')}/{path}" if path else self.path

    def _check_ancestors(self) -> None:
        # Somebody else's link in the path would let that person choose where our files, and keys, go.
        current = "/"
        for part in self.path.split("/")[1:]:
            current = os.path.join(current, part)
            try:
                found = os.lstat(current)
            except OSError:
                return
            if stat.S_ISLNK(found.st_mode) and found.st_uid not in (0, os.geteuid()):
                raise FileError(
                    f"{current}: is a symbolic link that belongs to user id {found.st_uid}; "
                    "name the directory it leads to if it is to be trusted",
                    "symlink",
                )

    def _open_root(self) -> None:
        with explained(self.path, "open the directory"):
            try:
                # The last component may be a link too: it has been checked with the others.
                self._root = self._os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                self._root = None

    def create_root(self) -> None:
        """Make the root, and what is missing above it (mode 0755 each), unless it is there."""
        if self._root is not None:
            return
        missing: list[str] = []
        current = self.path
        while not os.path.isdir(current):
            missing.append(current)
            current = os.path.dirname(current)
        for directory in reversed(missing):
            with explained(directory, "make the directory"):
                try:
                    self._os.mkdir(directory, DIRECTORY_MODE)
                except FileExistsError:
                    # Another run was faster.
                    continue
                self.made = True
                handle = self._os.open(directory, _OPEN_DIRECTORY)
                try:
                    self._os.fchmod(handle, DIRECTORY_MODE)
                finally:
                    self._os.close(handle)
        self._open_root()
        if self._root is None:
            raise FileError(f"{self.path}: the directory vanished while it was being made", "os_error")

    def _forget_last(self) -> None:
        _path, handle = self._last
        self._last = ("", None)
        if handle is not None:
            self._os.close(handle)

    def _directory(self, path: str, create: bool = False) -> Optional[int]:
        """A handle of a directory below the root, None if there is none; it lives until another one is asked for."""
        if create:
            self.create_root()
        if self._root is None or not path:
            return self._root
        if self._last[0] == path and self._last[1] is not None:
            return self._last[1]
        self._forget_last()
        current, done = self._root, ""
        for part in path.split("/"):
            parent, done = done, f"{done}/{part}" if done else part
            try:
                following = self._enter(current, part, parent, done, create)
            finally:
                if current != self._root:
                    self._os.close(current)
            if following is None:
                return None
            current = following
        self._last = (path, current)
        return current

    def _enter(self, handle: int, part: str, parent: str, path: str, create: bool) -> Optional[int]:
        with explained(self.name(path), "open the directory"):
            try:
                return self._os.open(part, _OPEN_DIRECTORY, dir_fd=handle)
            except FileNotFoundError:
                if not create:
                    return None
            except OSError as error:
                if error.errno in (errno.ENOTDIR, errno.ELOOP):
                    self._refuse_directory(handle, part, path)
                raise
        with explained(self.name(path), "make the directory"):
            try:
                self._os.mkdir(part, DIRECTORY_MODE, dir_fd=handle)
            except FileExistsError:
                # Another process of this run was faster.
                return self._os.open(part, _OPEN_DIRECTORY, dir_fd=handle)
            made = self._os.open(part, _OPEN_DIRECTORY, dir_fd=handle)
            try:
                # Whatever the umask is.
                self._os.fchmod(made, DIRECTORY_MODE)
            except BaseException:
                self._os.close(made)
                raise
            self._unsynced.add(parent)
            return made

    def _refuse_directory(self, handle: int, part: str, path: str) -> None:
        found = os.stat(part, dir_fd=handle, follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            raise FileError(
                f"{self.name(path)}: is a symbolic link, which is not followed; remove it or name its target", "symlink"
            )
        raise FileError(
            f"{self.name(path)}: is a file where a directory should be; remove it or choose another name",
            "not_a_directory",
        )

    def entries(self, path: str = "") -> list[tuple[str, bool]]:
        """(name, is a directory) of everything in a directory, sorted; nothing if there is no such directory."""
        handle = self._directory(path)
        if handle is None:
            return []
        with explained(self.name(path), "list the directory"), os.scandir(handle) as found:
            return sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in found)

    def remove_empty(self, path: str) -> bool:
        """Remove a directory below the root if it is there and empty; whether it is gone."""
        parent, _slash, name = path.rpartition("/")
        try:
            handle = self._directory(parent)
        except FileError as error:
            if error.reason in ("not_a_directory", "symlink"):
                return False
            raise
        if handle is None:
            return True
        with explained(self.name(path), "remove the directory"):
            try:
                self._os.rmdir(name, dir_fd=handle)
            except FileNotFoundError:
                return True
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EBUSY):
                    return False
                raise
        if self._last[0] == path:
            # A directory of this name that is made anew is another one.
            self._forget_last()
        self._unsynced.discard(path)
        self._unsynced.add(parent)
        return True

    def remove_root(self) -> None:
        """Remove the root if it is empty."""
        self.close()
        with explained(self.path, "remove the directory"):
            try:
                self._os.rmdir(self.path)
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
                    raise

    def sync(self) -> None:
        """Bring what was created, replaced and removed to the disk."""
        handles: list[tuple[str, int]] = []
        try:
            for path in sorted(self._unsynced):
                handle = self._directory(path)
                if handle is not None and path:
                    # Not ours any more to close.
                    self._last = ("", None)
                    handles.append((path, handle))
                elif handle is not None:
                    handles.append((path, os.dup(handle)))
                if len(handles) == MANY:
                    self.flush(handles)
            self.flush(handles)
        finally:
            for _path, handle in handles:
                self._os.close(handle)
        self._unsynced.clear()

    def flush(self, handles: list[tuple[str, int]]) -> None:
        """fsync what is open (path, handle), and close it. Several at a time: then the disk has its work once."""

        def some(first: int) -> None:
            for path, handle in handles[first::_AT_A_TIME]:
                with explained(self.name(path), "write to the disk"):
                    self._os.fsync(handle)

        if len(handles) < FEW:
            for first in range(min(len(handles), _AT_A_TIME)):
                some(first)
        else:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_AT_A_TIME)
            list(self._threads.map(some, range(_AT_A_TIME)))
        while handles:
            self._os.close(handles.pop()[1])

    def forked(self) -> None:
        """This process is a fork of the one that opened the tree: threads do not come along."""
        self._threads = None

    def unsynced(self) -> frozenset[str]:
        """The directories that `sync` has to do with."""
        return frozenset(self._unsynced)

    def owes(self, paths: Iterable[str]) -> None:
        """Have `sync` do with directories that another process of this run has changed."""
        self._unsynced.update(paths)

    def lock(self, timeout: float = 30.0) -> None:
        """Keep other runs out until `close`. Waits at most `timeout` seconds, then fails with `locked`.

        The lock is flock(2) on the root itself: no lock file, and it ends with the process however that dies.
        """
        self.create_root()
        if self._root is None:
            raise FileError(f"{self.path}: there is no directory to lock", "os_error")
        end = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(self._root, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise FileError(
                        f"{self.path}: another run has been working on it for {timeout:g} s; run again when it is done",
                        "locked",
                    ) from None
                time.sleep(0.05)
            except OSError as error:
                raise FileError(
                    f"{self.path}: this file system cannot lock a directory ({os.strerror(error.errno or 0)}); "
                    "use a local one",
                    "lock_unsupported",
                ) from error
