# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files written so that a reader, a crash and an attacker each find the old content or the new one, nothing between.

A write is: a temporary file in the destination's own directory (O_CREAT|O_EXCL|O_NOFOLLOW, its final mode set before
the first byte), fsync, rename over the destination, fsync of the directory. Names below a root are resolved one
component at a time relative to an open directory, never through a symbolic link, so nobody can swap a directory for a
link in the middle. What is not a regular file is refused without being opened.

Every system call that matters goes through an `Os`, so that a test can fail or kill the process at any of them.
Errors are `FileError`s; `reason` is one of bad_path, symlink, is_directory, not_a_directory, special_file, hard_link,
too_large, no_space, permission_denied, read_only, locked, lock_unsupported, os_error.
"""

# pathlib has no names relative to an open directory, and resolves links.
# ruff: noqa: PTH100, PTH112, PTH118, PTH120
from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Optional

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
DIRECTORY_MODE = 0o755
#: How many files are open at most to be flushed together, from how many on that is done, and with how many threads.
MANY, FEW, _AT_A_TIME = 128, 16, 8

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


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


class Tree:
    """A root directory and the files below it. Paths are relative to the root, with `/` between components.

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
        self._names = _Names()
        #: Whether this object made the root.
        self.made = False
        self._check_ancestors()
        self._open_root()

    def __enter__(self) -> Tree:
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

    # Directories

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

    # Files

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
        self._names = _Names()

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
