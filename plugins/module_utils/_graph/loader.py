# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the text of a service graph as YAML, strictly, and knows where everything stands.

Stricter than YAML 1.1 loaders, because each of their liberties has cost somebody an outage: a repeated key is a mistake
(others keep the last silently), ``no``, ``0777`` and ``22:22`` are text (others make False, 511 and 1342 of them), tags
are refused, and anchors may not make a small file a large one. JSON is YAML, so a JSON file is read as well.

The text is parsed event by event, so neither deep nesting nor aliases that refer to each other can exhaust the stack
or the memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import GraphError, Path, Place, Problem

try:
    import yaml

    # libyaml's parser is some ten times faster than the one in Python; both give the same events.
    _Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
except ImportError:  # pragma: no cover - the modules say that PyYAML is missing before anything is read
    yaml = None  # type: ignore[assignment]

MAX_BYTES = 32 * 1024 * 1024
MAX_VALUES = 4_000_000
"""Values a file may have after its aliases are followed; 10,000 services with 100,000 calls have about 600,000."""
MAX_DEPTH = 40

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = ("", "~", "null", "Null", "NULL")


Places = dict[int, dict[Any, Place]]
"""By ``id()`` of a mapping or list: the place of each key or item."""


@dataclass
class Loaded:
    """Plain data, and the places of its values. ``source`` is the file's name as messages should show it."""

    data: Any
    source: str = ""
    places: Places = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    """Repeated keys, of which the last one was read."""

    def place(self, path: Path) -> Optional[Place]:
        """Where a path stands, or the nearest thing above it that does."""
        found, value = None, self.data
        for part in path:
            found = self.places.get(id(value), {}).get(part, found)
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                break
        return found


@dataclass
class _Open:
    """A mapping or sequence that is being read."""

    value: Union[dict[str, Any], list[Any]]
    anchor: Optional[str]
    start: Place
    path: Path
    places: dict[Any, Place] = field(default_factory=dict)
    key: Optional[str] = None
    key_place: Place = (0, 0)
    merges: list[Any] = field(default_factory=list)
    size: int = 1


