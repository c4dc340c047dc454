# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signing requests (PKCS#10, RFC 2986): what an issuer outside of the tree is given."""

from __future__ import annotations

import ipaddress
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Request

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
except ImportError:  # pragma: no cover - the module says that cryptography is missing before anything is read
    pass


def signing_request(request: Request, key: Any) -> bytes:
    """All that the request says, in PEM form."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(crypto.distinguished_name(request.subject))
    for extension, critical in crypto.extensions(request):
        builder = builder.add_extension(extension, critical=critical)
    return bytes(builder.sign(key, crypto.hash_for(key)).public_bytes(serialization.Encoding.PEM))


def names_request(request: Request, key: Any) -> bytes:
    """Its names alone, as ACME servers look at nothing else (RFC 8555, 7.4), in PEM form."""
    names = [
        *(x509.DNSName(name) for name in request.dns),
        *(x509.IPAddress(ipaddress.ip_address(name)) for name in request.ips),
    ]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return bytes(builder.sign(key, crypto.hash_for(key)).public_bytes(serialization.Encoding.PEM))


def is_for(pem: bytes, request: Request, public_key: Any) -> bool:
    """Whether a signing request asks for what a request says, with a certain key."""
    try:
        found = x509.load_pem_x509_csr(pem)
        extensions = [(extension.value, extension.critical) for extension in found.extensions]
    except ValueError:
        return False
    return (
        crypto.same_public_key(found.public_key(), public_key)
        and found.subject == crypto.distinguished_name(request.subject)
        and extensions == crypto.extensions(request)
    )
