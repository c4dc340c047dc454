# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of the file that ``spire-server entry create|update -data`` reads (SPIRE 1.15).

The server drops a key that it does not know without a word, and takes odd DNS names, unknown selector types and an
expiry in the past; so the schema is stricter than the server. IDs follow the SPIFFE-ID standard: lower-case trust
domain (section 2.1), path segments of letters, digits, '.', '-', '_' that are not '.' or '..' (2.2), 2,048 bytes (2.3);
``/spire/`` is reserved by SPIRE.
"""

from __future__ import annotations

from ansible_collections.zerotrust.platform.plugins.module_utils._documents.schema_words import (
    FLAG,
    Schema,
    list_of,
    record,
    text,
    whole,
)

_DOMAIN = r"[a-z0-9._-]{1,255}"
_SEGMENT = r"/(?!\.{1,2}(/|$))[A-Za-z0-9._-]+"

SPIFFE_ID = text(
    "a SPIFFE ID (spiffe://trust-domain/path; lower-case trust domain, no empty segment, at most 2048 bytes)",
    rf"spiffe://{_DOMAIN}(?!/spire(/|$))({_SEGMENT})+",
    most=2048,
)
PARENT_ID = text(
    "a SPIFFE ID of the server (/spire/server), of an agent (/spire/agent/...) or of a node alias",
    rf"spiffe://{_DOMAIN}(?!/spire/(?!server$|agent/))({_SEGMENT})+",
    most=2048,
)
TRUST_DOMAIN = text("a trust domain, with or without spiffe://", rf"(spiffe://)?{_DOMAIN}", most=264)
DNS_NAME = text(
    "a DNS name",
    r"(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*",
    most=253,
)

SELECTOR = record(
    {
        "type": text("a selector's type, such as k8s or unix", r"[a-z0-9_.-]+", most=64),
        "value": text("a selector's value, such as ns:shop", r"[^\x00-\x1f]+"),
    },
    ("type", "value"),
)

ENTRY: Schema = record(
    {
        "entry_id": text("an entry id of letters, digits, '_', '.', '-'", r"[A-Za-z0-9_.-]+", most=255),
        "spiffe_id": SPIFFE_ID,
        "parent_id": PARENT_ID,
        "selectors": list_of(SELECTOR, least=1, unique=True),
        "x509_svid_ttl": whole(0, 2**31 - 1),
        "jwt_svid_ttl": whole(0, 2**31 - 1),
        "federates_with": list_of(TRUST_DOMAIN, unique=True),
        "admin": FLAG,
        "downstream": FLAG,
        "entryExpiry": whole(0, 2**63 - 1),
        "dns_names": list_of(DNS_NAME, unique=True),
        "store_svid": FLAG,
        "hint": text("a hint", most=1024, least=0),
        "additional_attributes": record({"disable_x509_svid_prefetch": FLAG, "jwt_svid_include_jti": FLAG}),
    },
    ("spiffe_id", "parent_id", "selectors"),
)

SPIRE: Schema = record({"entries": list_of(ENTRY)}, ("entries",))