def load(text: Union[str, bytes], source: str = "", resolve: Optional[Callable[[str], Any]] = None) -> Loaded:
    """The data of one YAML document. Raises :class:`GraphError` with the first thing that stops the reading.

    ``resolve`` says what a plain scalar means where another tool reads the same file, and reads it otherwise.
    """
    if len(text) > MAX_BYTES:
        raise GraphError(
            [Problem((), "too_large", f"the file has {len(text)} bytes, at most {MAX_BYTES} are read")], source
        )
    try:
        return _Builder(source, resolve or _resolve).build(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else None
        message = "; ".join(str(part) for part in (error.context, error.problem) if part)
        if place and _is_tab(text, place):
            message = "a tab stands here; indent with spaces"
        raise GraphError([Problem((), "bad_yaml", f"not readable as YAML: {message}", place)], source) from None
    except (yaml.YAMLError, UnicodeError) as error:
        reason = getattr(error, "reason", None) or "not UTF-8 text"
        raise GraphError([Problem((), "bad_yaml", f"not readable as YAML: {reason}")], source) from None


def _is_tab(text: Union[str, bytes], place: Place) -> bool:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    line, column = place
    return any(found[column - 1 : column] == "\t" for found in text.split("\n")[line - 1 : line])


class _Builder:
    def __init__(self, source: str, resolve: Callable[[str], Any]) -> None:
        self.resolve = resolve
        self.loaded = Loaded(None, source)
        self.problems = self.loaded.problems
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.stack: list[_Open] = []

    def build(self, text: Union[str, bytes]) -> Loaded:
        documents = 0
        event: Any
        for event in yaml.parse(text, Loader=_Loader):
            place = (event.start_mark.line + 1, event.start_mark.column + 1)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._fail("several_documents", "the file holds more than one document", place)
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event, place)
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                self._open(event, place)
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._close()
            elif isinstance(event, yaml.AliasEvent):
                anchor = str(event.anchor)
                if anchor not in self.anchors:
                    self._fail("bad_alias", f"the alias *{anchor} refers to itself or to nothing", place)
                self._add(*self.anchors[anchor], place)
        return self.loaded

    def _fail(self, code: str, message: str, place: Place) -> None:
        raise GraphError([*self.problems, Problem(self._path(), code, message, place)], self.loaded.source)

    def _path(self) -> Path:
        if not self.stack:
            return ()
        top = self.stack[-1]
        if isinstance(top.value, list):
            return (*top.path, len(top.value))
        return top.path if top.key is None else (*top.path, top.key)

    def _scalar(self, event: Any, place: Place) -> None:
        if event.tag is not None and event.tag not in ("!", "tag:yaml.org,2002:str"):
            self._fail("bad_tag", f"the tag {event.tag} is not understood here (no tags are)", place)
        plain = event.implicit[0] and event.style in (None, "")
        value = self.resolve(event.value) if plain and event.tag is None else event.value
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        if self.stack and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None:
            self._key(event.value, place)
        else:
            self._add(value, 1, place)

    def _key(self, key: str, place: Place) -> None:
        top = self.stack[-1]
        top.key, top.key_place = key, place
        if key in top.places and key != "<<":
            line = top.places[key][0]
            self.problems.append(
                Problem(
                    (*top.path, key),
                    "duplicate_key",
                    f"the key {key!a} stands here again (first in line {line})",
                    place,
                )
            )

    def _open(self, event: Any, place: Place) -> None:
        if event.tag is not None and event.tag not in ("!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            self._fail("bad_tag", f"the tag {event.tag} is not understood here (no tags are)", place)
        if self.stack and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None:
            self._fail("bad_key", "a key is a mapping or a list, text is expected", place)
        if len(self.stack) >= MAX_DEPTH:
            self._fail("too_deep", f"nested more than {MAX_DEPTH} levels deep", place)
        value: Union[dict[str, Any], list[Any]] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.stack.append(_Open(value, event.anchor, place, self._path()))

    def _close(self) -> None:
        done = self.stack.pop()
        if isinstance(done.value, dict):
            for merged in done.merges:
                for key, value in merged.items():
                    if key not in done.value:
                        done.value[key] = value
                        done.places[key] = self.loaded.places.get(id(merged), {}).get(key, done.start)
        self.loaded.places[id(done.value)] = done.places
        if done.anchor:
            self.anchors[done.anchor] = (done.value, done.size)
        self._add(done.value, done.size, done.start)

    def _add(self, value: Any, size: int, place: Place) -> None:
        if not self.stack:
            self.loaded.data = value
            return
        top = self.stack[-1]
        top.size += size
        if top.size > MAX_VALUES:
            self._fail("too_large", f"the aliases make it more than {MAX_VALUES} values", place)
        if isinstance(top.value, list):
            top.places[len(top.value)] = place
            top.value.append(value)
        elif top.key is None:
            self._key_from_alias(value, place)
        else:
            self._set(top, value)

    def _key_from_alias(self, value: Any, place: Place) -> None:
        if not isinstance(value, str):
            self._fail("bad_key", "a key is not text", place)
        self._key(value, place)

    def _set(self, top: _Open, value: Any) -> None:
        key, top.key = top.key or "", None
        if key == "<<":
            merged = value if isinstance(value, list) else [value]
            if not all(isinstance(item, dict) for item in merged):
                self._fail("bad_merge", "'<<' merges something that is not a mapping", top.key_place)
            top.merges.extend(merged)
        elif isinstance(top.value, dict):
            top.value[key] = value
            top.places[key] = top.key_place


def _resolve(text: str) -> Any:
    """The value of a plain scalar, by the core schema of YAML 1.2 (section 10.3.2) without octal and hexadecimal."""
    if text in _WORDS:
        return _WORDS[text]
    if text in _NULLS:
        return None
    if _INT.fullmatch(text) and len(text) < 20:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
