# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain data read strictly: each mistake becomes a `Problem` with its place, and reading goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import (
    Path,
    Place,
    Problem,
    show,
    suggestion,
)


@dataclass(frozen=True)
class Source:
    """Data of one origin. name: how messages call it. place: where a path stands in it."""

    data: Any
    name: str = ""
    place: Callable[[Path], Optional[Place]] = lambda _path: None


@dataclass(frozen=True)
class Node:
    """One mapping of a source. A value that is wrong is reported, and read as if it were not there."""

    data: Mapping[Any, Any]
    source: Source
    path: Path = ()
    #: (source, problem) of all nodes of one reading.
    problems: list[tuple[Source, Problem]] = field(default_factory=list, repr=False)

    def report(self, key: object, code: str, message: str) -> None:
        """key: of the value that is wrong; a tuple for one that lies deeper; () for the mapping itself."""
        path = (*self.path, *(key if isinstance(key, tuple) else (key,)))
        self.problems.append((self.source, Problem(path, code, message, self.source.place(path))))

    def only(self, known: Sequence[str]) -> None:
        """Report every key that is not known."""
        for key in self.data:
            if key not in known:
                hint = suggestion(str(key), known) or f": known are {', '.join(known)}"
                self.report(str(key), "unknown_key", f"is not known{hint}")

    def text(self, key: str, canonical: Callable[[str], Any] = str, code: str = "") -> Any:
        """The canonical form of a text, None if there is none. `canonical` raises ValueError with what is wrong."""
        value = self.data.get(key)
        return None if value is None else self._text(key, value, canonical, code or f"bad_{key}")

    def _text(self, key: object, value: Any, canonical: Callable[[str], Any], code: str) -> Any:
        if not isinstance(value, str):
            hint = ": put it in quotes" if isinstance(value, (int, float)) else ""
            self.report(key, "bad_type", f"{show(value)} is no text{hint}")
            return None
        try:
            return canonical(value)
        except ValueError as error:
            self.report(key, code, f"{show(value)} {error}")
            return None

    def secret(self, key: str, canonical: Callable[[str], str]) -> str:
        """A text that no message shows; "" if there is none. `canonical` raises ValueError with what is wrong."""
        value = self.data.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.report(key, "bad_type", "is no text: put it in quotes")
            return ""
        try:
            return canonical(value)
        except ValueError as error:
            self.report(key, f"bad_{key}", str(error))
            return ""

    def texts(self, key: str, canonical: Callable[[str], Any]) -> tuple[Any, ...]:
        """The canonical forms of a list of texts, sorted and each once."""
        found = set()
        for number, value in enumerate(self._list(key)):
            one = self._text((key, number), value, canonical, f"bad_{key}")
            if one is not None:
                found.add(one)
        return tuple(sorted(found))

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        value = self.data.get(key)
        if value is None:
            return default
        if value not in choices:
            hint = suggestion(str(value), choices)
            self.report(key, f"bad_{key}", f"{show(value)} is none of {', '.join(choices)}{hint}")
            return default
        return str(value)

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts in its order, such as a command."""
        found = [self._text((key, number), value, str, f"bad_{key}") for number, value in enumerate(self._list(key))]
        return tuple(word for word in found if word is not None)

    def flag(self, key: str) -> bool:
        """False if it is not there."""
        value = self.data.get(key)
        if value is not None and not isinstance(value, bool):
            self.report(key, "bad_type", f"{show(value)} is neither true nor false")
        return value is True

    def whole(self, key: str, least: int, most: int) -> Optional[int]:
        value = self.data.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and least <= value <= most):
            return value
        self.report(key, f"bad_{key}", f"{show(value)} is no whole number from {least} to {most}")
        return None

    def mapping(self, key: str) -> Optional[Node]:
        """A mapping in this one, None if there is none."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.report(key, "bad_type", f"{show(value)} is no mapping")
            return None
        return Node(value, self.source, (*self.path, key), self.problems)

    def mappings(self, key: str) -> Iterator[Node]:
        """The mappings of a list."""
        for number, value in enumerate(self._list(key)):
            if isinstance(value, Mapping):
                yield Node(value, self.source, (*self.path, key, number), self.problems)
            else:
                self.report((key, number), "bad_type", f"{show(value)} is no mapping")

    def _list(self, key: str) -> Sequence[Any]:
        value = self.data.get(key)
        if value is None:
            return ()
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            self.report(key, "bad_type", f"{show(value)} is no list")
            return ()
        return value
