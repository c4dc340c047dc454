# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trust bundles: what is in one, in words that can be compared and shown. Pure.

Two formats come in: SPIFFE's (a JWK set; SPIFFE Trust Domain and Bundle, section 4) and PEM, which has X.509
authorities only. An authority is told by its fingerprint, as what it is made of says nothing to a reader.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError

SPIFFE, PEM = "spiffe", "pem"

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
#: What a JWT key is made of; the rest of a JWK is about its use.
_KEY = ("kty", "crv", "x", "y", "n", "e")


class Bundle(NamedTuple):
    """form: the format of the content. expires: when the last X.509 authority does; None without any."""

    form: str
    content: bytes
    data: Mapping[str, Any]
    expires: Union[datetime, None]


def parse(content: bytes, origin: str) -> Bundle:
    """Raises PlatformError for what no server would take."""
    try:
        if content.lstrip().startswith(b"{"):
            found = json.loads(content)
            # The server writes null for no keys.
            keys = found["keys"] or ()
            certificates = [key["x5c"][0] for key in keys if key.get("use") == "x509-svid"]
            tokens = [key for key in keys if key.get("use") == "jwt-svid"]
            sequence = found.get("spiffe_sequence") or 0
            return _bundle(SPIFFE, content, certificates, tokens, sequence, found.get("spiffe_refresh_hint") or 0)
        blocks = content.decode("ascii").split(_BEGIN)[1:]
        if not blocks:
            raise ValueError("it is neither a JWK set nor PEM certificates")
        return _bundle(PEM, content, ["".join(block.split(_END)[0].split()) for block in blocks], [], 0, 0)
    except (ValueError, KeyError, IndexError, TypeError, binascii.Error) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise PlatformError(f"{origin}: this is no trust bundle: {reason}", "bad_bundle") from error


def _bundle(
    form: str,
    content: bytes,
    certificates: Iterable[str],
    tokens: Iterable[Mapping[str, Any]],
    sequence: int,
    hint: int,
) -> Bundle:
    ders = [base64.b64decode(text, validate=True) for text in certificates]
    ends = [not_after(der) for der in ders]
    data: dict[str, Any] = {
        "x509_authorities": sorted(
            f"sha256 {hashlib.sha256(der).hexdigest()} until {end:%Y-%m-%dT%H:%M:%SZ}" for der, end in zip(ders, ends)
        ),
        "jwt_authorities": sorted(f"{token['kid']} sha256 {_thumbprint(token)}" for token in tokens),
        "sequence_number": sequence,
        "refresh_hint": hint,
    }
    return Bundle(form, content, {name: value for name, value in data.items() if value}, max(ends, default=None))


def _thumbprint(token: Mapping[str, Any]) -> str:
    parts = {name: token[name] for name in _KEY if name in token}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def not_after(der: bytes) -> datetime:
    """The end of an X.509 certificate's validity. Raises ValueError."""
    from cryptography import x509

    return x509.load_der_x509_certificate(der).not_valid_after_utc


def authorities_end(row: Mapping[str, Any]) -> list[datetime]:
    """When each X.509 authority of a bundle ends, as `bundle show|list -output json` has it."""
    return [not_after(base64.b64decode(authority["asn1"])) for authority in row.get("x509_authorities") or ()]


def lifetime(row: Mapping[str, Any]) -> float:
    """How many seconds the longest living X.509 authority is valid in all."""
    from cryptography import x509

    found = (x509.load_der_x509_certificate(base64.b64decode(item["asn1"])) for item in row["x509_authorities"])
    return max(((one.not_valid_after_utc - one.not_valid_before_utc).total_seconds() for one in found), default=0.0)


def now() -> datetime:
    return datetime.now(timezone.utc)
