# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kong's schema language, as far as a client needs it: defaults, one form for equal values, secrets, unknown fields.

    GET /schemas/… ─▶ Record ─▶ fill, canonical, unknown, secrets

A write stores what `fill` gives: null stays null, what is left out gets the default, a record in a record is filled
too. A read shows more than was stored (deprecated names of moved fields, sets in any order), which `canonical` takes
away. So `fill(declared) == canonical(read)` if nothing has to be written.

Source: `kong/db/schema/init.lua` of Kong 3.9 (`process_auto_fields`, `shorthand_fields`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Path

#: Names of fields that hold secrets, where no schema marks them.
_SECRET = re.compile(
    r"(^|_)(password|passphrase|passwd|secret|secrets|secret_v1|token|private_key|api_?key|access_key|secret_key|"
    r"credentials?|hmac_key|client_secret|provision_key|service_account_json|jwk)$"
)
#: Referenceable, which is to say that a vault may hold them, but no secrets.
_OPEN = frozenset(
    (
        *("host", "server_name", "username", "sentinel_username", "url", "uri", "header_name", "param_name"),
        *("endpoint", "http_endpoint", "logs_endpoint", "traces_endpoint", "cert", "cert_alt"),
    )
)
#: Fields of entities that are secret.
_KEYS = frozenset(("key", "key_alt", "jwk"))
#: An address with a password in it.
_ADDRESS = re.compile(r"://[^/?#@\s]*:[^/?#@\s]+@")
#: Headers that carry secrets, as "name:value" in a list.
_HEADER = re.compile(r"(?i)\s*(proxy-)?authorization\s*:|\s*cookie\s*:|[^:]*(api-?key|token|secret|password)[^:]*:")


class Field:
    """One field, compiled."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.kind = spec.get("type", "any")
        self.auto = bool(spec.get("auto"))
        self.required = bool(spec.get("required"))
        inner = spec.get("elements") or {}
        values = spec.get("values") or {}
        self.record = Record(spec) if spec.get("fields") else None
        self.elements = Field(inner) if inner else None
        self.values = Field(values) if values else None
        self.sealed = bool(spec.get("encrypted"))
        self.referenceable = any(part.get("referenceable") for part in (spec, inner, values))
        #: Whether a value has more than one form.
        self.formed = self.kind in ("set", "array", "map", "record")
        self.default: Any = None
        if "default" in spec:
            self.default = self.fill(spec["default"])
        elif self.required and self.record is not None:
            self.default = self.record.fill({})

    def fill(self, value: Any) -> Any:
        return self._form(value, True)

    def canonical(self, value: Any) -> Any:
        return self._form(value, False)

    def without_defaults(self, value: Any) -> Any:
        """A value that is not the default, without the defaults of records in it."""
        if isinstance(value, dict):
            if self.record is not None:
                return self.record.without_defaults(value)
            if self.values is not None:
                return {key: self.values.without_defaults(item) for key, item in value.items()}
        elif isinstance(value, list) and self.elements is not None:
            return [self.elements.without_defaults(item) for item in value]
        return value

    def _form(self, value: Any, filling: bool) -> Any:
        """One form: an empty table is what the field says it is, sets are sorted, records are filled."""
        if value is None or not self.formed:
            return value
        if self.kind in ("record", "map"):
            if value == []:
                value = {}
            if not isinstance(value, dict):
                return value
            if self.record is not None:
                return self.record.fill(value) if filling else self.record.canonical(value)
            if self.values is not None and self.values.formed:
                return {key: self.values._form(item, filling) for key, item in value.items()}
            return value
        if value == {}:
            value = []
        if not isinstance(value, list):
            return value
        if self.elements is not None and self.elements.formed:
            value = [self.elements._form(item, filling) for item in value]
        return _sorted(value) if self.kind == "set" else value


class Record:
    """A schema, or a record in one."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self.fields: dict[str, Field] = {
            name: Field(spec) for item in definition.get("fields") or () for name, spec in item.items()
        }
        self.moved: dict[str, Optional[tuple[str, ...]]] = {}
        self.advice: dict[str, str] = {}
        for item in definition.get("shorthand_fields") or ():
            for name, spec in item.items():
                deprecation = spec.get("deprecation") or {}
                replaced = deprecation.get("replaced_with") or ()
                path = replaced[0].get("path") if replaced and isinstance(replaced[0], dict) else None
                self.moved[name] = tuple(path) if path else None
                self.advice[name] = str(deprecation.get("message") or "")
        # The flat names that records have had before; not every node tells of them.
        for name, field in self.fields.items():
            for inner in field.record.fields if field.record is not None else ():
                if f"{name}_{inner}" not in self.fields:
                    self.moved.setdefault(f"{name}_{inner}", (name, inner))
        self.defaults = {name: field.default for name, field in self.fields.items()}
        self._formed = {name: field for name, field in self.fields.items() if field.formed}

    def fill(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What the node would store."""
        if self.moved:
            data = self._expanded(data)
        out = {**self.defaults, **data}
        for name, field in self._formed.items():
            if name in data:
                out[name] = field.fill(data[name])
        return out

    def canonical(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What is stored, of what is shown."""
        out = {name: data.get(name) for name in self.fields}
        for name, field in self._formed.items():
            if out[name] is not None:
                out[name] = field.canonical(out[name])
        return out

    def tidy(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """`canonical`, but with what the schema does not know."""
        out = dict(data)
        for name, field in self._formed.items():
            if out.get(name) is not None:
                out[name] = field.canonical(out[name])
        return out

    def without_defaults(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What `fill` makes the same of again; of what the schema does not know, all but null."""
        out: dict[str, Any] = {}
        for name, value in data.items():
            field = self.fields.get(name)
            if value != (field.default if field is not None else None):
                out[name] = field.without_defaults(value) if field is not None else value
        return out

    def _expanded(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Deprecated names where they are now."""
        out = dict(data)
        for name in data:
            path = self.moved.get(name)
            if path is None or name in self.fields:
                continue
            value, at = out.pop(name), out
            for key in path[:-1]:
                inner = at.get(key)
                at[key] = dict(inner) if isinstance(inner, dict) else {}
                at = at[key]
            at.setdefault(path[-1], value)
        return out

    def unknown(self, data: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
        """A sentence for each field that the node does not know."""
        for name, value in data.items():
            field = self.fields.get(name)
            if field is None and name not in self.moved:
                yield f"{prefix}{name}: unknown field"
            elif field is None and self.moved[name] is None:
                advice = self.advice.get(name) or "it is a deprecated name; use the present one"
                yield f"{prefix}{name}: not supported ({advice})"
            elif field is not None and field.record is not None and isinstance(value, dict):
                yield from field.record.unknown(value, f"{prefix}{name}.")

    def secrets(self, prefix: Path = ()) -> Iterator[Path]:
        """Where secrets are, as the schema marks them or a name says."""
        for name, field in self.fields.items():
            path = (*prefix, name)
            if field.sealed or (field.referenceable and name not in _OPEN) or _SECRET.search(name):
                if field.kind in ("string", "array", "set", "map", "any"):
                    yield path if field.kind in ("string", "any") else (*path, "*")
            elif field.record is not None:
                yield from field.record.secrets(path)
            elif field.elements is not None and field.elements.record is not None:
                yield from field.elements.record.secrets((*path, "*"))
        for name in self.moved:
            if _SECRET.search(name):
                yield (*prefix, name)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret, in whatever entity it is."""
    return name in _KEYS or _SECRET.search(name) is not None


def named_secrets(value: Any, prefix: Path = ()) -> Iterator[Path]:
    """Where secrets seem to be, by the names of fields and of headers, and by passwords in addresses."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, (str, list)) and (_SECRET.search(str(key)) or _HEADER.match(f"{key}:")):
                yield (*prefix, str(key)) if isinstance(inner, str) else (*prefix, str(key), "*")
            else:
                yield from named_secrets(inner, (*prefix, str(key)))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            if isinstance(inner, str):
                if ":" in inner and (_HEADER.match(inner) or _ADDRESS.search(inner)):
                    yield (*prefix, str(at))
            else:
                yield from named_secrets(inner, (*prefix, str(at)))
    elif isinstance(value, str) and _ADDRESS.search(value):
        yield prefix


def _sorted(values: list[Any]) -> list[Any]:
    """A set: each value once, in one order."""
    try:
        return sorted(set(values))
    except TypeError:
        unique = {json.dumps(value, sort_keys=True): value for value in values}
        return [unique[key] for key in sorted(unique)]
