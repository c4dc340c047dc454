# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML text to plain data, as the tools that take the documents read it.

Kubernetes, Istio and decK turn YAML into JSON with goyaml.v2 (YAML 1.1 without dates and base 60): ``yes`` is true,
``0777`` is 511, but ``2026-01-01`` and ``22:22`` are text, and every key becomes text. PyYAML alone would differ.
Beyond that it is strict: a repeated key, an unknown tag and an alias inside of its own anchor are errors.

libyaml composes a document recursively and overruns its stack at a depth of some ten thousand, so depth is bounded
before it is asked; aliases may not make a small file a large one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Optional

try:
    import yaml

    _Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    YAML_ERRORS: tuple[type[Exception], ...] = (yaml.YAMLError,)
except ImportError:  # pragma: no cover - the modules say that PyYAML is missing before anything is read
    yaml = None  # type: ignore[assignment]
    _Base = object
    YAML_ERRORS = ()

MAX_DEPTH = 100
"""Levels of lists and mappings in a document; a CustomResourceDefinition of Istio has 40."""
MAX_ALIASED = 1_000_000
"""Values that aliases may add to a document."""

_SAFE_DEPTH = 5_000
"""What libyaml surely composes with the smallest usual stack (8 MiB holds about 40,000 levels)."""

_MAP, _SEQ, _TEXT, _PLAIN, _MERGE = (f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "plain", "merge"))
_SCALARS = tuple(f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null"))

_INT = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{form: True for word in ("true", "yes", "on") for form in (word, word.capitalize(), word.upper())},
    **{form: False for word in ("false", "no", "off") for form in (word, word.capitalize(), word.upper())},
}


class DocumentError(Exception):
    """One mistake, and the line and column where it stands (from 1)."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


def value_of(text: str) -> Any:
    """The value of a plain scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[:1] not in "+-.0123456789":
        return text
    if _INT.fullmatch(text) and text[-1] != "_":
        digits = text.replace("_", "").lower()
        octal = re.fullmatch(r"([-+]?)0([0-7]+)", digits)
        return int(f"{octal.group(1)}0o{octal.group(2)}" if octal else digits, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


class _Loader(_Base):  # type: ignore[misc]
    """Composes nodes; tells text from what :func:`value_of` has to look at."""

    def resolve(self, kind: type, value: Optional[str], implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            if not implicit[0]:
                return _TEXT
            return _MERGE if value == "<<" else _PLAIN
        return _MAP if kind is yaml.MappingNode else _SEQ


def documents(text: bytes) -> Iterator[tuple[Any, int]]:
    """Each document of a stream as plain data, and its line. Raises :class:`DocumentError`."""
    _refuse_depth(text)
    loader = None
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            yield _Builder().build(node), node.start_mark.line + 1
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ", ".join(str(part) for part in (error.context, error.problem) if part)
        raise DocumentError(message, *((mark.line + 1, mark.column + 1) if mark else ())) from None
    except yaml.reader.ReaderError as error:
        raise DocumentError(f"{error.reason} (byte {error.position})") from None
    finally:
        if loader is not None:
            loader.dispose()


def _refuse_depth(text: bytes) -> None:
    """Refuse what libyaml could not compose. Counted roughly first: almost no document needs the exact way."""
    brackets = text.count(b"[") + text.count(b"{") - text.count(b"[]") - text.count(b"{}")
    # A level in block style takes a column of indentation or a dash, and a sequence may stand at its key's column.
    widest = max((len(run) for run in re.findall(rb"(?m)^[ \t?:-]{1000,}", text)), default=0)
    if brackets < _SAFE_DEPTH and 2 * widest < _SAFE_DEPTH:
        return
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_Base):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise _too_deep(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.YAMLError:
        return  # the same error is met and told by who composes


def _too_deep(at: Any) -> DocumentError:
    return _error(f"nested more than {MAX_DEPTH} levels deep", at)


def _error(message: str, at: Any) -> DocumentError:
    return DocumentError(message, at.start_mark.line + 1, at.start_mark.column + 1)


_OPEN = object()


class _Builder:
    """Makes data of one document's nodes. An anchor's value is made once and shared."""

    def __init__(self) -> None:
        self._plain: dict[str, Any] = {}
        self._made: dict[int, Any] = {}
        self._sizes: dict[int, int] = {}
        self._aliased = 0

    def build(self, node: Any, depth: int = 0) -> Any:
        tag = node.tag
        if tag == _TEXT and node.id == "scalar":
            return node.value
        if tag == _PLAIN:
            text = node.value
            if text not in self._plain:
                self._plain[text] = value_of(text)
            return self._plain[text]
        known = self._made.get(id(node))
        if known is not None:
            return self._alias(known, node)
        if depth > MAX_DEPTH:
            raise _too_deep(node)
        self._made[id(node)] = _OPEN
        made = self._make(node, tag, depth)
        self._made[id(node)] = made
        return made

    def _make(self, node: Any, tag: str, depth: int) -> Any:
        if tag == _MAP and node.id == "mapping":
            return self._mapping(node, depth)
        if tag == _SEQ and node.id == "sequence":
            return [self.build(item, depth + 1) for item in node.value]
        if tag == _MERGE:
            return node.value
        if tag in _SCALARS and node.id == "scalar":
            return value_of(node.value)
        raise _error(f"the tag {tag.replace('tag:yaml.org,2002:', '!!')} is not understood here", node)

    def _mapping(self, node: Any, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        merges = []
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merges.append(value_node)
                continue
            key = self._key(key_node, depth)
            if key in made:
                raise _error(f"the key {key!a} stands here again", key_node)
            made[key] = self.build(value_node, depth + 1)
        for merge in merges:
            value = self.build(merge, depth + 1)
            for part in value if isinstance(value, list) else (value,):
                if not isinstance(part, dict):
                    raise _error("'<<' merges something that is not a mapping", merge)
                made.update({key: item for key, item in part.items() if key not in made})
        return made

    def _key(self, node: Any, depth: int) -> str:
        key = self.build(node, depth + 1)
        if isinstance(key, str):
            return key
        if isinstance(key, bool):
            return str(key).lower()
        if isinstance(key, (int, float)):
            return str(key)
        raise _error("a key is empty, a mapping or a list; text is expected", node)

    def _alias(self, value: Any, node: Any) -> Any:
        if value is _OPEN:
            raise _error("an alias stands inside of its own anchor", node)
        self._aliased += self._size(value)
        if self._aliased > MAX_ALIASED:
            raise _error(f"the aliases add more than {MAX_ALIASED} values", node)
        return value

    def _size(self, value: Any) -> int:
        if not isinstance(value, (dict, list)):
            return 1
        if id(value) not in self._sizes:
            parts = value.values() if isinstance(value, dict) else value
            self._sizes[id(value)] = 1 + sum(self._size(part) for part in parts)
        return self._sizes[id(value)]
