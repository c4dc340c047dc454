# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a certificate and its key say of themselves, as `checks.Facts`."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.checks import (
    BAD,
    GOOD,
    MISSING,
    Facts,
    extended_key_usage,
    key_usage,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import (
    KEY_TYPES,
    Constraints,
    Extension,
    Request,
)

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa
except ImportError:  # pragma: no cover - the module says that cryptography is missing before anything is read
    pass


def facts_of(certificate: Any, **known: Any) -> Facts:
    """All of `Facts` that a certificate says by itself, and what is known. ValueError if it cannot be decoded."""
    found: dict[str, Any] = known
    others: list[Extension] = []
    for extension in certificate.extensions:
        oid = extension.oid.dotted_string
        read = _READERS.get(oid)
        if read is None:
            value = extension.value.public_bytes().hex()
            others.append(Extension(oid, extension.critical, value))
        else:
            found.update(read(extension.value))
    public_key = certificate.public_key()
    found.setdefault("key_type", crypto.key_type_of(public_key))
    return Facts(
        certificate=GOOD,
        subject=crypto.name_of(certificate.subject),
        extensions=tuple(sorted(others, key=lambda extension: extension.oid)),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        weakness=_weakness(certificate, public_key),
        serial=f"{certificate.serial_number:x}",
        **found,
    )


def facts_of_issued(request: Request, certificate: Any, keys: tuple[Optional[bytes], Optional[bytes]]) -> Facts:
    """What `facts_of` finds in a certificate that has just been issued for a request, with a key that matches.

    keys: the identifiers of its key and of its issuer's.
    """
    own, issuers = keys
    return Facts(
        certificate=GOOD,
        key=GOOD,
        key_matches=True,
        key_type=request.key_type,
        issued_by=True,
        subject=request.subject,
        dns=request.dns,
        ips=request.ips,
        uris=request.uris,
        emails=request.emails,
        is_ca=request.is_authority,
        path_length=request.path_length,
        key_usage=key_usage(request),
        extended=extended_key_usage(request),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        serial=f"{certificate.serial_number:x}",
        key_id=own,
        issuer_key_id=issuers,
        constraints=request.constraints,
        crl_urls=(request.crl_url,) if request.crl_url else (),
        extensions=request.extensions,
    )


def _basic(value: Any) -> dict[str, Any]:
    return {"is_ca": value.ca, "path_length": value.path_length}


def _usage(value: Any) -> dict[str, Any]:
    return {"key_usage": frozenset(name for name in crypto.KEY_USAGES[:7] if getattr(value, name))}


def _extended(value: Any) -> dict[str, Any]:
    known = _extended_by_number()
    return {"extended": tuple(sorted(known.get(oid.dotted_string, oid.dotted_string) for oid in value))}


@cache
def _extended_by_number() -> dict[str, str]:
    return {oid.dotted_string: name for oid, name in crypto.extended_usages().items()}


@cache
def _kinds() -> dict[type, str]:
    kinds = (x509.DNSName, x509.IPAddress, x509.UniformResourceIdentifier, x509.RFC822Name)
    return dict(zip(kinds, ("dns", "ips", "uris", "emails")))


def _names(value: Any) -> dict[str, Any]:
    kinds = _kinds()
    found: dict[str, list[str]] = {}
    for general in value:
        kind = kinds.get(type(general))
        if kind is not None:
            found.setdefault(kind, []).append(str(general.value))
    return {kind: tuple(sorted(names)) for kind, names in found.items()}


def _constraints(value: Any) -> dict[str, Any]:
    def side(subtrees: Any) -> tuple[tuple[str, str], ...]:
        kinds = _kinds()
        # Of other kinds, such as directory names, it is known that they are there, and no more.
        return tuple(sorted((kinds.get(type(one), "other"), str(one.value)) for one in subtrees or ()))

    return {"constraints": Constraints(side(value.permitted_subtrees), side(value.excluded_subtrees))}


def _distribution(value: Any) -> dict[str, Any]:
    names = [str(name.value) for point in value for name in point.full_name or ()]
    return {"crl_urls": tuple(names)}


_READERS = {
    "2.5.29.14": lambda value: {"key_id": value.digest},
    "2.5.29.15": _usage,
    "2.5.29.17": _names,
    "2.5.29.19": _basic,
    "2.5.29.30": _constraints,
    "2.5.29.31": _distribution,
    "2.5.29.35": lambda value: {"issuer_key_id": value.key_identifier},
    "2.5.29.37": _extended,
}


def _weakness(certificate: Any, public_key: Any) -> str:
    """P21: what no client should accept."""
    kind = crypto.key_type_of(public_key)
    if isinstance(public_key, rsa.RSAPublicKey):
        if public_key.key_size < 2048:
            return f"an RSA key of {public_key.key_size} bits"
        if public_key.public_numbers().e < 65537:
            return f"an RSA key with the exponent {public_key.public_numbers().e}"
    elif kind not in KEY_TYPES:
        return f"a key of the type {kind}"
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "a signature of an unknown kind"
    if algorithm is not None and algorithm.name in ("md5", "sha1"):
        return f"a signature with {algorithm.name}"
    return ""


def with_key(
    facts: Facts, certificate: Optional[Any], pem: Optional[bytes], passphrase: Optional[bytes] = None
) -> tuple[Facts, Any]:
    """Facts completed by the key's file, and the key."""
    if pem is None:
        return replace(facts, key=MISSING), None
    state, key = crypto.read_key(pem, passphrase)
    if state != GOOD:
        problem = facts.problem or ("its key cannot be decoded" if state == BAD else "")
        return replace(facts, key=state, problem=problem), None
    matches = certificate is not None and crypto.same_public_key(key.public_key(), certificate.public_key())
    return replace(facts, key=GOOD, key_matches=matches, key_type=crypto.key_type_of(key)), key
