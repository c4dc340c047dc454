# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of a stack as files: what is there stays, what is missing or to be rotated is made."""

from __future__ import annotations

import hashlib
import os
import secrets as random
from collections.abc import Collection, Sequence
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._compose.model import Stack
from ansible_collections.zerotrust.platform.plugins.module_utils._compose.render import SECRETS
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

#: 256 bits, which nobody guesses from the hash that the manifest keeps.
_BYTES = 32


def secret_files(stack: Stack, folder: str, rotate: Sequence[str]) -> tuple[dict[str, bytes], list[str]]:
    """(content by path in the stack's directory, names whose content is made anew).

    folder: where they lie; it is only read. Raises PlatformError for an unknown name in ``rotate``, and OSError.
    """
    own = [name for name, secret in stack.secrets.items() if not secret.file and not secret.sha256_of]
    unknown = [name for name in rotate if name not in own]
    if unknown:
        raise PlatformError(
            f"rotate: {unknown[0]!r} is not a secret that is made here ({', '.join(own)})", "bad_option"
        )
    values = {name: (b"" if name in rotate else _read(folder, name)) or _made() for name in own}
    derived = {name: secret.sha256_of for name, secret in stack.secrets.items() if secret.sha256_of}
    values.update({name: hashlib.sha256(values[source]).hexdigest().encode() for name, source in derived.items()})
    changed = [*rotate, *(name for name, source in derived.items() if source in rotate)]
    return {f"{SECRETS}/{name}": value for name, value in values.items()}, changed


def secrets_uid(stack: Stack) -> Optional[int]:
    """Whose the files are: the containers' user's; None where that is not ours to say, as we are not root."""
    return int(stack.user.partition(":")[0]) if os.geteuid() == 0 else None


def users_of(stack: Stack, names: Collection[str]) -> list[str]:
    """The services that see one of some secrets."""
    return [service.name for service in stack.services.values() if not set(names).isdisjoint(service.secrets)]


def _made() -> bytes:
    return random.token_hex(_BYTES).encode()


def _read(folder: str, name: str) -> bytes:
    try:
        with open(os.path.join(folder, name), "rb") as file:  # noqa: PTH118, PTH123
            return file.read()
    except FileNotFoundError:
        return b""
