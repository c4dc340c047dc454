# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the files to look into: named ones, those of directories, those that globs match.

Symbolic links to files are followed, as certbot's `live` directories consist of them. A file that is named is read
whatever it is called; in a directory the extension decides. FIFOs and devices are never opened.
"""

# A directory may hold many thousands of files, of which pathlib would make objects.
# ruff: noqa: PTH100, PTH112, PTH116, PTH118, PTH123, PTH207
from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.zerotrust.platform.plugins.module_utils._inspection.artefacts import (
    Artefact,
    Problem,
    read_artefact,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import MAX_FILE

EXTENSIONS = (".pem", ".crt", ".cer", ".cert", ".der", ".key", ".p12", ".pfx", ".crl")


def scan(paths: Iterable[str], passphrases: Sequence[str] = ()) -> list[Artefact]:
    """What files, directories and globs hold, each file once. What cannot be read is an artefact with a problem."""
    found: dict[str, Artefact] = {}
    for path in paths:
        for name, asked in _files(path):
            if name in found:
                continue
            artefact = _read(name, passphrases)
            if asked and artefact.empty:
                message = "holds no certificate, private key or revocation list"
                artefact = Artefact(name, mode=artefact.mode, problems=(Problem("no_certificate", name, message),))
            if not artefact.empty:
                found[name] = artefact
    return list(found.values())


def _files(path: str) -> Iterator[tuple[str, bool]]:
    """(path, whether it was asked for by its name)."""
    path = os.path.abspath(path)
    if os.path.isdir(path):
        yield from ((name, False) for name in _below(path))
    elif glob.has_magic(path) and not os.path.lexists(path):
        matches = sorted(glob.glob(path, recursive=True))
        if not matches:
            yield path, True
        for match in matches:
            if os.path.isdir(match):
                yield from ((name, False) for name in _below(match))
            else:
                yield match, False
    else:
        yield path, True


def _below(directory: str) -> Iterator[str]:
    def unreadable(error: OSError) -> None:
        broken.append(error.filename)

    broken: list[str] = []
    for folder, folders, names in os.walk(directory, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(EXTENSIONS) and not name.startswith("."):
                yield os.path.join(folder, name)
    yield from broken


def _read(path: str, passphrases: Sequence[str]) -> Artefact:
    mode = 0
    try:
        # Not opened before it is known to be a file: opening a FIFO waits for its writer.
        before = os.stat(path)
        mode = stat.S_IMODE(before.st_mode)
        if not stat.S_ISREG(before.st_mode):
            return _failed(path, mode, "unreadable", "is a directory, FIFO, socket or device that cannot be read")
        if before.st_size > MAX_FILE:
            return _failed(path, mode, "unreadable", f"is larger than {MAX_FILE} bytes")
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            return read_artefact(path, file.read(), passphrases, mode)
    except FileNotFoundError:
        return _failed(path, mode, "missing", "is not there")
    except OSError as error:
        return _failed(path, mode, "unreadable", f"cannot be read by user id {os.geteuid()}: {error.strerror or error}")


def _failed(path: str, mode: int, code: str, message: str) -> Artefact:
    return Artefact(path, mode=mode, problems=(Problem(code, path, message),))
