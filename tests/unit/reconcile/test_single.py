# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One file as a reconciled thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.single import apply_file, plan_file

HIDDEN = "*** (secret, not shown)\n"


def change(path: Path, content: Optional[bytes], mode: int = 0o644) -> Optional[tuple[Any, ...]]:
    """What is planned; and done, after which nothing is left to do."""
    plan = plan_file(str(path), content, mode)
    if not plan.changed:
        return None
    apply_file(str(path), content, mode)
    assert not plan_file(str(path), content, mode).changed
    (found,) = plan.changes
    return found.action, found.reasons, found.before, found.after


def test_a_file_comes_changes_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "made" / "f"
    assert change(path, b"1") == ("create", ("missing",), None, "1")
    assert change(path, b"1") is None
    assert change(path, b"2") == ("update", ("content",), "1", "2")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"2", 0o644)
    assert change(path, None) == ("delete", ("not_declared",), "2", None)
    assert change(path, None) is None


def test_a_secret_file_is_closed_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert change(path, b"open") == ("create", ("missing",), None, "open")
    assert change(path, b"open", 0o600) == ("update", ("mode",), HIDDEN, HIDDEN)
    assert path.stat().st_mode & 0o777 == 0o600
    assert change(path, b"HUSH", 0o600) == ("update", ("content",), HIDDEN, HIDDEN)
    # What was secret stays hidden, whatever comes in its place.
    assert change(path, b"open") == ("update", ("content",), HIDDEN, HIDDEN)
    assert change(path, b"HUSH", 0o600) == ("update", ("content", "mode"), HIDDEN, HIDDEN)
    assert change(path, None) == ("delete", ("not_declared",), HIDDEN, None)


@pytest.mark.parametrize("content", [b"1", None])
def test_what_is_no_file_is_refused(tmp_path: Path, content: Optional[bytes]) -> None:
    with pytest.raises(PlatformError, match="is a directory"):
        plan_file(str(tmp_path), content)
