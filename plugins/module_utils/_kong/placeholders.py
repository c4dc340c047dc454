# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""decK's `${{ env "DECK_NAME" }}` in place of values that a state file is not to hold, and its text. Pure.

    data, with a Hole where a value is left out ─▶ variables: a name for each ─▶ text

A name follows from what the value belongs to. Only where two values would have the same name do both get a digest of
that too, so that a name does not depend on what else there is, as far as possible.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.yaml_writer import Written, dump_all
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Path

_DIGEST = 8


@dataclass(frozen=True)
class Hole:
    """A value that is left out.

    of: what it belongs to: kind, name, and the path in its data. lines: whether it has several. convert: decK's
    function that makes it what it was, where it was no text.
    """

    of: tuple[str, ...]
    lines: bool = False
    convert: str = ""


def hole(of: tuple[str, ...], value: Any) -> Any:
    """A hole in place of a value; true, false and null stay, as they tell nothing."""
    if isinstance(value, str):
        return Hole(of, "\n" in value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Hole(of, convert="toInt" if isinstance(value, int) else "toFloat")
    return value


def templated(value: Any, of: tuple[str, ...]) -> Any:
    """Data with holes in place of texts that would be taken for a placeholder."""
    if isinstance(value, dict):
        return {key: templated(inner, (*of, str(key))) for key, inner in value.items()}
    if isinstance(value, list):
        return [templated(inner, (*of, str(at))) for at, inner in enumerate(value)]
    return Hole(of, "\n" in value) if isinstance(value, str) and "${{" in value else value


def without(value: Any, path: Path, of: tuple[str, ...]) -> Any:
    """Data with holes where a path leads. References to a vault stay: they are no secrets."""
    if not path:
        if isinstance(value, (dict, list)):
            return without(value, ("*",), of)
        return value if isinstance(value, str) and value.startswith("{vault://") else hole(of, value)
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        return {
            key: without(inner, rest, (*of, str(key))) if step in ("*", key) else inner for key, inner in value.items()
        }
    if isinstance(value, list):
        return [
            without(inner, rest, (*of, str(at))) if step in ("*", str(at)) else inner for at, inner in enumerate(value)
        ]
    return value


def variables(data: Any) -> dict[Hole, str]:
    """The name of the environment variable of each hole."""
    holes = sorted(set(_holes(data)), key=lambda one: one.of)
    named: dict[str, list[Hole]] = {}
    for one in holes:
        named.setdefault(_name(one.of), []).append(one)
    return {
        one: name if len(same) == 1 else f"{name}_{hashlib.sha256(repr(one.of).encode()).hexdigest()[:_DIGEST].upper()}"
        for name, same in named.items()
        for one in same
    }


def _holes(value: Any) -> Iterator[Hole]:
    if isinstance(value, Hole):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holes(inner)


def _name(parts: Iterable[str]) -> str:
    return "DECK_" + re.sub(r"[^A-Z0-9]+", "_", "_".join(parts).upper()).strip("_")


def text_of(data: Mapping[str, Any], names: Mapping[Hole, str]) -> str:
    """The file."""
    return dump_all([_written(data, names, 0)])


def _written(value: Any, names: Mapping[Hole, str], depth: int) -> Any:
    """depth: how many mappings, and lists in lists, are around it. Each of them indents by two."""
    if isinstance(value, dict):
        return {key: _written(inner, names, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_written(inner, names, depth + isinstance(inner, list)) for inner in value]
    if isinstance(value, Hole):
        pad = "  " * depth
        # Not in double quotes: decK reads this before it reads YAML.
        call = f'env "{names[value]}"' + (f" | {value.convert}" if value.convert else "")
        return Written(f"|-\n{pad}${{{{ {call} | indent {len(pad)} }}}}" if value.lines else f"${{{{ {call} }}}}")
    return value
