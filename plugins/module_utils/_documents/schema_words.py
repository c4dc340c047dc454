# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words to write JSON schemas with (draft 2020-12). A ``title`` says what is expected, for messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

FLAG: Schema = {"type": "boolean"}
ANY: Schema = {}
OBJECT: Schema = {"type": "object"}


def record(properties: Mapping[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    """An object with these keys only. A key that is not required may be null, as in each of the tools."""
    return {
        "type": "object",
        "properties": {key: item if key in required else nullable(item) for key, item in properties.items()},
        "required": list(required),
        "additionalProperties": False,
    }


def nullable(schema: Schema) -> Schema:
    if "type" in schema:
        found = {**schema, "type": [*([schema["type"]] if isinstance(schema["type"], str) else schema["type"]), "null"]}
        if "enum" in found:
            found["enum"] = [*found["enum"], None]
        return found
    return {"anyOf": [schema, {"type": "null"}]} if schema else schema


def text(expects: str = "text", pattern: str = "", most: int = 0, least: int = 1) -> Schema:
    made: Schema = {"type": "string", "title": expects, "minLength": least}
    if pattern:
        made["pattern"] = f"^(?:{pattern})$"
    if most:
        made["maxLength"] = most
    return made


def whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, "title": f"a whole number from {least} to {most}"}


def number(above: float) -> Schema:
    return {"type": "number", "exclusiveMinimum": above, "title": f"a number above {above:g}"}


def choice(*values: Any) -> Schema:
    return {"type": "string" if all(isinstance(value, str) for value in values) else "integer", "enum": list(values)}


def list_of(item: Schema, least: int = 0, unique: bool = False) -> Schema:
    return {"type": "array", "items": item, "minItems": least, "uniqueItems": unique}


def map_of(item: Schema) -> Schema:
    return {"type": "object", "additionalProperties": item}
