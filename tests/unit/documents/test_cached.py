# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept in the user's cache directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._documents.cached import cached


class Counting:
    """Makes an answer and counts how often it had to."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> dict[str, int]:
        self.made += 1
        return {"answer": self.made}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "zerotrust.platform"


def test_it_is_made_once_for_each_source(folder: Path) -> None:
    make = Counting()
    assert [cached("thing", source, make) for source in ("1", "1", "2", "1")] == [
        {"answer": 1},
        {"answer": 1},
        {"answer": 2},
        {"answer": 1},
    ]
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600, 0o600]


def test_what_cannot_be_read_is_made_again(folder: Path) -> None:
    make = Counting()
    cached("thing", "1", make)
    (path,) = folder.iterdir()
    path.write_bytes(b"{broken")
    assert cached("thing", "1", make) == {"answer": 2}
    assert cached("thing", "1", make) == {"answer": 2}


def test_what_cannot_be_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    make = Counting()
    assert [cached("thing", "1", make), cached("thing", "1", make)] == [{"answer": 1}, {"answer": 2}]


def test_nothing_is_kept_of_nothing(folder: Path) -> None:
    assert cached("thing", "1", lambda: None) is None
    assert not folder.exists()
