# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The passphrases of private keys: as declared, or from files."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Passphrase, Request
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.policies import MAX_PASSPHRASE
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import explained


class Passphrases:
    """Reads each file once. warn: is told of files that others can read."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._read: dict[str, bytes] = {}

    def of(self, request: Request) -> Optional[bytes]:
        """The passphrase of a request's key, None if it has none. A PlatformError if a file cannot be used."""
        declared: Optional[Passphrase] = request.passphrase
        if declared is None:
            return None
        if not declared.path:
            return declared.value.encode("utf-8", "surrogateescape")
        if declared.path not in self._read:
            self._read[declared.path] = self._from_file(declared.path)
        return self._read[declared.path]

    def _from_file(self, declared: str) -> bytes:
        path = os.path.expanduser(declared)  # noqa: PTH111
        with explained(path, "read the passphrase"):
            # Not opened before it is known to be a file: opening a FIFO waits for its writer.
            found = os.stat(path)  # noqa: PTH116
            if not stat.S_ISREG(found.st_mode):
                raise PlatformError(f"{path}: is no file, so no passphrase can be read from it", "passphrase_file")
            with open(path, "rb") as file:  # noqa: PTH123
                content = file.read(MAX_PASSPHRASE + 3)
        if found.st_mode & 0o077:
            self._warn(f"{path}: the passphrase can be read by others ({stat.S_IMODE(found.st_mode):04o})")
        # Editors end a file with a line break.
        passphrase = content[:-1] if content.endswith(b"\n") else content
        passphrase = passphrase[:-1] if passphrase.endswith(b"\r") else passphrase
        if b"\n" in passphrase or not 0 < len(passphrase) <= MAX_PASSPHRASE:
            message = f"{path}: must hold one line, the passphrase, of 1 to {MAX_PASSPHRASE} bytes"
            raise PlatformError(message, "passphrase_file")
        return passphrase
