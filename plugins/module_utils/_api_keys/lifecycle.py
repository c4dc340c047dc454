# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""API keys from issue to removal. Pure: the time and the random source come in as arguments.

    record of keys, consumers, now ─▶ advance ─▶ keys as they are to be, and those that are new in clear text

A consumer has one active key, and during a rotation retiring ones, which are as valid until their time has come. What
is kept of a key is its SHA-256: a key of 256 random bits cannot be guessed, so it needs no slow hash. (NIST SP 800-63B,
section 5.1.2.2, "look-up secrets", asks for a salt and a slow hash only below 112 bits.)
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Callable, Optional

#: Of randomness in a key; 43 characters of RFC 4648's URL-safe base64.
KEY_BYTES = 32


def draw() -> str:
    """A new key."""
    return secrets.token_urlsafe(KEY_BYTES)


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@dataclass(frozen=True)
class ApiKey:
    """What is kept of a key.

    number: 1 for a consumer's first key, never given twice.
    sha256: of its clear text, in hex.
    created: to the second, in UTC. retires: when it is removed, None for the active key.
    """

    consumer: str
    number: int
    sha256: str
    created: datetime
    retires: Optional[datetime] = None

    @property
    def name(self) -> str:
        return f"{self.consumer}/{self.number}"

    def matches(self, key: str) -> bool:
        """Whether this is the key, told in constant time."""
        return hmac.compare_digest(self.sha256, digest(key))


@dataclass(frozen=True)
class Rotation:
    """When a consumer gets another key.

    overlap: how long former ones stay valid, at the longest.
    max_age: the age of an active key at which it is rotated; None for never.
    before: what was created before this time is rotated; None for nothing. It is not in the future, as the new key
        would be rotated too.
    only: the consumers that `before` is about; none for all.
    """

    overlap: timedelta
    max_age: Optional[timedelta] = None
    before: Optional[datetime] = None
    only: frozenset[str] = frozenset()

    def is_due(self, key: ApiKey, now: datetime) -> bool:
        if self.max_age is not None and now - key.created >= self.max_age:
            return True
        return self.before is not None and key.created < self.before and (not self.only or key.consumer in self.only)


@dataclass(frozen=True)
class Lifecycle:
    """keys: all that are valid from now on, by consumer and number. fresh: the clear text of those that are new."""

    keys: tuple[ApiKey, ...]
    fresh: Mapping[str, str] = field(repr=False)


def advance(
    keys: Iterable[ApiKey],
    consumers: Collection[str],
    now: datetime,
    rotation: Rotation,
    source: Callable[[], str] = draw,
) -> Lifecycle:
    """The keys of these consumers from now on; those of others are gone."""
    found: dict[str, list[ApiKey]] = {consumer: [] for consumer in sorted(consumers)}
    for key in keys:
        if key.consumer in found:
            found[key.consumer].append(key)
    kept: list[ApiKey] = []
    fresh: dict[str, str] = {}
    for consumer, own in found.items():
        own.sort(key=lambda key: key.number)
        active = next((key for key in reversed(own) if key.retires is None), None)
        end = now + rotation.overlap
        rotates = active is None or rotation.is_due(active, now)
        if rotates:
            clear = source()
            active = ApiKey(consumer, own[-1].number + 1 if own else 1, digest(clear), now)
            fresh[active.name] = clear
            own.append(active)
        for key in own:
            # A shorter overlap is for a key that has leaked, and ends those that retire already too.
            if key is not active and (key.retires is None or (rotates and key.retires > end)):
                key = replace(key, retires=end)
            if key.retires is None or key.retires > now:
                kept.append(key)
    return Lifecycle(tuple(kept), fresh)
