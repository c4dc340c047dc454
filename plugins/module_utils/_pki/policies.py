# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the options of an authority or certificate that have a shape of their own."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime, timezone
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._durations import duration, duration_text
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import constraints, names
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import (
    ALTERNATIVE_NAMES,
    CRL_FILES,
    DAY,
    Constraints,
    Extension,
    Passphrase,
    Revocation,
    RevocationList,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.reading import Node

#: RFC 5280, 5.3.1. Those that revoke for good: a certificate on hold is not told apart by most clients.
REASONS = (
    "unspecified",
    "key_compromise",
    "ca_compromise",
    "affiliation_changed",
    "superseded",
    "cessation_of_operation",
    "privilege_withdrawn",
    "aa_compromise",
)
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]{0,18})){1,30}\Z")
#: What other options say; see `crypto.issue`.
_OWN_EXTENSIONS = {
    "2.5.29.14": "it is made of the key",
    "2.5.29.15": "profile says it",
    "2.5.29.17": "dns, ips, uris and emails say it",
    "2.5.29.19": "path_length says it",
    "2.5.29.30": "name_constraints says it",
    "2.5.29.31": "crl of the authority says it",
    "2.5.29.35": "it is made of the issuer's key",
    "2.5.29.37": "profile says it",
}
_SERIAL = re.compile(r"(0x)?([0-9A-Fa-f]{2}:)*[0-9A-Fa-f]{1,40}\Z")


def backdate(value: str) -> int:
    """A duration that may be nothing."""
    return 0 if value in ("0", "0s") else duration(value)


def read_extensions(node: Node) -> tuple[Extension, ...]:
    found: dict[str, Extension] = {}
    for inner in node.mappings("extensions"):
        inner.only(("oid", "critical", "value"))
        oid, value = inner.text("oid", _oid), inner.text("value", _der)
        for key in ("oid", "value"):
            if inner.data.get(key) is None:
                inner.report((), "missing", f"has no {key}")
        if oid in found:
            inner.report("oid", "bad_oid", f"{oid!r} is there twice")
        if oid and value:
            found[oid] = Extension(oid, inner.flag("critical"), value)
    return tuple(found[oid] for oid in sorted(found))


def _oid(value: str) -> str:
    if not _OID.match(value):
        raise ValueError("is no object identifier in dotted form, such as 1.3.6.1.5.5.7.1.24")
    if value in _OWN_EXTENSIONS:
        raise ValueError(f"cannot be set here: {_OWN_EXTENSIONS[value]}")
    return value


def _der(value: str) -> str:
    try:
        content = base64.b64decode("".join(value.split()), validate=True)
    except binascii.Error:
        raise ValueError("is no base64") from None
    if not _is_one_value(content):
        raise ValueError("is base64 of something that is not one value in DER")
    return content.hex()


def _is_one_value(content: bytes) -> bool:
    """Whether length and content of the outermost value fit (ITU-T X.690, 8.1 and 10.1)."""
    if len(content) < 2 or content[0] & 0x1F == 0x1F:
        return False
    length, start = content[1], 2
    if length & 0x80:
        start += length & 0x7F
        octets = content[2:start]
        length = int.from_bytes(octets, "big")
        if not octets or len(octets) > 4 or octets[0] == 0 or length < 0x80:
            return False
    return start + length == len(content)


def read_constraints(node: Node) -> Optional[Constraints]:
    inner = node.mapping("name_constraints")
    if inner is None:
        return None
    before = len(node.problems)
    inner.only(("permitted", "excluded"))
    found: dict[str, list[tuple[str, str]]] = {"permitted": [], "excluded": []}
    for side, values in found.items():
        some = inner.mapping(side)
        if some is not None:
            some.only(ALTERNATIVE_NAMES)
            for kind in ALTERNATIVE_NAMES:
                values.extend((kind, value) for value in some.texts(kind, constraints.READERS[kind]))
    if not found["permitted"] and not found["excluded"] and len(node.problems) == before:
        node.report("name_constraints", "bad_name_constraints", "neither permits nor excludes anything")
    return Constraints(tuple(sorted(found["permitted"])), tuple(sorted(found["excluded"])))


