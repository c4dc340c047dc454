# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two files of API keys: the record, which stays, and the hand-over, which goes.

    record     JSON: the hash of each key, when it was made and when it retires. No secret, so it may be versioned.
    hand-over  YAML, mode 0600: new keys in clear text, under the variable `kong_api_keys`, as `ansible-vault encrypt`
               takes it. It is written when keys are made; whoever hands them out deletes or encrypts it.

A hand-over that is still there is added to. One that was encrypted in place is not: nobody can add to it, and to
replace it would lose what it holds. It is written before the record, so a crash between the two leaves a key that
nobody knows of, never a record of a key that nobody has.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._api_keys.lifecycle import ApiKey, Lifecycle
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.yaml_reader import value_of
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.loader import load
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import GraphError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree, write_atomic
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import explained
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Change,
)

VARIABLE = "kong_api_keys"

_RECORD_MODE, _HANDOVER_MODE = 0o644, 0o600
_VAULT = b"$ANSIBLE_VAULT;"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
#: Keys that one change shows.
_SHOWN = 100
_ABOUT = "API keys by their SHA-256. Not secret. Keep this file: without it nobody knows which keys are which."
_MARK = "# API keys in clear text, written once: hand each to its holder."
_HEADER = (
    _MARK
    + """
# Then delete this file, or keep it encrypted: ansible-vault encrypt {name}
---
"""
)


@dataclass(frozen=True)
class KeyFiles:
    """Both files as they were read.

    keys: of the record; None if there is no record.
    handed: the clear text in the hand-over, by consumer. closed: why nothing can be added to it; empty if it can.
    """

    record: str
    handover: str
    owner: tuple[str, ...]
    keys: Optional[tuple[ApiKey, ...]] = None
    handed: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    closed: str = ""
    content: Optional[bytes] = None

    def clear(self, key: ApiKey) -> Optional[str]:
        """A key's clear text, if it is still in the hand-over."""
        return next((clear for clear in self.handed.get(key.consumer, ()) if key.matches(clear)), None)


@dataclass(frozen=True)
class KeyWrites:
    """What is going to be written. None: the file goes; no entry: it stays as it is."""

    changes: tuple[Change, ...] = ()
    contents: Mapping[str, Optional[bytes]] = field(default_factory=dict, repr=False)


def read_files(record: str, handover: str, owner: Sequence[str]) -> KeyFiles:
    """Raises PlatformError: `bad_record`, `foreign_record`, or what keeps a file from being read."""
    record, handover = os.path.abspath(record), os.path.abspath(handover)  # noqa: PTH100
    if record == handover:
        raise PlatformError(f"the record and the hand-over of API keys are one file, {record}; name two", "bad_option")
    content, clear = _read(record), _read(handover)
    handed, closed = _handed(handover, clear)
    keys = None if content is None else _keys(record, content, tuple(owner))
    return KeyFiles(record, handover, tuple(owner), keys, handed, closed, content)


def plan_files(files: KeyFiles, after: Lifecycle) -> KeyWrites:
    """How both files get from what they are to what they are to be. Raises PlatformError: `handover_closed`."""
    changes: list[Change] = []
    contents: dict[str, Optional[bytes]] = {}
    content = _record(files.owner, after.keys) if after.keys else None
    if content != files.content:
        before, now = _shown(files.keys or (), after.keys)
        reasons = ("keys",) if files.content is not None else ("missing",)
        changes.append(
            Change(_action(files.content, content), "file", files.record, reasons if content else (), before, now)
        )
        contents[files.record] = content
    valid = [key for key in after.keys if files.clear(key) is not None]
    if after.fresh or (files.handed and not valid):
        if files.closed:
            raise PlatformError(
                f"{files.handover}: {files.closed}, so the {_count(len(after.fresh), 'new key')} cannot be handed over "
                "in it; move it to where it is kept, or name another file",
                "handover_closed",
            )
        text = _handover(files, valid, after) if after.fresh else None
        hidden = "*** (secret, not shown)\n"
        changes.append(
            Change(
                _action(files.handed or None, text),
                "file",
                files.handover,
                ("new_keys",) if text else ("no_valid_keys",),
                hidden if files.handed else None,
                hidden if text else None,
            )
        )
        contents[files.handover] = text
    return KeyWrites(tuple(changes), contents)


def write_files(files: KeyFiles, writes: KeyWrites) -> None:
    """Write both. Raises FileError, and `conflict` if another run has written the record meanwhile."""
    if not writes.contents:
        return
    folder, name = os.path.split(files.record)
    with Tree(folder) as tree:
        tree.lock()
        found = tree.read(name)
        if (found.content if found else None) != files.content:
            raise PlatformError(f"{files.record}: has changed since it was read; run again", "conflict")
        for path in (files.handover, files.record):
            content = writes.contents.get(path)
            if content is not None:
                write_atomic(path, content, _HANDOVER_MODE if path == files.handover else _RECORD_MODE)
            elif path in writes.contents:
                _remove(path)


