# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The upstream authority, made by the module pki's own code, as users have it."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._spire_install.upstream import (
    Authority,
    authority,
    fingerprints,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


class Made:
    """An authority: PEM of its certificate and of its key."""

    def __init__(
        self,
        name: str,
        issuer: Optional[Made] = None,
        *,
        path_length: Optional[int] = None,
        ca: bool = True,
        days: int = 365,
        key: Any = None,
    ) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        signer = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca, path_length), critical=True)
        )
        algorithm = None if isinstance(signer.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        self.certificate = builder.sign(signer.key, algorithm)

    @property
    def pem(self) -> bytes:
        return bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def key_pem(self, password: bytes = b"") -> bytes:
        encryption: Any = serialization.NoEncryption()
        if password:
            encryption = serialization.BestAvailableEncryption(password)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
        return bytes(self.key.private_bytes(*form, encryption))


ROOT = Made("root", path_length=3)
SUB = Made("sub", ROOT, path_length=2)
SPIRE = Made("spire", SUB, path_length=1)


def refused(chain: bytes, key: bytes, roots: bytes, now: datetime = NOW) -> str:
    with pytest.raises(PlatformError) as caught:
        authority(chain, key, roots, now)
    assert caught.value.reason == "bad_authority"
    assert "PRIVATE" not in caught.value.message
    return caught.value.message


def test_a_chain_to_the_root_is_taken_as_it_is() -> None:
    chain = SPIRE.pem + SUB.pem
    assert authority(chain, SPIRE.key_pem(), ROOT.pem, NOW) == Authority(chain, SPIRE.key_pem(), ROOT.pem)


def test_a_root_needs_no_bundle() -> None:
    assert authority(ROOT.pem, ROOT.key_pem(), b"", NOW).roots == ROOT.pem


def test_p24_a_path_length_that_leaves_no_place_for_spires_own_authority() -> None:
    short = Made("short", ROOT, path_length=0)
    assert "the path length of 'CN=short' is 0" in refused(short.pem, short.key_pem(), ROOT.pem)
    low = Made("low", path_length=1)
    below = Made("below", low, path_length=5)
    message = refused(below.pem, below.key_pem(), low.pem)
    assert message.startswith("upstream_authority.bundle_file: the path length of 'CN=low' is 1")


def test_p01_p02_outside_of_its_validity() -> None:
    assert "only" in refused(ROOT.pem, ROOT.key_pem(), b"", NOW + timedelta(days=366))
    assert "only" in refused(ROOT.pem, ROOT.key_pem(), b"", NOW - timedelta(days=2))
    old = Made("old root", days=10)
    young = Made("young", old)
    assert "'CN=old root'" in refused(young.pem, young.key_pem(), old.pem, NOW + timedelta(days=20))


def test_p03_the_key_of_another() -> None:
    assert "is not the key" in refused(SPIRE.pem, SUB.key_pem(), ROOT.pem)


def test_p07_a_key_with_a_passphrase() -> None:
    assert "passphrase" in refused(ROOT.pem, ROOT.key_pem(b"secret"), b"")


def test_p22_a_kind_of_key_that_spire_does_not_take() -> None:
    edwards = Made("edwards", key=ed25519.Ed25519PrivateKey.generate())
    assert "EC and RSA" in refused(edwards.pem, edwards.key_pem(), b"")


def test_p26_a_certificate_that_is_no_authoritys() -> None:
    leaf = Made("leaf", ROOT, ca=False)
    assert "'CN=leaf' is not of an authority" in refused(leaf.pem, leaf.key_pem(), ROOT.pem)


# The ids are given, as ROOT is another one in each process.
@pytest.mark.parametrize("pem", [b"", b"garbage", ROOT.pem[:100]], ids=["empty", "garbage", "cut"])
def test_p35_files_that_hold_something_else(pem: bytes) -> None:
    assert "cert_file: holds no certificates" in refused(pem, ROOT.key_pem(), ROOT.pem)
    assert "key_file: holds no private key" in refused(ROOT.pem, pem, ROOT.pem)
    if pem:
        assert "bundle_file: holds no certificates" in refused(ROOT.pem, ROOT.key_pem(), pem)


def test_p36_a_chain_out_of_order_or_without_its_root() -> None:
    assert "bundle_file: needs the certificate of the root" in refused(SPIRE.pem, SPIRE.key_pem(), ROOT.pem)
    assert "not in order" in refused(SPIRE.pem + ROOT.pem, SPIRE.key_pem(), ROOT.pem)
    assert "bundle_file: needs" in refused(SPIRE.pem + SUB.pem, SPIRE.key_pem(), Made("root", path_length=3).pem)


def test_fingerprints_are_those_that_openssl_says(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(ROOT.pem)
    command = ["openssl", "x509", "-in", str(file), "-noout", "-fingerprint", "-sha1"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    expected = said.partition("=")[2].strip().replace(":", "").lower()
    assert fingerprints("hosts.node_ca_file", ROOT.pem + SUB.pem)[0] == expected
