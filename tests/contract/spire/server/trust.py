# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trust bundles: SPIFFE's format and PEM in; the API's form, PEM and SPIFFE's format out."""

from __future__ import annotations

import base64
import json
import textwrap
from collections.abc import Mapping
from typing import Any

# The library is loaded where it is needed: most commands are not about bundles, and it costs more than they do.
from tests.contract.spire.server.goflags import failure

_NO_BUNDLE = "unable to parse to spiffe bundle: spiffebundle: unable to parse JWKS:"
#: SPIRE's own names of elliptic curves, and OpenSSL's.
_CURVES: Mapping[str, str] = {"P-256": "secp256r1", "P-384": "secp384r1"}


def read(text: bytes, form: str, domain: str) -> dict[str, Any]:
    bundle: dict[str, Any] = {
        "jwt_authorities": [],
        "refresh_hint": "0",
        "sequence_number": "0",
        "trust_domain": domain,
        "wit_authorities": [],
        "x509_authorities": [],
    }
    if form == "pem":
        certificates = _pem(text)
        bundle["x509_authorities"] = [_authority(certificate) for certificate in certificates]
        return bundle
    try:
        found = json.loads(text)
    except ValueError:
        raise failure(
            "unable to parse to spiffe bundle: spiffebundle: unable to parse JWKS: unexpected end of JSON input"
        ) from None
    bundle["refresh_hint"] = str(found.get("spiffe_refresh_hint", 0))
    bundle["sequence_number"] = str(found.get("spiffe_sequence", 0))
    for key in found["keys"]:
        if key["use"] == "x509-svid":
            bundle["x509_authorities"].append({"asn1": key["x5c"][0], "tainted": False})
        else:
            public = {"expires_at": "0", "key_id": key["kid"], "public_key": _spki(key), "tainted": False}
            bundle["jwt_authorities"].append(public)
    return bundle


def _pem(text: bytes) -> list[Any]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError:
        raise failure("unable to parse bundle data: no PEM blocks") from None


def _authority(certificate: Any) -> dict[str, Any]:
    from cryptography.hazmat.primitives.serialization import Encoding

    return {"asn1": base64.b64encode(certificate.public_bytes(Encoding.DER)).decode(), "tainted": False}


def _spki(key: Mapping[str, str]) -> str:
    """Of an elliptic key, as that is what SPIRE makes."""
    if key.get("crv") not in _CURVES:
        why = f"go-jose/go-jose: unsupported elliptic curve '{key.get('crv', '')}'"
        raise failure(f"{_NO_BUNDLE} {why}")
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    x, y = (int.from_bytes(_b64(key[name]), "big") for name in ("x", "y"))
    curve = ec.SECP256R1() if key["crv"] == "P-256" else ec.SECP384R1()
    public = ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def pem(bundle: Mapping[str, Any]) -> str:
    return "".join(
        "-----BEGIN CERTIFICATE-----\n" + "\n".join(textwrap.wrap(one["asn1"], 64)) + "\n-----END CERTIFICATE-----\n"
        for one in bundle["x509_authorities"]
    )


def document(bundle: Mapping[str, Any]) -> str:
    """In SPIFFE's format."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    keys: list[dict[str, Any]] = []
    for one in bundle["x509_authorities"]:
        certificate = x509.load_der_x509_certificate(base64.b64decode(one["asn1"]))
        keys.append({"use": "x509-svid", **_jwk(certificate.public_key(), {}), "x5c": [one["asn1"]]})
    for one in bundle["jwt_authorities"]:
        public = load_der_public_key(base64.b64decode(one["public_key"]))
        keys.append({"use": "jwt-svid", **_jwk(public, {"kid": one["key_id"]})})
    # Of no keys, Go makes null.
    made: dict[str, Any] = {"keys": keys or None}
    for name, key in (("spiffe_sequence", "sequence_number"), ("spiffe_refresh_hint", "refresh_hint")):
        if int(bundle[key]):
            made[name] = int(bundle[key])
    return json.dumps(made, indent=4) + "\n"


def _jwk(public: Any, kid: Mapping[str, str]) -> dict[str, str]:
    numbers = public.public_numbers()
    curve = next(name for name, known in _CURVES.items() if known == numbers.curve.name)
    size = (numbers.curve.key_size + 7) // 8
    x, y = (_text(number.to_bytes(size, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", **kid, "crv": curve, "x": x, "y": y}


def _b64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
