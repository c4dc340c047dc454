# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a schema finds wrong, in sentences: ``spec.ports[web].port: '80' is not an integer``.

An item of a list is named where it has a name, as an index says little in a long file. Values that may be secret are
shown as ``***``. Where a schema offers alternatives, the complaint is that of the alternative that came closest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import show

SECRET = frozenset(
    (
        "data", "stringData", "env", "config", "key", "key_alt", "cert", "cert_alt", "jwk", "pem", "password", "secret",
        "client_secret", "keyauth_credentials", "basicauth_credentials", "jwt_secrets", "hmacauth_credentials",
        "oauth2_credentials",
    )
)  # fmt: skip
"""Keys at or below which a value is not shown."""

NAMES = ("name", "username", "entry_id", "GroupName", "target", "prefix")
"""The keys by which an item of a list is known."""

_TYPES = {"array": "a list", "object": "a mapping", "boolean": "true or false", "integer": "a whole number",
          "number": "a number", "string": "text", "null": "empty"}  # fmt: skip


def complaints(validator: Any, schema: Any, document: Any) -> list[str]:
    """Every complaint, in the order of their paths."""
    found = [text for error in validator.iter_errors(document) for text in _complain(error, schema, document)]
    return sorted(set(found))


def _complain(error: Any, schema: Any, document: Any) -> Iterator[str]:
    kind = error.kind
    path = list(error.instance_path)
    place = _place(path, document)
    if kind.name == "additionalProperties":
        for key in kind.unexpected:
            yield f"{_place([*path, key], document)}: is not a known field"
        return
    expected = _title(error.schema_path, schema)
    if kind.name in ("anyOf", "oneOf") and not expected:
        alternatives = getattr(kind, "context", ())
        if alternatives and not _all_types(alternatives, path):
            closest = max(alternatives, key=lambda errors: max((len(e.instance_path) for e in errors), default=0))
            for inner in closest:
                yield from _complain(inner, schema, document)
            return
        expected = " or ".join(dict.fromkeys(_types(kind.types) for each in alternatives for kind in [each[0].kind]))
    yield f"{place}: {_what(error, expected, path)}" if place else _what(error, expected, path)


def _what(error: Any, expected: str, path: Sequence[Any]) -> str:
    kind = error.kind
    value = "***" if not SECRET.isdisjoint(path) else show(error.instance)
    if kind.name == "required":
        return f"lacks {kind.property}"
    if kind.name in ("anyOf", "oneOf") and isinstance(error.instance, Mapping):
        return f"lacks {expected}"
    if kind.name == "type":
        return f"{value} is not {_types(kind.types) or expected}"
    if kind.name == "enum" and not expected:
        return f"{value} is not one of {', '.join(str(option) for option in filter(None, kind.options))}"
    if kind.name == "uniqueItems":
        return f"{value} holds something twice"
    if kind.name == "minItems":
        return "is empty, at least one item is expected"
    return f"{value} is not {expected}" if expected else f"{value} is not valid ({kind.name} {_limit(kind)})"


def _limit(kind: Any) -> str:
    return " ".join(str(value) for value in kind.as_dict().values())


def _types(types: Iterable[str]) -> str:
    return " or ".join(_TYPES.get(name, name) for name in sorted(types) if name != "null")


def _all_types(alternatives: Sequence[Sequence[Any]], path: Sequence[Any]) -> bool:
    return all(
        len(errors) == 1 and errors[0].kind.name == "type" and list(errors[0].instance_path) == path
        for errors in alternatives
    )


def _title(schema_path: Iterable[Any], schema: Any) -> str:
    """What the schema calls the thing that was expected."""
    title: str = ""
    for part in schema_path:
        title = schema.get("title", "") if isinstance(schema, Mapping) else ""
        try:
            schema = schema[part]
        except (KeyError, IndexError, TypeError):
            return ""
    return title


def _place(path: Iterable[Any], document: Any) -> str:
    text, value = "", document
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            value = None
        if isinstance(part, int):
            text += f"[{_name(value) or part}]"
        else:
            text += f".{part}" if text else str(part)
    return text


def _name(value: Any) -> str:
    if not isinstance(value, Mapping):
        return ""
    return next((value[key] for key in NAMES if isinstance(value.get(key), str) and value[key].isprintable()), "")
