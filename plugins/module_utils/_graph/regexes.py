# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular expressions of gateways (PCRE or Rust syntax, as Kong's): what matches, and strings that do."""

from __future__ import annotations

import re
from typing import Any, Optional

try:
    from re import _parser as _sre  # type: ignore[attr-defined]
except ImportError:  # Python before 3.11
    import sre_parse as _sre

_CATEGORIES = {"CATEGORY_DIGIT": "0", "CATEGORY_WORD": "a", "CATEGORY_SPACE": " "}
_OPPOSITES = {"CATEGORY_NOT_DIGIT": "a", "CATEGORY_NOT_WORD": "-", "CATEGORY_NOT_SPACE": "a"}


def compiled(pattern: str) -> Optional[re.Pattern[str]]:
    """The expression as Python's, or None where Python has no such syntax."""
    try:
        return re.compile(_as_python(pattern))
    except (re.error, OverflowError, RecursionError):
        return None


def samples(pattern: str) -> list[str]:
    """A few strings that begin with a match: with the fewest repetitions, and with one of what may be repeated."""
    search = compiled(pattern)
    if search is None:
        return []
    parsed = _sre.parse(_as_python(pattern))
    found = (_text(parsed, least, choice) for least in (0, 1) for choice in (0, -1))
    return [text for text in dict.fromkeys(found) if search.match(text)]


def _as_python(pattern: str) -> str:
    return re.sub(r"\(\?<(?![=!])", "(?P<", pattern)


def _text(parsed: Any, least: int, choice: int) -> str:
    return "".join(_one(str(code), value, least, choice) for code, value in parsed)


def _one(code: str, value: Any, least: int, choice: int) -> str:
    """A text for one element of a parsed expression; anchors and look-arounds are left to the final test."""
    if code == "LITERAL":
        return chr(value)
    if code == "NOT_LITERAL":
        return "b" if value == ord("a") else "a"
    if code == "ANY":
        return "a"
    if code == "IN":
        return _in_set(value)
    if code == "BRANCH":
        return _text(value[1][choice], least, choice)
    if code in ("SUBPATTERN", "ATOMIC_GROUP"):
        return _text(value[-1] if code == "SUBPATTERN" else value, least, choice)
    if code in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        lowest, highest, item = value
        return _text(item, least, choice) * int(min(max(lowest, least), highest, 1000))
    return ""


def _in_set(items: Any) -> str:
    items = [(str(code), value) for code, value in items]
    if items[0][0] == "NEGATE":
        search = [_in_set([item]) for item in items[1:]]
        ranges = [value for code, value in items if code == "RANGE"]
        for text in "abz0-_.~/A…":
            if text not in search and not any(low <= ord(text) <= high for low, high in ranges):
                return text
        return ""
    code, value = items[0]
    if code == "CATEGORY":
        return {**_CATEGORIES, **_OPPOSITES}.get(str(value), "a")
    return chr(value[0]) if code == "RANGE" else chr(value)
