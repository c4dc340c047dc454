# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A long run says in the log how far it is, and a short one nothing."""

from __future__ import annotations

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.progress import logged


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.1, []),
        (1.0, [10, 20, 30, 40]),
        (7.0, list(range(2, 50, 2))),
    ],
)
def test_how_far_50_writes_are_is_told_every_ten_seconds(seconds: float, said: list[int]) -> None:
    moment = 0.0
    lines: list[str] = []
    tell = logged(lines.append, lambda: moment)
    for done in range(1, 51):
        moment += seconds
        tell(done, 50)
    assert lines == [f"{done} of 50 writes are done" for done in said]
