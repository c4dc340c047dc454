# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Revocation lists (RFC 5280, 5): reading and signing them, and deciding whether one has to be signed anew.

A list has a number that only grows (5.2.3) and the moment at which the next one is due. One that is overdue is worse
than none: clients that ask for it refuse everything. So it is signed again long before, whether it has changed or not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.ledger import Entry
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import RevocationList

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
except ImportError:  # pragma: no cover - the module says that cryptography is missing before anything is read
    pass

_BLOCK = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)


@dataclass(frozen=True)
class Listed:
    """What a list says. serials: of what is revoked, in hexadecimal, each with its reason."""

    number: int
    this_update: datetime
    next_update: datetime
    serials: frozenset[tuple[str, str]]


def read_lists(pem: bytes) -> list[Any]:
    """The lists of a file; ValueError if one cannot be decoded."""
    return [x509.load_pem_x509_crl(block) for block in _BLOCK.findall(pem)]


def listed(crl: Any) -> Listed:
    """ValueError if it has no number or no end."""
    number = next((one.value.crl_number for one in crl.extensions if one.oid.dotted_string == "2.5.29.20"), None)
    if number is None or crl.next_update_utc is None:
        raise ValueError("has no number, or does not say when the next one is due")
    serials = frozenset((f"{one.serial_number:x}", _reason(one)) for one in crl)
    return Listed(number, crl.last_update_utc, crl.next_update_utc, serials)


def _reason(revoked: Any) -> str:
    flags = {flag: name for name, flag in _flags().items()}
    for extension in revoked.extensions:
        if extension.oid.dotted_string == "2.5.29.21":
            return flags.get(extension.value.reason, "unspecified")
    return "unspecified"


def _flags() -> dict[str, Any]:
    return {flag.name: flag for flag in x509.ReasonFlags}


def is_signed_with(crl: Any, public_key: Any) -> bool:
    try:
        return bool(crl.is_signature_valid(public_key))
    except (TypeError, ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False


def sign(
    entries: Sequence[Entry], issuer: Any, key: Any, number: int, validity: tuple[datetime, datetime]
) -> tuple[bytes, bytes]:
    """A list as PEM and as DER. issuer: the authority's certificate. validity: this and next update."""
    key_id = crypto.identifiers(issuer)[0] or crypto.key_id(issuer.public_key())
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(validity[0])
        .next_update(validity[1])
        .add_extension(x509.AuthorityKeyIdentifier(key_id, None, None), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for entry in entries:
        revoked = x509.RevokedCertificateBuilder().serial_number(int(entry.serial, 16))
        revoked = revoked.revocation_date(datetime.fromisoformat(entry.revoked.replace("Z", "+00:00")))
        # RFC 5280, 5.3.1: `unspecified` is said by saying nothing.
        if entry.reason != "unspecified":
            revoked = revoked.add_extension(x509.CRLReason(_flags()[entry.reason]), critical=False)
        builder = builder.add_revoked_certificate(revoked.build())
    crl = builder.sign(key, crypto.hash_for(key))
    return crl.public_bytes(serialization.Encoding.PEM), crl.public_bytes(serialization.Encoding.DER)


def reasons(
    policy: RevocationList,
    content: Optional[bytes],
    wanted: Sequence[Sequence[Entry]],
    public_keys: Sequence[Any],
    now: datetime,
) -> tuple[tuple[str, ...], int]:
    """(why the lists have to be signed, the greatest number seen).

    wanted, public_keys: of each key that signs one, the present one first.
    """
    if content is None:
        return ("missing",), 0
    try:
        crls = read_lists(content)
        found = [listed(crl) for crl in crls]
    except ValueError:
        return ("bad_crl",), 0
    if not found:
        return ("bad_crl",), 0
    checks = (
        (
            "issuer_changed",
            len(crls) != len(public_keys) or not all(map(is_signed_with, crls, public_keys)),
        ),
        (
            "revocations_changed",
            [one.serials for one in found] != [{(entry.serial, entry.reason) for entry in some} for some in wanted],
        ),
        ("expired", any(now >= one.next_update for one in found)),
        (
            "renewal_window",
            any(one.next_update > now >= one.next_update - timedelta(seconds=policy.renew_before) for one in found),
        ),
        ("valid_for_changed", any(_differs(one, policy) for one in found)),
    )
    return tuple(code for code, holds in checks if holds), max(one.number for one in found)


def _differs(one: Listed, policy: RevocationList) -> bool:
    return abs((one.next_update - one.this_update).total_seconds() - policy.valid_for) > 1


def validity(policy: RevocationList, now: datetime) -> tuple[datetime, datetime]:
    """This and next update of a list signed now. Both are a little in the past, for clients whose clocks are."""
    begins = now.replace(microsecond=0) - timedelta(seconds=min(300, policy.valid_for // 10))
    return begins, begins + timedelta(seconds=policy.valid_for)
