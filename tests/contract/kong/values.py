# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of single values: names, hosts, paths, addresses, certificates. Each gives None, or what is wrong.

What is refused is what Kong's Admin API reference says of a field, as far as a test needs it.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import warnings
from typing import Any, Optional
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

# Recordings hold this in place of a private key, and it belongs to any certificate.
PLACEHOLDER_KEY = "EXAMPLE-PRIVATE-KEY"
# As recorded for the certificate "x".
_NO_CERTIFICATE = (
    "invalid certificate: x509.new: error:680008E:asn1 encoding routines:asn1_d2i_read_bio:"
    "not enough data:crypto/asn1/a_d2i_fp.c:155:"
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"[\w.~-]+")
_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
_HEADER = re.compile(r"[A-Za-z0-9_-]+")


def is_uuid(value: Any) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def tag(value: str) -> Optional[str]:
    return None if value.isprintable() and not set(",/") & set(value) else f"invalid tag '{value}'"


def name(value: str) -> Optional[str]:
    return None if _NAME.fullmatch(value) else f"invalid value '{value}': letters, digits and . - _ ~ only"


def header(value: str) -> Optional[str]:
    return None if _HEADER.fullmatch(value) else f"bad header name '{value}'"


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def host(value: str) -> Optional[str]:
    return None if _HOST.fullmatch(value) or _is_address(value) else f"invalid value: {value}"


def host_name(value: str) -> Optional[str]:
    return "must not be an IP" if _is_address(value) else host(value)


def host_pattern(value: str) -> Optional[str]:
    """A host name that may begin or end with an asterisk."""
    if value.startswith("*.") or value.endswith(".*"):
        value = value[2:] if value.startswith("*.") else value[:-2]
    return host_name(value)


def route_host(value: str) -> Optional[str]:
    """The same with a port, if there is one. Its errors are worded as in `kong/db/schema/typedefs.lua`."""
    if value.count("*") > 1:
        return "invalid wildcard: must have at most one wildcard"
    if "*" in value and not value.startswith("*.") and not value.endswith(".*"):
        return "invalid wildcard: must be placed at leftmost or rightmost label"
    found, _colon, port = value.partition(":")
    return host(found.replace("*", "abc")) if not port or port.isdecimal() else f"invalid value: {value}"


def split_target(value: str) -> Optional[tuple[str, int]]:
    """Host and port of a target, 8000 where it names none; None where it is no target."""
    if _is_address(value):
        return value, 8000
    try:
        parsed = urlsplit(f"//{value}")
        found, port = parsed.hostname, parsed.port
    except ValueError:
        return None
    if not found or host(found) or parsed.path or parsed.query:
        return None
    return found, 8000 if port is None else port


def format_target(value: str) -> str:
    """As it is stored: with a port, IPv6 in brackets."""
    found = split_target(value)
    if found is None:
        return value
    return f"[{found[0]}]:{found[1]}" if ":" in found[0] else f"{found[0]}:{found[1]}"


def target(value: str) -> Optional[str]:
    return None if split_target(value) else f"invalid target '{value}': expected a host with or without a port"


def network(value: str) -> Optional[str]:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return f"invalid ip or cidr range: '{value}'"
    return None


def path(value: str) -> Optional[str]:
    if not value.startswith("/"):
        return "should start with: /"
    return "must not have empty segments" if "//" in value else None


def route_path(value: str) -> Optional[str]:
    """A node compiles regular expressions by PCRE. Python's refuse the same ones, as far as tests go."""
    if not value.startswith(("/", "~/")):
        return "should start with: / (fixed path) or ~/ (regex path)"
    if value.startswith("~"):
        try:
            re.compile(value[1:])
        except re.error as error:
            return f"invalid regex: '{value[1:]}' (PCRE returned: {error})"
    return None


def url(value: str) -> Optional[str]:
    parsed = urlsplit(value)
    return None if parsed.scheme and parsed.hostname else f"expected a URL, not '{value}'"


# -- certificates -----------------------------------------------------------------------------------------------------


def load_certificate(pem: str) -> Optional[x509.Certificate]:
    try:
        with warnings.catch_warnings():
            # What is deprecated in somebody's certificate is not for the node to complain of.
            warnings.simplefilter("ignore")
            return x509.load_pem_x509_certificate(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None


def _load_key(pem: str) -> Optional[PrivateKeyTypes]:
    try:
        return load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


@functools.lru_cache(maxsize=1024)
def certificate(value: str) -> Optional[str]:
    return None if load_certificate(value) else _NO_CERTIFICATE


def private_key(value: str) -> Optional[str]:
    return None if value == PLACEHOLDER_KEY or _load_key(value) else "invalid key"


def public_key(value: str) -> Optional[str]:
    try:
        load_pem_public_key(value.encode())
    except (ValueError, UnsupportedAlgorithm):
        return "invalid key"
    return None


@functools.lru_cache(maxsize=1024)
def certificate_digest(value: str) -> str:
    loaded = load_certificate(value)
    return loaded.fingerprint(hashes.SHA256()).hex() if loaded else ""


def is_authority(pem: str) -> bool:
    loaded = load_certificate(pem)
    if loaded is None:
        return False
    try:
        return loaded.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def key_fits(cert: str, key: str) -> bool:
    """Whether they belong together; what cannot be looked into fits."""
    loaded, private = load_certificate(cert), _load_key(key)
    if loaded is None or private is None:
        return True
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return loaded.public_key().public_bytes(*form) == private.public_key().public_bytes(*form)
