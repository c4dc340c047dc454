# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registration entries in one form, whoever wrote them. Pure.

    declared  {"spiffe_id": "spiffe://d/p", "selectors": [{"type", "value"}], "federates_with": ["spiffe://x"], …}
    found     {"id", "spiffe_id": {"trust_domain", "path"}, "expires_at": "0", "hint": "", …}      both ─▶ Data

In the one form IDs and selectors are text, what is unset is left out, and what only the server knows (`created_at`,
`revision_number`) is dropped. DNS names keep their order, as the first becomes the common name of an X509-SVID; the
server does not always tell it, so they are compared as a set. `sent` makes an input of it again, with all fields, as an
update replaces them all.

`admin` and `downstream` are put together as `privileges`, in words that a reviewer cannot overlook.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Claim

Data = dict[str, Any]

KIND = "entry"

PRIVILEGES: Mapping[str, str] = {
    "admin": "admin: MAY MANAGE THE SERVER",
    "downstream": "downstream: MAY SIGN IDENTITIES OF THE WHOLE TRUST DOMAIN",
}

#: What is taken over as it is: name in, name out.
_PLAIN: Mapping[str, str] = {
    "x509_svid_ttl": "x509_svid_ttl",
    "jwt_svid_ttl": "jwt_svid_ttl",
    "entryExpiry": "expires_at",
    "store_svid": "store_svid",
    "hint": "hint",
}
_ATTRIBUTES = ("disable_x509_svid_prefetch", "jwt_svid_include_jti")

_TOKEN_AGENT = "/spire/agent/join_token/"  # noqa: S105
_SCHEME = "spiffe://"


class Row(NamedTuple):
    """An entry that is there."""

    id: str
    data: Data

    @property
    def is_token_alias(self) -> bool:
        """Whether it looks like what `token generate -spiffeID` makes, which no file declares."""
        return _TOKEN_AGENT in self.data["parent_id"] and all(
            selector.startswith("spiffe_id:") for selector in self.data["selectors"]
        )


def declared(entry: Mapping[str, Any]) -> Data:
    """Of what satisfies the schema of `_documents/schemas_spire.py`."""
    selectors = (f"{selector['type']}:{selector['value']}" for selector in entry["selectors"])
    attributes = entry.get("additional_attributes") or {}
    return _data(
        entry["spiffe_id"],
        entry["parent_id"],
        selectors,
        {name: entry.get(name) for name in _PLAIN},
        (name.removeprefix(_SCHEME) for name in entry.get("federates_with") or ()),
        entry.get("dns_names") or (),
        entry,
        attributes,
    )


def parse(text: bytes) -> Any:
    """The output of a command on entries, each of them a :class:`Row`. Raises ValueError.

    Entries are brought to their form while they are parsed, which takes a third of the memory of doing it afterwards.
    """
    return json.loads(text, object_hook=_hook)


def _hook(found: dict[str, Any]) -> Any:
    if len(found) == 2:
        if "trust_domain" in found and "path" in found:
            # Thousands of entries have the same parent.
            return sys.intern(f"{_SCHEME}{found['trust_domain']}{found['path']}")
        if "type" in found and "value" in found:
            return sys.intern(f"{found['type']}:{found['value']}")
    if "selectors" in found and "spiffe_id" in found:
        return Row(found["id"], _found(found))
    return found


def _found(entry: Mapping[str, Any]) -> Data:
    plain = {name: entry.get(there) for name, there in _PLAIN.items()}
    # The server writes 64-bit numbers as text.
    plain["entryExpiry"] = int(plain["entryExpiry"] or 0)
    return _data(
        entry["spiffe_id"],
        entry["parent_id"],
        entry["selectors"],
        plain,
        entry.get("federates_with") or (),
        entry.get("dns_names") or (),
        entry,
        entry.get("additional_attributes") or {},
    )


def _data(
    spiffe_id: str,
    parent_id: str,
    selectors: Iterable[str],
    plain: Mapping[str, Any],
    federates_with: Iterable[str],
    dns_names: Iterable[str],
    flags: Mapping[str, Any],
    attributes: Mapping[str, Any],
) -> Data:
    data: Data = {"spiffe_id": spiffe_id, "parent_id": parent_id, "selectors": sorted(set(selectors))}
    data.update((name, value) for name, value in plain.items() if value)
    if domains := sorted(set(federates_with)):
        data["federates_with"] = domains
    if names := list(dict.fromkeys(dns_names)):
        data["dns_names"] = names
    if flags.get("admin") or flags.get("downstream"):
        data["privileges"] = [words for name, words in PRIVILEGES.items() if flags.get(name)]
    if attributes and (on := {name: True for name in _ATTRIBUTES if attributes.get(name)}):
        data["additional_attributes"] = on
    return data


def sent(entry_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """As `entry create|update -data` reads it."""
    made = {"entry_id": entry_id, **data}
    made["selectors"] = [dict(zip(("type", "value"), selector.split(":", 1))) for selector in made["selectors"]]
    privileges = made.pop("privileges", ())
    made.update((name, True) for name, words in PRIVILEGES.items() if words in privileges)
    return made


def equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one == other or _unordered(one) == _unordered(other)


def _unordered(data: Mapping[str, Any]) -> Data:
    return {**data, "dns_names": sorted(data.get("dns_names", ()))}


def identity(data: Mapping[str, Any]) -> Claim:
    """What the server allows once: it refuses to create a second one."""
    return (
        "SPIFFE ID, parent and selectors",
        f"{data['spiffe_id']} under {data['parent_id']} with {' '.join(data['selectors'])}",
    )


def trust_domain(spiffe_id: str) -> str:
    return spiffe_id.split("/", 3)[2]


def privileges_of(data: Optional[Mapping[str, Any]]) -> frozenset[str]:
    """`admin`, `downstream`."""
    words = (data or {}).get("privileges", ())
    return frozenset(name for name, text in PRIVILEGES.items() if text in words)
