# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""decK's `${{ env "DECK_NAME" }}` in a state file. What comes from the environment is a secret: that is its use.

data ─▶ expanded: data with values, and the paths at which they stand
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Callable

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Path

# decK fills in text before it reads YAML, so a value of several lines needs its `indent`. Here it makes no difference.
_ENV = re.compile(r'\$\{\{\s*env\s+"([^"]*)"\s*(?:\|\s*(toInt|toFloat|toBool|indent\s+[0-9]+)\s*)?\}\}')


def is_templated(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(is_templated, value.values()))
    if isinstance(value, list):
        return any(map(is_templated, value))
    return isinstance(value, str) and "${{" in value


def expanded(value: Any, environ: Mapping[str, str], problem: Callable[[str], None]) -> tuple[Any, tuple[Path, ...]]:
    """The value, and where in it something from the environment stands. `problem` is told each mistake."""
    found: list[Path] = []

    def walk(value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {key: walk(inner, (*path, str(key))) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner, (*path, str(at))) for at, inner in enumerate(value)]
        if not isinstance(value, str) or "${{" not in value:
            return value
        found.append(path)
        whole = _ENV.fullmatch(value.strip())
        if whole:
            return _converted(whole, environ, problem)
        text = _ENV.sub(lambda one: str(_converted(one, environ, problem)), value)
        if "${{" in text:
            problem(f'{".".join(path)}: between ${{{{ }}}} only env "DECK_NAME" is understood')
        return text

    return walk(value, ()), tuple(found)


def _converted(found: re.Match[str], environ: Mapping[str, str], problem: Callable[[str], None]) -> Any:
    name, function = found.group(1), found.group(2)
    if not name.startswith("DECK_"):
        problem(f"the variable {name!r} does not begin with DECK_, as decK asks")
        return ""
    if name not in environ:
        problem(f"the environment variable {name!r} is not set")
        return ""
    text = environ[name]
    try:
        if function == "toInt":
            return int(text)
        if function == "toFloat":
            return float(text)
    except ValueError:
        problem(f"the environment variable {name!r} is no number")
    if function == "toBool":
        return text.lower() in ("1", "t", "true")
    return text
