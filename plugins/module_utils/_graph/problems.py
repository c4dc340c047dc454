# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mistakes of a service graph, each with its place, and the error that carries them all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Optional, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

Path = tuple[Union[str, int], ...]
Place = tuple[int, int]
"""Line and column, from 1."""


NOT_IN_FILE: Place = (0, 0)
"""The place of what was laid over the file's data."""


@dataclass(frozen=True)
class Problem:
    path: Path
    code: str
    """A stable word for machines, such as ``unknown_service``."""
    message: str
    place: Optional[Place] = None

    def text(self, source: str = "") -> str:
        """``file:line:column: services.web.calls[0].to: 'apii' is not …``"""
        if self.place == NOT_IN_FILE:
            where = f"overrides of {source}" if source else "overrides"
        else:
            where = ":".join(str(part) for part in (source, *(self.place or ())) if part)
        return ": ".join(part for part in (where, dotted(self.path), self.message) if part)


class GraphError(PlatformError):
    """A service graph that cannot be used. ``problems`` are all of its mistakes, in the order of the file."""

    def __init__(self, problems: Iterable[Problem], source: str = "") -> None:
        self.problems: Sequence[Problem] = sorted(problems, key=lambda problem: problem.place or (0, 0))
        self.source = source
        texts = [problem.text(source) for problem in self.problems]
        first = texts[0] if len(texts) == 1 else f"the service graph has {len(texts)} mistakes; the first: {texts[0]}"
        super().__init__(first, reason=self.problems[0].code, details=texts)


def dotted(path: Path) -> str:
    """``("services", "web", "calls", 0)`` as ``services.web.calls[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{_plain(part)}" if text else _plain(part)
    return text


def _plain(text: str) -> str:
    """Text without its quotes, as :func:`show` shows it otherwise."""
    return show(text)[1:-1]


def suggestion(word: str, known: Iterable[str]) -> str:
    """``" (did you mean 'api'?)"``, or nothing."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def listed(words: Iterable[str], most: int = 10) -> str:
    """The words in a message, the first of them where they are many."""
    words = list(words)
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def show(value: Any) -> str:
    """A value in a message: short, in one line, and with no character that is not what it seems (T18)."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:76]}...{text[-1]}"
