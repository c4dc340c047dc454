# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON schema of ``service_graph.yml``, made from the same specs as the parser, for editors to complete and check.

It says what a value may look like (JSON Schema draft 2020-12); what only the whole graph tells, such as a call to an
undeclared service, stays with ``checks.py``.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.fields import (
    ListOf,
    MapOf,
    ObjectOf,
    Scalar,
    Spec,
    Type,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.model import Graph
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.parse import named, specs

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    _definition(ObjectOf(Graph), definitions)
    root = definitions.pop("Graph")
    return {
        "$schema": DIALECT,
        "title": "zerotrust.platform service graph",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def _schema(type_: Type, definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(type_, Scalar):
        return dict(type_.schema)
    if isinstance(type_, ListOf):
        unique = {"uniqueItems": True} if type_.unique else {}
        return {"type": "array", "items": _schema(type_.item, definitions), "minItems": type_.min_items, **unique}
    if isinstance(type_, MapOf):
        return {
            "type": "object",
            "propertyNames": dict(type_.key.schema),
            "additionalProperties": _entry(type_.value, definitions),
            "minProperties": 1,
        }
    reference = _definition(type_, definitions)
    if not type_.short:
        return reference
    return {"anyOf": [reference, *(dict(short.schema) for short in type_.short)]}


def _entry(type_: Type, definitions: dict[str, Any]) -> dict[str, Any]:
    """A mapping's value. One that has its name from the key may be left empty (``istio:``)."""
    schema = _schema(type_, definitions)
    return {"anyOf": [schema, {"type": "null"}]} if isinstance(type_, ObjectOf) and named(type_.cls) else schema


def _definition(type_: ObjectOf, definitions: dict[str, Any]) -> dict[str, Any]:
    name = type_.cls.__name__
    if name not in definitions:
        definitions[name] = {}
        known = specs(type_.cls)
        properties = {
            key: _described(described, attribute, type_.cls, definitions)
            for key, (attribute, described) in known.items()
        }
        definition: dict[str, Any] = {"type": "object", "description": _summary(type_.cls)}
        if type_.fold:
            # What a single item may be written as; not beside the list.
            items = specs(type_.fold.item.cls)
            for key in type_.fold.keys:
                properties[key] = _described(items[key][1], items[key][0], type_.fold.item.cls, definitions)
            definition["dependentSchemas"] = {
                type_.fold.into: {"properties": dict.fromkeys(type_.fold.keys, False)},
            }
        definition["properties"] = properties
        definition["additionalProperties"] = False
        required = [key for key, (_attribute, described) in known.items() if described.required]
        if required:
            definition["required"] = required
        definitions[name] = definition
    return {"$ref": f"#/$defs/{name}"}


def _described(described: Spec, attribute: str, cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    found = {**_schema(described.type, definitions), "description": described.description}
    default = next(item.default for item in fields(cls) if item.name == attribute)
    if default is not MISSING and isinstance(default, (str, int, bool)) and default != "" and default is not None:
        found["default"] = default
    return found


def _summary(cls: type) -> str:
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())
