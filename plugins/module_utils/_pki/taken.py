# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates that somebody else has issued: reading them, and whether they are what was asked for.

A chain is followed by names and signatures, whatever the order of the certificates (RFC 4158), up to a trusted root.
What stands in the way is told as one sentence: what clients would refuse is not taken (RFC 5280, 6.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.checks import extended_key_usage
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.constraints import violation
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.facts import facts_of
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import ALTERNATIVE_NAMES, BACKDATE, Request
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.records import time_text

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import pkcs7
except ImportError:  # pragma: no cover - the module says that cryptography is missing before anything is read
    pass

#: Nobody has more authorities above each other.
_DEEPEST = 8


def read_certificates(content: bytes) -> list[Any]:
    """The certificates of a file: PEM, DER, or PKCS#7 in either form, as authorities send them. ValueError if none."""
    text = content.lstrip(b"\xef\xbb\xbf \t\r\n")
    readers = (
        (x509.load_pem_x509_certificates, pkcs7.load_pem_pkcs7_certificates)
        if b"-----BEGIN " in text
        else (lambda der: [x509.load_der_x509_certificate(der)], pkcs7.load_der_pkcs7_certificates)
    )
    for read in readers:
        try:
            found = list(read(text))
        except (ValueError, UnsupportedAlgorithm):
            continue
        if found:
            return found
    raise ValueError("holds no certificate in PEM, DER or PKCS#7 form")


def leaf_of(certificates: Sequence[Any], public_key: Any) -> Optional[Any]:
    """The one that is for a public key."""
    return next((one for one in certificates if crypto.same_public_key(one.public_key(), public_key)), None)


def check_leaf(request: Request, certificate: Any, now: datetime) -> None:
    """A PlatformError unless a certificate is what a request asks for. Its key has been compared already."""
    try:
        facts = facts_of(certificate)
    except ValueError as error:
        raise PlatformError(f"it cannot be decoded ({error})", "bad_certificate") from error
    for kind in ALTERNATIVE_NAMES:
        wanted, found = set(getattr(request, kind)), set(getattr(facts, kind))
        if wanted - found:
            raise PlatformError(f"it is not for {_some(wanted - found)}: ask for it anew", "names_missing")
        if found - wanted:
            message = f"it is also for {_some(found - wanted)}, which is not declared: declare that, or ask for it anew"
            raise PlatformError(message, "names_not_declared")
    if request.is_authority != facts.is_ca:
        said = "no authority's" if request.is_authority else "an authority's"
        raise PlatformError(f"it is {said} (basic constraints): ask for it anew", "profile_changed")
    if request.is_authority and "key_cert_sign" not in facts.key_usage:
        raise PlatformError("it lacks the key usage keyCertSign, so nothing it signs is accepted", "profile_changed")
    missing = set(extended_key_usage(request)) - set(facts.extended)
    if missing:
        raise PlatformError(
            f"it cannot be used for {' and '.join(sorted(missing))}, which profile {request.profile} needs: "
            "choose another profile, or an authority that issues such certificates",
            "usage_missing",
        )
    if facts.weakness:
        raise PlatformError(f"it has {facts.weakness}", "weak")
    _check_validity("it", certificate, now)


def chain_to(leaf: Any, others: Sequence[Any], roots: Sequence[Any], now: datetime) -> tuple[tuple[Any, ...], Any]:
    """(the authorities between, the root) of a leaf, whose own contents are not looked at. PlatformError if none."""
    problems: list[PlatformError] = []
    found = next(
        _chains(leaf, (), [*roots, *others], {crypto.fingerprint(root) for root in roots}, now, problems), None
    )
    if found is not None:
        return found
    if problems:
        raise problems[0]
    raise PlatformError(
        f"its issuer {_subject(leaf.issuer)!r} is neither beside it nor among the trusted ones", "chain_incomplete"
    )


def check_constraints(request: Request, authorities: Sequence[Any]) -> None:
    """A PlatformError (`name_constraints`) unless all the authorities above may issue for the names of a request."""
    for authority in authorities:
        allowed = facts_of(authority).constraints
        wrong = violation(allowed, request) if allowed is not None else None
        if wrong:
            raise PlatformError(f"{wrong}, those of its issuer {_subject(authority.subject)!r}", "name_constraints")


def _chains(
    child: Any,
    below: tuple[Any, ...],
    known: Sequence[Any],
    trusted: set[str],
    now: datetime,
    problems: list[PlatformError],
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    for issuer in known:
        if issuer.subject != child.issuer or issuer in below or not crypto.is_signed_by(child, issuer):
            continue
        try:
            _check_authority(issuer, len(below), now)
        except PlatformError as error:
            problems.append(error)
            continue
        if crypto.fingerprint(issuer) in trusted:
            yield below, issuer
        elif issuer.subject == issuer.issuer:
            message = f"its root {_subject(issuer.subject)!r} is not among the trusted ones"
            problems.append(PlatformError(message, "untrusted"))
        elif len(below) < _DEEPEST:
            before = len(problems)
            yield from _chains(issuer, (*below, issuer), known, trusted, now, problems)
            if len(problems) == before:
                message = f"the issuer of {_subject(issuer.subject)!r}, {_subject(issuer.issuer)!r}, is not at hand"
                problems.append(PlatformError(message, "chain_incomplete"))


def _check_authority(certificate: Any, below: int, now: datetime) -> None:
    """below: how many authorities stand between it and the leaf."""
    name = f"its issuer {_subject(certificate.subject)!r}"
    try:
        facts = facts_of(certificate)
    except ValueError as error:
        raise PlatformError(f"{name} cannot be decoded ({error})", "bad_certificate") from error
    if not facts.is_ca or (facts.key_usage and "key_cert_sign" not in facts.key_usage):
        raise PlatformError(f"{name} may not issue certificates", "ca_cannot_sign")
    if facts.path_length is not None and facts.path_length < below:
        raise PlatformError(
            f"{name} allows {facts.path_length} authorities below it, and there are {below}", "path_length"
        )
    # Nobody checks the signature of a root.
    if facts.weakness and (certificate.subject != certificate.issuer or "signature" not in facts.weakness):
        raise PlatformError(f"{name} has {facts.weakness}", "weak")
    _check_validity(name, certificate, now)


def _check_validity(name: str, certificate: Any, now: datetime) -> None:
    if now >= certificate.not_valid_after_utc:
        raise PlatformError(f"{name} expired at {time_text(certificate.not_valid_after_utc)}", "expired")
    # Clocks differ, and it may have been made after this run began.
    if now + timedelta(seconds=BACKDATE) < certificate.not_valid_before_utc:
        begins = time_text(certificate.not_valid_before_utc)
        message = f"{name} is valid from {begins} only, and it is {time_text(now)} here: is this machine's clock right?"
        raise PlatformError(message, "not_yet_valid")


def _subject(name: Any) -> str:
    return str(name.rfc4514_string())


def common_name(name: Any) -> str:
    """Of a distinguished name; empty if it has none."""
    return next((value for attribute, value in crypto.name_of(name) if attribute == "common_name"), "")


def _some(names: set[str]) -> str:
    first = sorted(names)
    return ", ".join(first[:5]) + (f" and {len(first) - 5} more" if len(first) > 5 else "")
