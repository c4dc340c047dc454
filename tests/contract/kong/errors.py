# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bodies of answers that are no success: `{"code", "name", "message", "fields"}`, or a message alone.

The error of a field is a string; of a record a dict by field; of a list a dict by position, counted from 1. In the text
of a message they stand as Lua tables (`{name="s1"}`), in JSON as objects and lists. Wording: as recorded where the
recordings have such an error; else ours, with the code that a node sends.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.contract.kong.notation import Errors


class KongError(Exception):
    """An answer that is not a success: status and body, as they go out."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def plain(status: int, message: str) -> KongError:
    return KongError(status, {"message": message})


def _coded(status: int, code: int, name: str, message: str, **more: Mapping[Any, Any]) -> KongError:
    body: dict[str, Any] = {"code": code, "name": name, "message": message}
    return KongError(status, {**body, **{key: as_json(value) for key, value in more.items()}})


def _by_position(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(key, int) for key in value)


def as_json(value: Any) -> Any:
    """Errors by position become a list, with null where there is none."""
    if _by_position(value):
        return [as_json(value.get(position)) for position in range(1, max(value) + 1)]
    return {key: as_json(item) for key, item in value.items()} if isinstance(value, dict) else value


def as_table(value: Any) -> str:
    """As a Lua table is printed."""
    if _by_position(value):
        value = list(value.values())
    if isinstance(value, list):
        return "{" + ",".join(map(as_table, value)) + "}"
    if isinstance(value, dict):
        keys = {key: key if key.isidentifier() else f'["{key}"]' for key in sorted(value)}
        return "{" + ",".join(f"{shown}={as_table(value[key])}" for key, shown in keys.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def by_path(errors: Errors, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(dotted path, text) of every error; the path is empty for those of the entity as a whole."""
    for key in sorted(errors, key=str):
        error = errors[key]
        if key == "@entity":
            yield from (("", text) for text in error.values())
        elif isinstance(error, dict):
            yield from by_path(error, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", error


def _listed(errors: Errors) -> tuple[int, str]:
    texts = [f"{path}: {text}" if path else text for path, text in by_path(errors)]
    return len(texts), "; ".join(texts)


def schema_violation(errors: Errors) -> KongError:
    count, texts = _listed(errors)
    message = f"schema violation ({texts})" if count == 1 else f"{count} schema violations ({texts})"
    return _coded(400, 2, "schema violation", message, fields=errors)


def unresolved(errors: dict[str, dict[str, str]]) -> KongError:
    count, texts = _listed(errors)
    message = f"foreign key unresolved ({texts})" if count == 1 else f"{count} foreign keys unresolved ({texts})"
    return _coded(400, 13, "foreign keys unresolved", message, fields=errors)


def unresolved_text(field: str, value: Any, parent: str) -> str:
    return f"the foreign key cannot be resolved with '{as_table({field: value})}' for an existing '{parent}' entity"


def no_such_key(key: str) -> KongError:
    return _coded(400, 1, "invalid primary key", f"'{key}' is not an id", fields={"id": "expected a valid UUID"})


def id_taken(key: str) -> KongError:
    return _coded(400, 3, "primary key violation", f"there is an entity with the id '{key}'", fields={"id": key})


def dangling(field: str, key: Mapping[str, Any], parent: str) -> KongError:
    message = f"there is no '{parent}' entity {as_table(dict(key))}"
    return _coded(400, 4, "foreign key violation", message, fields={field: dict(key)})


def referenced(parent: str, child: str) -> KongError:
    message = f"an existing '{child}' entity references this '{parent}' entity"
    return _coded(400, 4, "foreign key violation", message, fields={"@referenced_by": child})


def referenced_by_others(message: str) -> KongError:
    return _coded(400, 19, "referenced by others", message)


def unique_violation(key: Mapping[str, Any]) -> KongError:
    message = f"UNIQUE violation detected on '{as_table(dict(key))}'"
    return _coded(409, 5, "unique constraint violation", message, fields=key)


def not_found(key: Mapping[str, Any]) -> KongError:
    return _coded(404, 6, "not found", f"could not find the entity with '{as_table(dict(key))}'", fields=key)


def invalid_offset(offset: str) -> KongError:
    return _coded(400, 7, "invalid offset", f"'{offset}' is not an offset that this node gave out")


def invalid_size() -> KongError:
    return _coded(400, 9, "invalid size", "size must be an integer between 1 and 1000")


def invalid_option(option: str, message: str) -> KongError:
    return _coded(400, 11, "invalid options", f"invalid option ({option}: {message})", options={option: message})


def unsupported(message: str) -> KongError:
    return _coded(405, 12, "operation unsupported", message)


def declarative(errors: Errors) -> KongError:
    message = f"declarative config is invalid: {as_table(errors)}"
    return _coded(400, 14, "invalid declarative configuration", message, fields=errors)
