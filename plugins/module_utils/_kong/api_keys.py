# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""API keys that are made here, as credentials of a node's consumers.

    options ─▶ given keys ──────────────────────────────────┐
    record, now ─▶ lifecycle ─▶ keys by their hash ─▶ clear ─┴▶ key-auth entities beside those of the state
                                  the node's key-auths ─┘└─ hand-over

The record has hashes only, and Kong needs the key itself: a new key is in memory, one that the node has is found there
by its hash, and one that a run could not bring to the node is still in the hand-over. So a key that is nowhere is lost,
and is not replaced in silence, as its holder would be locked out by that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Optional, TypeVar

from ansible_collections.zerotrust.platform.plugins.module_utils._api_keys.files import (
    KeyFiles,
    KeyWrites,
    parse_time,
    plan_files,
    read_files,
    time_text,
    write_files,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._api_keys.given import given_keys
from ansible_collections.zerotrust.platform.plugins.module_utils._api_keys.lifecycle import (
    ApiKey,
    Lifecycle,
    Rotation,
    advance,
    digest,
    draw,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._durations import duration
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError, first_of
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.client import Client
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.declared import Declared, State
from ansible_collections.zerotrust.platform.plugins.module_utils._kong.naming import Row
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import Change

KIND = "key-auth"

API_KEYS_OPTIONS: dict[str, dict[str, Any]] = {
    "api_keys": {
        "type": "dict",
        "no_log": False,
        "options": {
            "consumers": {"type": "list", "elements": "str"},
            "given": {"type": "dict", "no_log": True},
            "record": {"type": "path"},
            "handover": {"type": "path"},
            "overlap": {"type": "str", "default": "7d"},
            "max_age": {"type": "str"},
            "rotate_before": {"type": "str"},
            "rotate": {"type": "list", "elements": "str"},
            "adopt": {"type": "bool", "default": False},
        },
    },
}

_Read = TypeVar("_Read")

#: Names that a result shows of each list.
_SHOWN = 100


@dataclass(frozen=True)
class ApiKeys:
    """What is to be done about them.

    state: the state with the keys as entities. rows: the node's key-auths by kind and id, where they were read.
    changes: of the two files. write: makes these; before the node is written to.
    told: for the result. removed: how many keys the node loses because their time has come.
    """

    state: State
    rows: Mapping[str, Mapping[str, Row]] = field(default_factory=dict, repr=False)
    changes: tuple[Change, ...] = ()
    write: Callable[[], None] = lambda: None
    told: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    removed: int = 0


def prepare_keys(
    client: Client, state: State, options: Mapping[str, Any], now: datetime, source: Callable[[], str] = draw
) -> ApiKeys:
    """Raises PlatformError. Changes nothing. `now` is in UTC."""
    now = now.replace(microsecond=0)
    given = given_keys(options.get("given"), "api_keys.given")
    names = _consumers(state, options, given)
    declared = [
        _declared(state, f"api_keys.given.{consumer}", f"{consumer}/{at}", consumer, key)
        for consumer, keys in given.items()
        for at, key in enumerate(keys, 1)
    ]
    if not (options.get("record") and options.get("handover")):
        if names:
            raise PlatformError(
                f"api_keys: there is no key of {names[0]!r}; to have keys made set api_keys.record and "
                "api_keys.handover, or bring them in api_keys.given",
                "bad_option",
            )
        return ApiKeys(replace(state, entities=(*state.entities, *declared)))
    files = read_files(options["record"], options["handover"], state.tags)
    rotation = _rotation(options, now)
    read = names or files.keys
    rows: dict[str, Row] = {str(row["id"]): row for row in client.pages("/key-auths")} if read else {}
    before = files.keys if files.keys is not None else _unrecorded(client, state, files, rows, names, options["adopt"])
    known = {digest(str(row.get("key"))): str(row["key"]) for row in rows.values()}
    after, clears, warnings = _found(files, advance(before, names, now, rotation, source), known)
    declared += [
        replace(_declared(state, files.record, key.name, key.consumer, clears[key.name]), generated=True)
        for key in after.keys
    ]
    valid = {key.sha256 for key in after.keys}
    gone = [key for key in before if key.sha256 not in valid]
    writes = plan_files(files, after)
    return ApiKeys(
        replace(state, entities=(*state.entities, *declared)),
        {KIND: rows} if read else {},
        writes.changes,
        lambda: write_files(files, writes),
        _told(after, gone, files, writes),
        warnings,
        sum(key.retires is not None and key.retires <= now and key.sha256 in known for key in gone),
    )


def _consumers(state: State, options: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Who gets keys that are made here."""
    declared = [item.name for item in state.entities if item.kind == "consumer"]
    served = {str(item.data.get("consumer")) for item in state.entities if item.kind == KIND}
    for option in ("consumers", "given", "rotate"):
        for name in options.get(option) or ():
            if name not in declared:
                raise PlatformError(f"api_keys.{option}: {name!r} is no consumer of the state", "bad_option")
            if name in served:
                raise PlatformError(
                    f"api_keys.{option}: {name!r} has keyauth_credentials in the state; declare its keys in one place",
                    "bad_option",
                )
    chosen = options.get("consumers")
    return [name for name in (declared if chosen is None else chosen) if name not in given and name not in served]


def _rotation(options: Mapping[str, Any], now: datetime) -> Rotation:
    overlap = _option(options, "overlap", _length) or timedelta(0)
    max_age = _option(options, "max_age", _length)
    before = _option(options, "rotate_before", parse_time)
    if before is not None and before > now:
        raise PlatformError(
            f"api_keys.rotate_before: {options['rotate_before']!r} is in the future; now it is {time_text(now)}",
            "bad_option",
        )
    if max_age is not None and max_age <= overlap:
        raise PlatformError(
            f"api_keys.max_age: {options['max_age']} is no longer than the overlap ({options['overlap']})", "bad_option"
        )
    return Rotation(overlap, max_age, before, frozenset(options.get("rotate") or ()))


def _option(options: Mapping[str, Any], name: str, read: Callable[[str], _Read]) -> Optional[_Read]:
    """The value of an option, None if it is not set."""
    if not options.get(name):
        return None
    try:
        return read(str(options[name]))
    except ValueError as error:
        raise PlatformError(f"api_keys.{name}: {options[name]!r}: {error}", "bad_option") from None


def _length(text: str) -> timedelta:
    return timedelta(seconds=0 if text == "0" else duration(text))


def _unrecorded(
    client: Client, state: State, files: KeyFiles, rows: Mapping[str, Row], names: Sequence[str], adopt: bool
) -> tuple[ApiKey, ...]:
    """The keys that a node has where there is no record of them."""
    mark = set(state.tags)
    ours = [row for row in rows.values() if mark <= set(row.get("tags") or ())]
    if not ours:
        return ()
    by_id = {str(row["id"]): str(row.get("username") or "") for row in client.pages("/consumers")}
    found: list[ApiKey] = []
    counts: dict[str, int] = {}
    for row in sorted(ours, key=lambda row: (row.get("created_at") or 0, str(row["id"]))):
        consumer = by_id.get(str((row.get("consumer") or {}).get("id")), "")
        if consumer in names:
            counts[consumer] = counts.get(consumer, 0) + 1
            created = datetime.fromtimestamp(int(row.get("created_at") or 0), timezone.utc)
            found.append(ApiKey(consumer, counts[consumer], digest(str(row["key"])), created))
    if found and not adopt:
        raise PlatformError(
            f"{files.record}: there is no record, but the node has {len(found)} API keys of ours, such as one of "
            f"{found[0].consumer!r}; restore the record, or set api_keys.adopt to make it from what the node has",
            "record_missing",
        )
    return tuple(found)


def _found(
    files: KeyFiles, lifecycle: Lifecycle, known: Mapping[str, str]
) -> tuple[Lifecycle, Mapping[str, str], tuple[str, ...]]:
    """The clear text by name; and the lifecycle without what is lost and would have gone anyway."""
    clears: dict[str, str] = {}
    kept: list[ApiKey] = []
    lost: list[str] = []
    warnings: list[str] = []
    for key in lifecycle.keys:
        clear = lifecycle.fresh.get(key.name) or known.get(key.sha256) or files.clear(key)
        if clear is not None:
            clears[key.name] = clear
            kept.append(key)
        elif key.retires is not None:
            warnings.append(f"the retiring API key {key.name} is lost: neither the node nor the hand-over has it")
        else:
            lost.append(
                f"the API key {key.name} is lost: the node does not have it, nor {files.handover}; restore either, "
                "or set api_keys.rotate_before to the present time to have another one made"
            )
    if lost:
        raise PlatformError(first_of(lost), "lost_key", lost[:_SHOWN] if len(lost) > 1 else ())
    return replace(lifecycle, keys=tuple(kept)), clears, tuple(warnings)


def _declared(state: State, origin: str, name: str, consumer: str, key: str) -> Declared:
    return Declared(KIND, name, {"consumer": consumer, "key": key, "tags": sorted(state.tags)}, origin=origin)


def _told(after: Lifecycle, gone: Sequence[ApiKey], files: KeyFiles, writes: KeyWrites) -> dict[str, Any]:
    retiring = [{"name": key.name, "retires": time_text(key.retires)} for key in after.keys if key.retires is not None]
    return {
        "issued": sorted(after.fresh)[:_SHOWN],
        "retiring": retiring[:_SHOWN],
        "removed": [key.name for key in gone[:_SHOWN]],
        "handover": files.handover if writes.contents.get(files.handover) else None,
    }
