# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths into objects, as `kubectl wait --for=jsonpath=` has them, as far as one waits by them. Pure.

    {.status.phase}   .status.addresses[0].value   .status.conditions[?(@.type=="Ready")].status   .spec.ports[*].port
    .metadata.annotations['example.org/a']   .metadata.annotations.example\\.org/a

No slices, unions, recursive descent or other comparisons (Kubernetes' JSONPath reference).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

_STEP = re.compile(
    r"""
      \.(?P<name>(?:\\.|[^.\[\]\\{}])+)
    | \[(?P<place>-?\d+)\]
    | \[(?P<all>\*)\]
    | \[(?P<quote>['"])(?P<key>.*?)(?P=quote)\]
    | \[\?\(\s*@(?P<where>(?:\.[\w-]+)+)\s*==\s*(?P<mark>["'])(?P<equals>.*?)(?P=mark)\s*\)\]
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Path:
    """text: as it was given. steps: names, places, None for all, or (names, text) of the items that have it there."""

    text: str
    steps: tuple[Union[str, int, tuple[tuple[str, ...], str], None], ...]

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> Path:
    """Raises PlatformError."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    inner = inner[1:] if inner.startswith("$") else inner
    inner = inner if inner.startswith((".", "[")) else f".{inner}"
    at, steps = 0, []
    while at < len(inner):
        match = _STEP.match(inner, at)
        if match is None:
            break
        steps.append(_step(match))
        at = match.end()
    if at < len(inner) or not steps:
        raise PlatformError(
            f"wait_for: jsonpath {text!r} is not understood from {inner[at:]!r} on; it has the form "
            "{.status.phase}, with [0], [*], ['key'] and [?(@.type==\"Ready\")]",
            "bad_option",
        )
    return Path(text, tuple(steps))


def _step(match: re.Match[str]) -> Union[str, int, tuple[tuple[str, ...], str], None]:
    if match["name"]:
        return re.sub(r"\\(.)", r"\1", match["name"])
    if match["place"]:
        return int(match["place"])
    if match["quote"]:
        return str(match["key"])
    if match["where"]:
        return tuple(match["where"][1:].split(".")), str(match["equals"])
    return None


def found(value: Any, path: Path) -> list[Any]:
    """What is there, which may be nothing."""
    values = [value]
    for step in path.steps:
        values = [below for one in values for below in _below(one, step)]
    return values


def _below(value: Any, step: Union[str, int, tuple[tuple[str, ...], str], None]) -> list[Any]:
    if isinstance(step, str):
        return [value[step]] if isinstance(value, Mapping) and step in value else []
    if isinstance(value, Mapping) and step is None:
        return list(value.values())
    if not isinstance(value, list):
        return []
    if isinstance(step, int):
        return [value[step]] if -len(value) <= step < len(value) else []
    if step is None:
        return list(value)
    names, wanted = step
    return [one for one in value if [str(there) for there in found(one, Path("", names))] == [wanted]]
