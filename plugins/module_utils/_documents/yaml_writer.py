# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain data to YAML text that every reader understands in the same way.

A large graph renders to some 25,000 documents. PyYAML's dumper over libyaml takes four times as long as this, as it
builds a tree of nodes before it writes. The subset written here is small: block style, text plain only where no reader
of YAML 1.1 or 1.2 can take it for anything else, as lines where it is a file's content (a ConfigMap's), and in double
quotes with JSON's escapes otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable

_plain = re.compile(r"(_?[A-Za-z]|/)[A-Za-z0-9_./@-]*").fullmatch
_printable = re.compile(r"[\x20-\x7e]*").fullmatch
_is_lines = re.compile(r"(?=[\x21-\x7e])(?:(?:[\x20-\x7e]*[\x21-\x7e])?\n)+").fullmatch
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))

MAX_KEY = 1024
"""A simple key's longest form (YAML 1.1, section 9.3.3; 1.2, section 7.4.3)."""


@dataclass(frozen=True)
class Written:
    """A scalar as it is to stand in the text, such as a block with its own indentation."""

    text: str


def dump_all(documents: Iterable[Mapping[str, Any]]) -> str:
    """The documents as one stream, each after ``---``. TypeError where a value has no form in JSON."""
    out: list[str] = []
    for document in documents:
        out.append("---\n")
        if document:
            _mapping(document, "", out.append)
        else:
            out.append("{}\n")
    return "".join(out)


@lru_cache(maxsize=65536)
def _text(text: str) -> str:
    if _plain(text) and text.lower() not in _WORDS:
        return text
    if _printable(text):
        return json.dumps(text)
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    if 0x20 <= code < 0x7F:
        return json.dumps(character)[1:-1]
    if 0xD800 <= code < 0xE000:
        raise TypeError(f"text with half of a surrogate pair (U+{code:X}) cannot be written")
    # JSON would write a character outside of the basic plane as two escapes, which YAML does not put together.
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value - value == 0:
        # YAML 1.1 takes a number without a point for text.
        mantissa, exponent, power = repr(value).partition("e")
        return mantissa + ("" if "." in mantissa else ".0") + exponent + power
    if isinstance(value, Written):
        return value.text
    raise TypeError(f"{value!r} of type {type(value).__name__} has no form in JSON")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"the key {key!r} is not text")
    text = _text(key)
    if len(text) > MAX_KEY:
        raise TypeError(f"the key {key[:40]!r}... is longer than {MAX_KEY} characters")
    return text


def _mapping(value: Mapping[str, Any], pad: str, write: Callable[[str], Any], first: str = "") -> None:
    """``first`` stands instead of the indentation before the first key: a dash, where the mapping is an item."""
    before = first or pad
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            write(f"{before}{_key(key)}:\n")
            _mapping(item, pad + "  ", write)
        elif isinstance(item, (list, tuple)) and item:
            write(f"{before}{_key(key)}:\n")
            _sequence(item, pad, write)
        else:
            write(f"{before}{_key(key)}: {_leaf(item, pad)}\n")
        before = pad


def _sequence(value: Iterable[Any], pad: str, write: Callable[[str], Any], first: str = "") -> None:
    before = first or pad
    for item in value:
        if isinstance(item, Mapping) and item:
            _mapping(item, pad + "  ", write, before + "- ")
        elif isinstance(item, (list, tuple)) and item:
            _sequence(item, pad + "  ", write, before + "- ")
        else:
            write(f"{before}- {_leaf(item, pad)}\n")
        before = pad


def _leaf(value: Any, pad: str) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    if isinstance(value, str) and "\n" in value and value[-2:] != "\n\n":
        text, chomping = (value, "") if value[-1] == "\n" else (value + "\n", "-")
        if _is_lines(text):
            return f"|{chomping}\n{_lines(text, pad)}"
    return _scalar(value)


def _lines(text: str, pad: str) -> str:
    """The content of a literal block (YAML 1.2, section 8.1.2), without the last line's end."""
    return "\n".join(f"{pad}  {line}" if line else "" for line in text[:-1].split("\n"))
