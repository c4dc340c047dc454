# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that settings name, and what is said of one that is no good."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest
from control_api.__main__ import main

EXPECTED = "one line without spaces is expected"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory; give a file that this process may read"),
        (b"", EXPECTED),
        (b" \n", EXPECTED),
        (b"two words\n", EXPECTED),
        (b"\xff\xfe", EXPECTED),
    ],
)
def test_a_password_file_that_is_no_good_is_told_in_a_sentence(
    content: Optional[bytes],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("CONTROL_API_DATABASE_URL", "postgresql://api@127.0.0.1:9/api")
    monkeypatch.setenv("CONTROL_API_DATABASE_PASSWORD_FILE", str(path))
    assert main(["migrate"]) == 2
    assert capsys.readouterr().err == f"{path}: {said}\n"
