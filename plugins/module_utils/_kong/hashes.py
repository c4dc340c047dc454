# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets of which a node keeps hashes: basic-auth passwords, and OAuth2 client secrets with `hash_secret`. Pure.

The choices are Kong's: `kong/plugins/basic-auth/crypto.lua`, `kong/plugins/oauth2/secret.lua`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

_SHA1 = re.compile(r"[0-9a-f]{40}")
_PBKDF2 = re.compile(r"\$pbkdf2-sha512\$i=([0-9]{1,7}),l=([0-9]{1,4})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)")
_ROUNDS, _LENGTH = 10_000, 32


def hashed_fields(kind: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """The field that is kept as a hash, and the one that says so if there is one; empty if none is."""
    if kind == "basic-auth":
        return ("password",)
    return ("client_secret", "hash_secret") if kind == "oauth2" and data.get("hash_secret") else ()


def password_hash(password: str, consumer: str) -> str:
    """A basic-auth password as it is kept. consumer: the id."""
    return hashlib.sha1((password + consumer).encode()).hexdigest()  # noqa: S324


def is_password_hash(text: str) -> bool:
    """Whether it looks like one; a password may too."""
    return _SHA1.fullmatch(text) is not None


def oauth2_hash(secret: str, key: str) -> str:
    """Kong's PBKDF2, with a salt that is the same in each run and tells nothing. key: the credential's id."""
    salt = hmac.new(secret.encode(), key.encode(), "sha256").digest()[:16]
    made = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, _ROUNDS, _LENGTH)
    texts = [base64.b64encode(part).decode().rstrip("=") for part in (salt, made)]
    return f"$pbkdf2-sha512$i={_ROUNDS},l={_LENGTH}${texts[0]}${texts[1]}"


def is_oauth2_hash_of(stored: str, secret: str) -> bool:
    """Whether Kong's PBKDF2 of this secret is what is stored."""
    found = _PBKDF2.fullmatch(stored)
    if not found:
        return False
    try:
        salt, expected = (base64.b64decode(part + "=" * (-len(part) % 4)) for part in found.groups()[2:])
    except binascii.Error:
        return False
    made = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, int(found.group(1)), int(found.group(2)))
    return hmac.compare_digest(made, expected)
