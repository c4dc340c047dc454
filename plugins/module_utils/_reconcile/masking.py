# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets: where they are in data, and how they stay out of everything that is shown.

Shown data has `***` in their place. Texts of others, such as a server's error that repeats what it was sent, are
searched for the values themselves. A change of a secret enters a plan's fingerprint through a digest.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional
from urllib.parse import quote, quote_plus

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Desired, Item, Path, Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import Change

HIDDEN = "***"

#: Shorter values are no secrets, and hiding them wherever they occur would make a text unreadable.
_SHORTEST = 4
#: A line of a secret of this length is a secret by itself. `-----END KEY-----` is hidden with it, which does no harm.
_LONG = 16

#: Work for somebody who guesses passwords from a published fingerprint; some 0.05 s, once for a plan with secrets.
_ROUNDS = 100_000


def _children(data: Any, key: str) -> list[tuple[Any, Any]]:
    """The (key or index, value) pairs of data that one part of a path means."""
    if isinstance(data, Mapping):
        if key == "*":
            return list(data.items())
        return [(key, data[key])] if key in data else []
    if isinstance(data, list):
        return [(at, value) for at, value in enumerate(data) if key in ("*", str(at))]
    return []


def mask(data: Any, paths: Iterable[Path]) -> Any:
    """The data with `***` where a path leads to anything but null. Nothing is changed in place."""
    for path in paths:
        data = _mask(data, path)
    return data


def _mask(data: Any, path: Path) -> Any:
    if not path:
        return None if data is None else HIDDEN
    found = _children(data, path[0])
    if not found:
        return data
    copy: Any = dict(data) if isinstance(data, Mapping) else list(data)
    for key, value in found:
        copy[key] = _mask(value, path[1:])
    return copy


def values(data: Any, path: Path) -> Iterator[Any]:
    """What a path leads to."""
    if not path:
        if data is not None:
            yield data
        return
    for _key, value in _children(data, path[0]):
        yield from values(value, path[1:])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


class Veil:
    """Takes the secrets of these objects out of texts, also as JSON, Python or a URL writes them."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = items
        self._forms: Optional[list[str]] = None

    def _all_forms(self) -> list[str]:
        forms: set[str] = set()
        for item in self._items:
            for path in item.secrets:
                for value in values(item.data, path):
                    for text in _texts(value):
                        forms.update(
                            (text, json.dumps(text)[1:-1], repr(text)[1:-1], quote(text, ""), quote_plus(text))
                        )
                        # Somebody's text may cut a key; its lines are as secret as the whole.
                        forms.update(line for line in text.splitlines() if len(line) >= _LONG)
        return sorted((form for form in forms if len(form) >= _SHORTEST), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        # Only errors come here, so most runs never collect anything.
        if self._forms is None:
            self._forms = self._all_forms()
        for form in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text

    def over(self, error: PlatformError) -> None:
        """Veil an error that is on its way."""
        error.message = self(error.message)
        error.details = tuple(map(self, error.details))
        error.args = (error.message,)


def canonical(data: Any) -> bytes:
    """One form for equal data, whatever the order of keys."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _digests(steps: Sequence[Step]) -> list[str]:
    """What `Change.digest` says of each step's secrets; empty where it writes none.

    A fingerprint is published, and one secret may be a weak password. So digests are keyed with a slow hash of all
    secrets of the plan: whoever tries passwords pays for each, and has to know the other secrets.
    """
    written = [_foreseen(step.desired) if step.desired and step.desired.secrets else b"" for step in steps]
    if not any(written):
        return [""] * len(steps)
    key = hashlib.pbkdf2_hmac("sha256", b"\0".join(sorted(written)), b"zerotrust.platform plan", _ROUNDS)
    return [hmac.new(key, secret, "sha256").hexdigest() if secret else "" for secret in written]


def _foreseen(desired: Desired) -> bytes:
    """The secrets that an object gets, without those that are made up in each run."""
    paths = [path for path in desired.secrets if path not in desired.generated]
    return canonical([list(values(desired.data, path)) for path in paths])


def shown(steps: Sequence[Step]) -> tuple[Change, ...]:
    """The steps as a plan shows them."""
    return tuple(
        Change(
            step.action,
            step.item.kind,
            step.item.name,
            step.reasons,
            mask(step.before, step.secrets),
            mask(step.after, step.secrets),
            digest,
        )
        for step, digest in zip(steps, _digests(steps))
    )
