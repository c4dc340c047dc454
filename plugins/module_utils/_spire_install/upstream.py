# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The authority above SPIRE's own: what the plugin ``UpstreamAuthority "disk"`` reads, checked before SPIRE does.

SPIRE says of a wrong file only when the server starts, and of a path length never: then every workload's chain is one
that nobody accepts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError


@dataclass(frozen=True)
class Authority:
    """PEM of each: its certificate and those between it and the root, its key, and the roots."""

    chain: bytes
    key: bytes = field(repr=False)
    roots: bytes


def authority(chain: bytes, key: bytes, roots: bytes, now: datetime) -> Authority:
    """The authority of three files; without roots its own certificate is the root.

    Raises :class:`PlatformError` for one that SPIRE could not use, or whose signatures would not be accepted.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    certificates = read_certificates("upstream_authority.cert_file", chain)
    private = _key(key)
    if not isinstance(private, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise _refused("key_file", "SPIRE takes EC and RSA keys of an authority, and this is another kind")
    if private.public_key() != certificates[0].public_key():
        raise _refused("key_file", "is not the key of the first certificate in cert_file")
    above = read_certificates("upstream_authority.bundle_file", roots) if roots else [certificates[0]]
    _check_chain(certificates, above, now)
    return Authority(chain, key, roots or chain)


def read_certificates(place: str, pem: bytes) -> list[Any]:
    """The certificates of a file. ``place`` is the option that named it."""
    from cryptography import x509

    try:
        found: list[Any] = list(x509.load_pem_x509_certificates(pem))
    except ValueError:
        raise PlatformError(f"{place}: holds no certificates in PEM form", "bad_authority") from None
    return found


def _check_chain(certificates: Sequence[Any], roots: Sequence[Any], now: datetime) -> None:
    for certificate, issuer in zip(certificates, certificates[1:]):
        if not _signed(certificate, issuer):
            raise _refused("cert_file", "its certificates are not in order, each signed by the next")
    root = next((root for root in roots if root == certificates[-1] or _signed(certificates[-1], root)), None)
    if root is None:
        raise _refused("bundle_file", "needs the certificate of the root, which has signed the last one of cert_file")
    for certificate in certificates:
        _check_authority("cert_file", certificate, certificates.index(certificate) + 1, now)
    if root not in certificates:
        _check_authority("bundle_file", root, len(certificates) + 1, now)


def _check_authority(option: str, certificate: Any, below: int, now: datetime) -> None:
    """below: how many authorities there will be below it, SPIRE's own among them."""
    from cryptography import x509

    name = certificate.subject.rfc4514_string()
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        constraints = None
    if constraints is None or not constraints.ca:
        raise _refused(option, f"the certificate {name!r} is not of an authority")
    if constraints.path_length is not None and constraints.path_length < below:
        raise _refused(
            option,
            f"the path length of {name!r} is {constraints.path_length}, and with SPIRE's own there will be {below} "
            "authorities below it; no chain would be accepted (RFC 5280, section 4.2.1.9)",
        )
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise _refused(
            option,
            f"the certificate {name!r} is valid from {certificate.not_valid_before_utc:%Y-%m-%d} to "
            f"{certificate.not_valid_after_utc:%Y-%m-%d} only",
        )


def _signed(certificate: Any, issuer: Any) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _key(pem: bytes) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(pem, password=None)
    except TypeError:
        raise _refused("key_file", "has a passphrase, which SPIRE cannot be given") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _refused("key_file", "holds no private key in PEM form") from None


def _refused(option: str, why: str) -> PlatformError:
    return PlatformError(f"upstream_authority.{option}: {why}", "bad_authority")


def fingerprints(place: str, pem: bytes) -> list[str]:
    """Of each certificate, as the node attestor x509pop writes it in selectors: SHA-1 in hexadecimal."""
    from cryptography.hazmat.primitives import hashes

    # A name of the certificate, on which no security rests.
    return [bytes(found.fingerprint(hashes.SHA1())).hex() for found in read_certificates(place, pem)]  # noqa: S303