def read_key_passphrase(node: Node) -> Optional[Passphrase]:
    value, path = node.data.get("passphrase"), node.text("passphrase_file", _absolute)
    if value is None:
        return Passphrase(path=path) if path else None
    if path is not None:
        node.report("passphrase_file", "bad_passphrase_file", "cannot be set beside passphrase")
    # The value itself is never shown.
    if not isinstance(value, str):
        node.report("passphrase", "bad_passphrase", "is no text: put it in quotes")
    elif node.source.name:
        node.report("passphrase", "bad_passphrase", "must not lie in a file in clear: use passphrase_file")
    elif not 0 < len(value.encode("utf-8", "surrogateescape")) <= MAX_PASSPHRASE:
        node.report("passphrase", "bad_passphrase", f"must have 1 to {MAX_PASSPHRASE} bytes")
    else:
        return Passphrase(value)
    return None


#: What OpenSSL takes.
MAX_PASSPHRASE = 1023


def _absolute(value: str) -> str:
    if not value.startswith(("/", "~")) or "\0" in value:
        raise ValueError("is no absolute path")
    return value


def read_crl(node: Node, files: dict[str, str], name: str) -> Optional[RevocationList]:
    """files: those of the authority, from which the list's are taken away."""
    paths = {content: files.pop(content) for content in CRL_FILES if content in files}
    inner = node.mapping("crl")
    if inner is None:
        if paths:
            content = next(iter(paths))
            node.report(("files", content), "no_crl", "is set, and crl is not: crl: {} makes a revocation list")
        return None
    inner.only(("valid_for", "renew_before", "url"))
    valid_for = inner.text("valid_for", duration) or 7 * DAY
    renew_before = inner.text("renew_before", duration) or valid_for // 2
    if renew_before >= valid_for:
        message = f"is {duration_text(renew_before)}, which must be less than valid_for ({duration_text(valid_for)})"
        inner.report("renew_before", "bad_renew_before", message)
    paths.setdefault("crl", f"authorities/{name}/crl.pem")
    return RevocationList(valid_for, renew_before, paths, inner.text("url", _crl_url) or "")


def _crl_url(value: str) -> str:
    if not value.startswith("http://"):
        # RFC 5280, 4.2.1.13 and 8: TLS would need the list that it fetches.
        raise ValueError("must begin with http://: a client that needs the list cannot check it by TLS")
    return names.uri(value)


def read_revocation(node: Node) -> Optional[Revocation]:
    before = len(node.problems)
    node.only(("name", "serial", "issuer", "reason", "before"))
    name, serial = node.text("name", names.item_name), node.text("serial", _serial)
    issuer, until = node.text("issuer"), node.text("before", _moment)
    reason = node.choice("reason", REASONS, "unspecified")
    if (node.data.get("name") is None) == (node.data.get("serial") is None):
        node.report((), "bad_revocation", "needs either name or serial")
    if node.data.get("serial") is not None and node.data.get("issuer") is None:
        node.report((), "missing", "has no issuer: a serial number belongs to one authority")
    if node.data.get("serial") is not None and node.data.get("before") is not None:
        node.report("before", "bad_before", "goes with name only")
    return Revocation(reason, name or "", serial or "", issuer or "", until) if len(node.problems) == before else None


def _serial(value: str) -> str:
    if not _SERIAL.match(value):
        raise ValueError("is no serial number in hexadecimal")
    return value.lower().replace("0x", "", 1).replace(":", "").lstrip("0") or "0"


def _moment(value: str) -> datetime:
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise ValueError("is no moment in UTC such as 2026-01-31T12:00:00Z") from None
