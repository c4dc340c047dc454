# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SPIFFE IDs and JSON input, with the words in which go-spiffe and encoding/json complain."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Optional

_DOMAIN = re.compile(r"[a-z0-9._-]*\Z")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]*\Z")


class InputError(Exception):
    """What cannot be parsed, and why."""


def parse_id(text: str) -> tuple[str, str]:
    """(trust domain, path)."""
    if not text:
        raise InputError("cannot be empty")
    if not text.startswith("spiffe://"):
        raise InputError("scheme is missing or invalid")
    domain, slash, rest = text[9:].partition("/")
    if not domain:
        raise InputError("trust domain is missing")
    if not _DOMAIN.match(domain):
        raise InputError(
            "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores"
        )
    segments = rest.split("/") if slash else []
    for at, segment in enumerate(segments):
        if not segment:
            last = at == len(segments) - 1
            raise InputError("path cannot have a trailing slash" if last else "path cannot contain empty segments")
        if segment in (".", ".."):
            raise InputError("path cannot contain dot segments")
        if not _SEGMENT.match(segment):
            raise InputError("path segment characters are limited to letters, numbers, dots, dashes, and underscores")
    return domain, slash + rest


def parse_domain(text: str) -> str:
    if not text:
        raise InputError("trust domain is missing")
    return parse_id(text)[0] if "://" in text else parse_id(f"spiffe://{text}")[0]


def text_of(found: Mapping[str, str]) -> str:
    return f"spiffe://{found['trust_domain']}{found['path']}"


def foreign(found: Mapping[str, str], domain: str) -> str:
    """Why an ID is none of this trust domain; empty if it is one."""
    if found["trust_domain"] == domain:
        return ""
    return f'"{text_of(found)}" is not a member of trust domain "{domain}"'


def no_workload(found: Mapping[str, str], domain: str) -> str:
    why = foreign(found, domain)
    if not why and (not found["path"] or found["path"].startswith("/spire/")):
        reason = "path is in the reserved namespace" if found["path"] else "path is empty"
        why = f'"{text_of(found)}" is not a workload in trust domain "{domain}"; {reason}'
    return why


# -- JSON as Go reads it ---------------------------------------------------------------------------------------------

#: Fields of an entry in a file, and their types.
ENTRY = {
    "entry_id": "string",
    "spiffe_id": "string",
    "parent_id": "string",
    "selectors": "[]common.Selector",
    "x509_svid_ttl": "int32",
    "jwt_svid_ttl": "int32",
    "federates_with": "[]string",
    "admin": "bool",
    "downstream": "bool",
    "entryExpiry": "int64",
    "dns_names": "[]string",
    "revision_number": "int64",
    "store_svid": "bool",
    "hint": "string",
    "created_at": "int64",
    "additional_attributes": "common.RegistrationEntry_AdditionalAttributes",
}

_KINDS = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
_TAKES = {"string": str, "bool": bool, "int32": int, "int64": int}


def load(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise InputError("unexpected end of JSON input") from None


def entries_of(text: bytes) -> list[dict[str, Any]]:
    """The entries of a file: unknown keys dropped, keys matched whatever their case, as Go does."""
    found = load(text)
    if not isinstance(found, dict):
        raise InputError(
            f"json: cannot unmarshal {_KINDS[type(found)]} into Go value of type common.RegistrationEntries"
        )
    return [_entry(item) for item in found.get("entries") or ()]


def _entry(item: Optional[Mapping[str, Any]]) -> dict[str, Any]:
    if item is None:
        raise InputError("missing registration entry")
    folded = {name.lower(): name for name in ENTRY}
    made: dict[str, Any] = {}
    for key, value in item.items():
        name = folded.get(key.lower())
        if name is None or value is None:
            continue
        wanted = _TAKES.get(ENTRY[name])
        if wanted is not None and (not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))):
            raise _mismatch(value, name, ENTRY[name])
        if name == "selectors":
            for selector in value:
                if not isinstance(selector, dict):
                    raise _mismatch(selector, name, "common.Selector")
        made[name] = value
    return made


def _mismatch(value: Any, name: str, kind: str) -> InputError:
    return _unlike(value, f"Go struct field RegistrationEntry.entries.{name}", kind)


def _unlike(value: Any, place: str, kind: str) -> InputError:
    return InputError(f"json: cannot unmarshal {_KINDS[type(value)]} into {place} of type {kind}")


def ids_of(text: bytes) -> list[str]:
    found = load(text)
    if not isinstance(found, dict):
        raise InputError(
            f"json: cannot unmarshal {_KINDS[type(found)]} into Go value of type entryv1.BatchDeleteEntryRequest"
        )
    return [str(key) for key in found.get("ids") or ()]