def _read(path: str) -> Optional[bytes]:
    folder, name = os.path.split(path)
    with Tree(folder) as tree:
        found = tree.read(name)
    return found.content if found else None


def _remove(path: str) -> None:
    with explained(path, "remove it"), suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108


def _action(before: object, after: object) -> str:
    return DELETE if after is None else CREATE if before is None else UPDATE


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _shown(before: Iterable[ApiKey], after: Iterable[ApiKey]) -> tuple[Any, Any]:
    """The keys that differ, by name. No times: a plan that is shown and approved is the same a minute later."""
    old, new = ({key.name: "retiring" if key.retires else "active" for key in keys} for keys in (before, after))
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)][:_SHOWN]
    return (
        {name: old[name] for name in names if name in old} or None,
        {name: new[name] for name in names if name in new} or None,
    )


# -- the record -------------------------------------------------------------------------------------------------------


def _record(owner: Sequence[str], keys: Iterable[ApiKey]) -> bytes:
    data = {
        "about": _ABOUT,
        "owner": list(owner),
        "keys": [
            {
                "consumer": key.consumer,
                "number": key.number,
                "sha256": key.sha256,
                "created": time_text(key.created),
                "retires": time_text(key.retires) if key.retires else None,
            }
            for key in keys
        ],
    }
    return (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode()


def _keys(path: str, content: bytes, owner: tuple[str, ...]) -> tuple[ApiKey, ...]:
    try:
        data = json.loads(content)
        found = tuple(data["owner"])
        keys = tuple(map(_key, data["keys"]))
        if len({key.name for key in keys}) != len(keys):
            raise ValueError("a key is in it twice")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PlatformError(
            f"{path}: is no record of API keys ({type(error).__name__}: {error}); restore it from a backup",
            "bad_record",
        ) from None
    if found != owner:
        raise PlatformError(
            f"{path}: is the record of {', '.join(map(str, found))}, not of {', '.join(owner)}; name another file",
            "foreign_record",
        )
    return keys


def _key(data: Mapping[str, Any]) -> ApiKey:
    sha256, number, consumer = data["sha256"], data["number"], data["consumer"]
    if not _SHA256.fullmatch(sha256) or not isinstance(number, int) or number < 1 or not isinstance(consumer, str):
        raise ValueError(f"the key {consumer!r}/{number!r} is damaged")
    retires = data["retires"]
    return ApiKey(consumer, number, sha256, parse_time(data["created"]), parse_time(retires) if retires else None)


def time_text(time: datetime) -> str:
    return time.strftime(_TIME)


def parse_time(text: str) -> datetime:
    """A time or a date of ISO 8601, in UTC where it says no zone, to the second. Raises ValueError."""
    try:
        # Before Python 3.11 "Z" is not understood.
        found = datetime.fromisoformat(re.sub(r"[zZ]\Z", "+00:00", text.strip()))
    except ValueError:
        raise ValueError(f"{text!r} is no time such as 2026-01-31T12:00:00Z") from None
    zoned = found.replace(tzinfo=timezone.utc) if found.tzinfo is None else found.astimezone(timezone.utc)
    return zoned.replace(microsecond=0)


# -- the hand-over ----------------------------------------------------------------------------------------------------


def _handover(files: KeyFiles, valid: Iterable[ApiKey], after: Lifecycle) -> bytes:
    """What is valid of what it holds, and what is new; newest last."""
    by_consumer: dict[str, list[str]] = {}
    old = {key.name for key in valid}
    for key in after.keys:
        clear = after.fresh.get(key.name) or (files.clear(key) if key.name in old else None)
        if clear:
            by_consumer.setdefault(key.consumer, []).append(clear)
    # JSON texts are YAML, and a key may begin with a dash. No \u escapes: YAML takes a pair of them for two characters.
    lines = [f"{VARIABLE}:"]
    for consumer, clears in by_consumer.items():
        lines.append(f"  {json.dumps(consumer, ensure_ascii=False)}:")
        lines.extend(f"    - {json.dumps(clear, ensure_ascii=False)}" for clear in clears)
    return (_HEADER.format(name=Path(files.handover).name) + "\n".join(lines) + "\n").encode()


def _handed(path: str, content: Optional[bytes]) -> tuple[Mapping[str, Sequence[str]], str]:
    """The clear text by consumer, and why nothing can be added. What is in it is never repeated in a message."""
    if content is None:
        return {}, ""
    if content.startswith(_VAULT):
        return {}, "is encrypted"
    data = None
    # What is not ours is neither added to nor removed.
    if content.startswith(_MARK.encode()):
        with suppress(GraphError):
            loaded = load(content, Path(path).name, value_of)
            data = None if loaded.problems else loaded.data
    keys = data.get(VARIABLE) if isinstance(data, dict) and len(data) == 1 else None
    if not isinstance(keys, dict) or not all(
        isinstance(clears, list) and all(isinstance(clear, str) for clear in clears) for clears in keys.values()
    ):
        return {}, "is no hand-over of API keys"
    return keys, ""
