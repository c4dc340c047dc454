# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys and certificates: reading, making, signing. All of `cryptography` that the project uses is behind this file.

Extensions are as RFC 5280 has them: basic constraints and key usage critical, subject and authority key identifiers
(SHA-1 of the public key, 4.2.1.2 (1)), subject alternative names critical only where the subject is empty.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.checks import (
    BAD,
    ENCRYPTED,
    GOOD,
    WRONG,
    extended_key_usage,
    key_usage,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Request

try:
    from cryptography import __version__, x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:  # pragma: no cover - the module says that cryptography is missing before anything is read
    pass

_MINIMUM = 43
#: x509.KeyUsage wants all of them named.
KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
_BEGIN = re.compile(rb"^[ \t\xef\xbb\xbf]*-----BEGIN ([A-Z0-9 ]+)-----", re.MULTILINE)


def _attributes() -> dict[str, Any]:
    return {
        "country": NameOID.COUNTRY_NAME,
        "state": NameOID.STATE_OR_PROVINCE_NAME,
        "locality": NameOID.LOCALITY_NAME,
        "organization": NameOID.ORGANIZATION_NAME,
        "organizational_unit": NameOID.ORGANIZATIONAL_UNIT_NAME,
        "common_name": NameOID.COMMON_NAME,
    }


def check_version(version: str = "") -> None:
    """A PlatformError if the library is too old. version: by default the installed one."""
    version = version or __version__
    if int(version.split(".")[0]) < _MINIMUM:
        raise PlatformError(
            f"cryptography {version} is too old: version {_MINIMUM}.0 or later is needed on this machine",
            "missing_library",
        )


# Keys


def new_key(key_type: str) -> Any:
    """A private key of one of KEY_TYPES, from the system's random source."""
    family, _dash, size = key_type.partition("-")
    if family == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=int(size))
    if family == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curves: dict[str, Callable[[], Any]] = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}
    return ec.generate_private_key(curves[size]())


def key_to_pem(key: Any, passphrase: Optional[bytes] = None) -> bytes:
    """PKCS#8 (RFC 5958); encrypted if there is a passphrase (PBES2 with AES-256)."""
    protection = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection))


def key_type_of(key: Any) -> str:
    """One of KEY_TYPES, or a description of another kind, for a private or public key."""
    # By its class: isinstance is slow for abstract ones, and this is asked for each certificate.
    kind: Any = type(key)
    family = _family(kind)
    if family == "ecdsa":
        curves = {"secp256r1": "p256", "secp384r1": "p384", "secp521r1": "p521"}
        return f"ecdsa-{curves.get(key.curve.name, key.curve.name)}"
    return f"rsa-{key.key_size}" if family == "rsa" else family


@cache
def _family(kind: Any) -> str:
    if issubclass(kind, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)):
        return "ecdsa"
    if issubclass(kind, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        return "rsa"
    if issubclass(kind, (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey)):
        return "ed25519"
    return str(kind.__name__).strip("_").lower()


def is_encrypted(pem: bytes) -> bool:
    """Whether a key has a passphrase, in PKCS#8 form or in the older one of OpenSSL (RFC 1421)."""
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in pem or b"Proc-Type: 4,ENCRYPTED" in pem


def read_key(pem: bytes, passphrase: Optional[bytes] = None) -> tuple[str, Any]:
    """(GOOD, BAD, ENCRYPTED if a passphrase is missing or WRONG if it is the wrong one; the key).

    A passphrase that the key does not have is no mistake: see `is_encrypted`.
    """
    encrypted = is_encrypted(pem)
    if encrypted and passphrase is None:
        return ENCRYPTED, None
    # OpenSSL's `ecparam -genkey` puts a block of parameters before the key.
    start = next((found.start() for found in _BEGIN.finditer(pem) if found.group(1).endswith(b"PRIVATE KEY")), 0)
    try:
        return GOOD, serialization.load_pem_private_key(pem[start:], passphrase if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return WRONG if encrypted else BAD, None


def same_public_key(one: Any, other: Any) -> bool:
    def raw(key: Any) -> bytes:
        return bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))

    return raw(one) == raw(other)


def key_id(public_key: Any) -> bytes:
    """The subject key identifier of a public key."""
    return bytes(x509.SubjectKeyIdentifier.from_public_key(public_key).digest)


# Reading certificates


def read_certificate(pem: bytes) -> Any:
    """The one certificate of a PEM file; ValueError with the line of what is wrong."""
    if pem.startswith(b"-----BEGIN CERTIFICATE-----\n") and pem.count(b"-----BEGIN ") == 1:
        try:
            return x509.load_pem_x509_certificate(pem)
        except ValueError:
            raise ValueError("line 1: the certificate cannot be decoded") from None
    blocks = [(found.group(1), pem.count(b"\n", 0, found.start()) + 1) for found in _BEGIN.finditer(pem)]
    certificates = [line for label, line in blocks if label == b"CERTIFICATE"]
    if len(certificates) != 1:
        line = certificates[1] if certificates else 1
        raise ValueError(f"line {line}: has {len(certificates)} certificates in PEM form where one should be")
    others = [(label, line) for label, line in blocks if label != b"CERTIFICATE"]
    if others:
        label, line = others[0]
        raise ValueError(f"line {line}: has a block {label.decode('ascii')!r} where only a certificate should be")
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise ValueError(f"line {certificates[0]}: the certificate cannot be decoded") from None


@lru_cache(maxsize=64)
def to_pem(certificate: Any) -> bytes:
    """Cached, as an authority's certificate goes into the files of all that it issues."""
    return bytes(certificate.public_bytes(serialization.Encoding.PEM))


