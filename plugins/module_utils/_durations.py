# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lengths of time as users write them, such as `90d`."""

from __future__ import annotations

import re

_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhdwy])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}


def duration(value: str) -> int:
    """Seconds of `90d`, `12h`, `30m`, `2w` or `1y` (365 days)."""
    found = _DURATION.match(value)
    if not found:
        raise ValueError("must be a whole number above 0 and its unit (s, m, h, d, w, or y for 365 days), such as 90d")
    return int(found.group(1)) * _SECONDS[found.group(2)]


def duration_text(seconds: int) -> str:
    """A duration as one would write it: whole days if it has any."""
    return f"{seconds // 86_400}d" if seconds % 86_400 == 0 else f"{seconds}s"
