# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Kong says of mistakes in what it was sent, as sentences. Pure.

`fields` of a refusal is a tree like the data. Positions count from 1: items of a list or, where Lua's table has gaps,
keys. `@entity` holds what is wrong with the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def by_path(fields: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each mistake with its path; positions are counted from 1."""
    if isinstance(fields, dict):
        for key, inner in fields.items():
            yield from by_path(inner, path if key == "@entity" else (*path, str(key)))
    elif isinstance(fields, list):
        for at, inner in enumerate(fields, 1):
            yield from by_path(inner, (*path, str(at)))
    elif fields is not None:
        yield path, str(fields)


def sentence(path: tuple[str, ...], text: str) -> str:
    return f"{'.'.join(path)}: {text}" if path else text
