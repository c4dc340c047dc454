# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record and the hand-over: what is written where, what is refused, and what a crash leaves."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml
from ansible_collections.zerotrust.platform.plugins.module_utils._api_keys.files import (
    KeyFiles,
    parse_time,
    plan_files,
    read_files,
    write_files,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._api_keys.lifecycle import Lifecycle, Rotation, advance
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

NOW = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
KEY = {"consumer": "a", "number": 1, "sha256": "0" * 64, "created": "2026-01-31", "retires": None}
OWNER = ("zerotrust.platform", "graph.shop")


def read(folder: Path) -> KeyFiles:
    return read_files(str(folder / "keys.json"), str(folder / "out" / "keys.yml"), OWNER)


def run(folder: Path, *consumers: str, at: datetime = NOW, rotates: bool = False) -> Lifecycle:
    files = read(folder)
    rotation = Rotation(timedelta(days=7), before=at if rotates else None)
    after = advance(files.keys or (), consumers, at, rotation)
    write_files(files, plan_files(files, after))
    return after


def handed(folder: Path) -> Any:
    return yaml.safe_load((folder / "out" / "keys.yml").read_text(encoding="utf-8"))["kong_api_keys"]


def reason(folder: Path, *consumers: str) -> tuple[str, str]:
    with pytest.raises(PlatformError) as error:
        run(folder, *consumers)
    return error.value.reason, error.value.message


def test_new_keys_are_handed_over_once_and_only_hashes_stay(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        after = run(tmp_path, "admin-user", "no: 'quotes' 😀 # \"")
    finally:
        os.umask(old)
    handover, record = tmp_path / "out" / "keys.yml", tmp_path / "keys.json"
    assert handover.stat().st_mode & 0o777 == 0o600
    assert handed(tmp_path) == {key.consumer: [after.fresh[key.name]] for key in after.keys}
    text = record.read_text(encoding="utf-8")
    assert not any(clear in text for clear in after.fresh.values())
    assert json.loads(text)["keys"][0] == {
        "consumer": "admin-user",
        "number": 1,
        "sha256": after.keys[0].sha256,
        "created": "2026-01-31T12:00:00Z",
        "retires": None,
    }

    handover.unlink()
    assert run(tmp_path, "admin-user", "no: 'quotes' 😀 # \"").keys == after.keys
    assert not handover.exists()
    assert record.read_text(encoding="utf-8") == text


def test_a_hand_over_that_is_still_there_is_added_to(tmp_path: Path) -> None:
    """Keys that are no longer valid are taken out of it."""
    first = run(tmp_path, "a", "b")
    second = run(tmp_path, "a", "c", at=NOW + timedelta(days=1), rotates=True)
    assert handed(tmp_path) == {
        "a": [first.fresh["a/1"], second.fresh["a/2"]],
        "c": [second.fresh["c/1"]],
    }
    run(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["out"], "without any key both files go"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("$ANSIBLE_VAULT;1.1;AES256\n3061\n", "is encrypted"),
        ("kong_api_keys: {a: [mine]}\n", "is no hand-over of API keys"),
        ("# API keys in clear text, written once: hand each to its holder.\n[", "is no hand-over of API keys"),
        ("# API keys in clear text, written once: hand each to its holder.\nkong_api_keys: {a: {b: c}}", "is no hand-"),
    ],
)
def test_a_hand_over_that_is_encrypted_or_foreign_is_left_alone(content: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    handover = tmp_path / "out" / "keys.yml"
    handover.write_text(content, encoding="utf-8")
    code, message = reason(tmp_path, "a")
    assert (code, why in message, "1 new key cannot be handed over" in message) == ("handover_closed", True, True)
    assert not (tmp_path / "keys.json").exists()
    handover.unlink()
    run(tmp_path, "a")
    handover.write_text(content, encoding="utf-8")
    run(tmp_path, "a")
    run(tmp_path)
    assert handover.read_text(encoding="utf-8") == content


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"owner": ["zerotrust.platform", "graph.other"]}, "foreign_record"),
        ({"owner": None}, "bad_record"),
        ({"keys": [{"consumer": "a"}]}, "bad_record"),
        (
            {"keys": [{"consumer": "a", "number": 1, "sha256": "x", "created": "2026-01-31", "retires": None}]},
            "bad_record",
        ),
        ({"keys": "all"}, "bad_record"),
    ],
)
def test_a_record_that_is_damaged_or_anothers_is_refused(change: Mapping[str, Any], code: str, tmp_path: Path) -> None:
    run(tmp_path, "a")
    record = tmp_path / "keys.json"
    data = json.loads(record.read_text(encoding="utf-8"))
    record.write_text(json.dumps({**data, **change}), encoding="utf-8")
    found, message = reason(tmp_path, "a")
    assert (found, str(record) in message) == (code, True)


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_record_that_is_none_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(content, encoding="utf-8")
    assert reason(tmp_path, "a")[0] == "bad_record"


def test_both_files_must_differ_and_links_are_not_followed(tmp_path: Path) -> None:
    with pytest.raises(PlatformError) as error:
        read_files(str(tmp_path / "a"), str(tmp_path / "b" / ".." / "a"), OWNER)
    assert error.value.reason == "bad_option"
    (tmp_path / "keys.json").symlink_to(tmp_path / "elsewhere")
    assert reason(tmp_path, "a")[0] == "symlink"


def test_of_two_runs_at_a_time_one_is_refused(tmp_path: Path) -> None:
    first, second = read(tmp_path), read(tmp_path)
    for files, code in ((first, None), (second, "conflict")):
        writes = plan_files(files, advance((), ["a"], NOW, Rotation(timedelta(0))))
        assert _refusal(files, writes) == code
    # What was handed over is what is recorded.
    files = read(tmp_path)
    assert files.keys
    assert files.clear(files.keys[0])


def test_the_hand_over_comes_before_the_record(tmp_path: Path) -> None:
    """A record of a key that nobody has would lock its consumer out."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "keys.yml").mkdir()
    assert reason(tmp_path, "a")[0] == "is_directory"
    (tmp_path / "out" / "keys.yml").rmdir()
    files = read(tmp_path)
    writes = plan_files(files, advance((), ["a"], NOW, Rotation(timedelta(0))))
    (tmp_path / "out").rmdir()
    (tmp_path / "out").write_text("in the way", encoding="utf-8")
    assert _refusal(files, writes)
    assert not (tmp_path / "keys.json").exists()


def test_plans_are_the_same_whatever_the_keys_and_the_time(tmp_path: Path) -> None:
    files = read(tmp_path)
    one, other = (
        plan_files(files, advance((), ["a", "b"], at, Rotation(timedelta(0)))).changes
        for at in (NOW, NOW + timedelta(hours=1))
    )
    assert one == other
    assert [(change.action, change.name, change.after) for change in one] == [
        ("create", files.record, {"a/1": "active", "b/1": "active"}),
        ("create", files.handover, "*** (secret, not shown)\n"),
    ]


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-01-31T12:00:00Z", 12),
        ("2026-01-31", 0),
        ("2026-01-31 12:00:00+00:00", 12),
        ("2026-01-31T12:00:00.900000+02:00", 10),
    ],
)
def test_times(text: str, hour: int) -> None:
    assert parse_time(text) == NOW.replace(hour=hour)


@pytest.mark.parametrize("text", ["", "yesterday", "31.01.2026", "2026-13-01", "12:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time such as"):
        parse_time(text)


def _refusal(files: KeyFiles, writes: Any) -> Optional[str]:
    try:
        write_files(files, writes)
    except PlatformError as error:
        return error.reason
    return None