def to_der(certificate: Any) -> bytes:
    return bytes(certificate.public_bytes(serialization.Encoding.DER))


def from_der(content: bytes) -> Any:
    return x509.load_der_x509_certificate(content)


def fingerprint(certificate: Any) -> str:
    """sha256 of the DER form, in hexadecimal."""
    return bytes(certificate.fingerprint(hashes.SHA256())).hex()


@cache
def _attributes_by_number() -> dict[str, str]:
    return {oid.dotted_string: attribute for attribute, oid in _attributes().items()}


def name_of(name: Any) -> tuple[tuple[str, str], ...]:
    """A distinguished name as (attribute, value); what we do not know has its number as attribute."""
    known = _attributes_by_number()
    return tuple((known.get(item.oid.dotted_string, item.oid.dotted_string), str(item.value)) for item in name)


def identifiers(certificate: Any) -> tuple[Optional[bytes], Optional[bytes]]:
    """(subject key identifier, the issuer's key identifier), None where the certificate has none."""
    own = issuers = None
    for extension in certificate.extensions:
        if extension.oid.dotted_string == "2.5.29.14":
            own = extension.value.digest
        elif extension.oid.dotted_string == "2.5.29.35":
            issuers = extension.value.key_identifier
    return own, issuers


def is_signed_by(certificate: Any, issuer: Any) -> bool:
    """Whether the issuer's key made the signature."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


# Making certificates


def distinguished_name(subject: tuple[tuple[str, str], ...]) -> Any:
    attributes = _attributes()
    return x509.Name([x509.NameAttribute(attributes[attribute], value) for attribute, value in subject])


def hash_for(key: Any) -> Any:
    # As strong as the key (NIST SP 800-57, table 3); Ed25519 has its own.
    kind = key_type_of(key)
    sizes = {"ecdsa-p384": hashes.SHA384, "ecdsa-p521": hashes.SHA512}
    return None if kind == "ed25519" else sizes.get(kind, hashes.SHA256)()


def new_serial(taken: Collection[str], draw: Optional[Callable[[], int]] = None) -> int:
    """159 random bits, positive, at most 20 octets (RFC 5280, 4.1.2.2), and none of the serials in hexadecimal."""
    draw = draw or x509.random_serial_number
    while True:
        serial = draw()
        # CA/Browser Forum BR, 7.1: at least 64 bits. One in 2^95 would be as short.
        if serial.bit_length() > 64 and f"{serial:x}" not in taken:
            return serial


@dataclass(frozen=True)
class Signer:
    """Who signs. name: its distinguished name, of `cryptography`. crl_url: of its revocation list; may be empty."""

    name: Any
    key: Any
    key_id: bytes
    crl_url: str = ""


def issue(
    request: Request, public_key: Any, own: bytes, signer: Signer, validity: tuple[datetime, datetime], serial: int
) -> Any:
    """A certificate for a public key. own: its `key_id`. validity: notBefore, notAfter."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(distinguished_name(request.subject))
        .issuer_name(signer.name)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
        .add_extension(x509.SubjectKeyIdentifier(own), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(signer.key_id, None, None), critical=False)
    )
    if signer.crl_url:
        places = [x509.DistributionPoint([x509.UniformResourceIdentifier(signer.crl_url)], None, None, None)]
        builder = builder.add_extension(x509.CRLDistributionPoints(places), critical=False)
    for extension, critical in extensions(request):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer.key, hash_for(signer.key))


def extensions(request: Request) -> list[tuple[Any, bool]]:
    """(extension, whether it is critical) for all that the request itself says."""
    found = list(_usual(request.is_authority, request.path_length, key_usage(request), extended_key_usage(request)))
    names = [
        *(x509.DNSName(name) for name in request.dns),
        *(x509.IPAddress(ipaddress.ip_address(name)) for name in request.ips),
        *(x509.UniformResourceIdentifier(name) for name in request.uris),
        *(x509.RFC822Name(name) for name in request.emails),
    ]
    if names:
        # RFC 5280, 4.2.1.6: critical if there is no subject.
        found.append((x509.SubjectAlternativeName(names), not request.subject))
    if request.constraints is not None:
        sides = ([_subtree(*one) for one in side] or None for side in dataclasses.astuple(request.constraints))
        found.append((x509.NameConstraints(*sides), True))
    for extra in request.extensions:
        oid = x509.ObjectIdentifier(extra.oid)
        found.append((x509.UnrecognizedExtension(oid, bytes.fromhex(extra.value)), extra.critical))
    return found


@cache
def _usual(
    is_authority: bool, path_length: Optional[int], usage: frozenset[str], extended: tuple[str, ...]
) -> tuple[tuple[Any, bool], ...]:
    # The same for thousands of certificates.
    found: list[tuple[Any, bool]] = [
        (x509.BasicConstraints(is_authority, path_length), True),
        (x509.KeyUsage(**{name: name in usage for name in KEY_USAGES}), True),
    ]
    if extended:
        oids = {name: oid for oid, name in extended_usages().items()}
        found.append((x509.ExtendedKeyUsage([oids[name] for name in extended]), False))
    return tuple(found)


def extended_usages() -> dict[Any, str]:
    return {
        ExtendedKeyUsageOID.SERVER_AUTH: "server_auth",
        ExtendedKeyUsageOID.CLIENT_AUTH: "client_auth",
        ExtendedKeyUsageOID.CODE_SIGNING: "code_signing",
    }


def _subtree(kind: str, value: str) -> Any:
    if kind == "ips":
        return x509.IPAddress(ipaddress.ip_network(value))
    kinds: dict[str, Any] = {"dns": x509.DNSName, "uris": x509.UniformResourceIdentifier, "emails": x509.RFC822Name}
    return kinds[kind](value)
