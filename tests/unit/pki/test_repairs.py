# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody did to the files of a tree: mended, or refused where only a person can decide."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import apply_tree, plan_tree
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.unit.pki.trees import DAY, api, data, reasons, refused


def test_p04_a_key_that_is_not_the_certificates_is_kept(pki):
    pki.run(data())
    pki.path("api/key.pem").write_bytes(crypto.key_to_pem(crypto.new_key("ecdsa-p256")))
    key = pki.path("api/key.pem").read_bytes()
    assert reasons(pki.run(data())) == {"api": ("key_mismatch",)}
    assert pki.path("api/key.pem").read_bytes() == key
    assert pki.is_pair("api")
    assert not pki.run(data()).plan.changed


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("cert.pem", None, "missing"),
        ("cert.pem", b"", "bad_certificate"),
        ("cert.pem", b"garbage", "bad_certificate"),
        ("key.pem", None, "key_missing"),
        ("key.pem", b"garbage", "bad_key"),
        ("fullchain.pem", None, "fullchain_missing"),
        ("fullchain.pem", b"edited", "fullchain_changed"),
        ("ca-cert.pem", b"edited", "ca_changed"),
    ],
)
def test_a_lost_or_broken_file_is_repaired(pki, name, content, reason):
    pki.run(data())
    if content is None:
        pki.path(f"api/{name}").unlink()
    else:
        pki.path(f"api/{name}").write_bytes(content)
    assert reasons(pki.run(data()))["api"][0] == reason
    assert pki.is_pair("api")
    assert not pki.run(data()).plan.changed


def test_both_files_lost(pki):
    pki.run(data())
    for path in (pki.path("api/cert.pem"), pki.path("api/key.pem")):
        path.unlink()
    assert [(change.action, change.reasons[0]) for change in pki.run(data()).plan.changes] == [("create", "missing")]
    assert pki.is_pair("api")


def test_a_forged_certificate_is_seen(pki):
    """Issuer and key identifiers are right, and the signature is not."""
    pki.run(data())
    genuine = pki.certificate("api/cert.pem")
    builder = x509.CertificateBuilder(
        genuine.issuer,
        genuine.subject,
        genuine.public_key(),
        genuine.serial_number,
        genuine.not_valid_before_utc,
        genuine.not_valid_after_utc,
        list(genuine.extensions),
    )
    pki.path("api/cert.pem").write_bytes(crypto.to_pem(builder.sign(crypto.new_key("ecdsa-p256"), hashes.SHA256())))
    assert reasons(pki.run(data()))["api"] == ("issuer_changed",)


def test_p37_a_key_that_others_could_read_is_fixed_and_reported(pki):
    pki.run(data())
    for name in ("api", "authorities/root"):
        pki.path(f"{name}/key.pem").chmod(0o644)
    planned = pki.plan(data())
    assert reasons(planned) == {"api": ("key_mode",), "root": ("key_mode",)}
    assert ["(0644)" in warning for warning in planned.warnings] == [True, True]
    assert reasons(pki.run(data())) == reasons(planned)
    for name in ("api", "authorities/root"):
        assert stat.S_IMODE(pki.path(f"{name}/key.pem").stat().st_mode) == 0o600
    assert not pki.run(data()).plan.changed


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_p37_a_key_of_somebody_else_is_taken_back(pki):
    pki.run(data())
    os.chown(pki.path("api/key.pem"), 12345, 12345)
    assert reasons(pki.run(data())) == {"api": ("key_owner",)}
    assert pki.path("api/key.pem").stat().st_uid == 0
    assert not pki.run(data()).plan.changed


def foreign(path: Path, kind: str) -> None:
    path.unlink()
    if kind == "symlink":
        path.symlink_to("/etc/hostname")
    elif kind == "is_directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))


@pytest.mark.parametrize("file", ["key.pem", "cert.pem", "fullchain.pem"])
@pytest.mark.parametrize("kind", ["symlink", "is_directory", "fifo", "socket"])
def test_p09_p11_p12_what_is_no_file_is_refused_by_name(pki, file, kind):
    pki.run(data())
    foreign(pki.path(f"api/{file}"), kind)
    error = refused(pki, data())
    assert error.reason == (kind if kind in ("symlink", "is_directory") else "special_file")
    assert str(pki.path(f"api/{file}")) in error.message
    assert "'api'" in error.message


def test_p13_a_hard_linked_key_is_refused(pki):
    pki.run(data())
    (pki.root.parent / "copy").hardlink_to(pki.path("api/key.pem"))
    assert refused(pki, data()).reason == "hard_link"


def test_files_of_somebody_else_are_refused_or_adopted(pki):
    pki.run(data())
    pki.path(".zerotrust-manifest.json").unlink()
    error = refused(pki, data())
    assert error.reason == "foreign_file"
    assert len(error.details) == 8
    before = {name: text for name, text in pki.contents().items() if name.endswith(".pem")}
    plan = pki.run(data(), adopt=True)
    assert reasons(plan) == {"root": ("adopted",), "issuing": ("adopted",), "api": ("adopted",)}
    assert {name: text for name, text in pki.contents().items() if name.endswith(".pem")} == before
    assert not pki.run(data()).plan.changed


def test_t25_a_directory_of_another_owner_is_refused(pki):
    apply_tree(plan_tree(str(pki.root), {"x": b""}, "somebody"))
    assert refused(pki, data()).reason == "foreign_owner"


# Authorities


def test_p01_an_expired_authority_is_not_replaced(pki):
    pki.run(data())
    pki.now += 1000 * DAY
    error = refused(pki, data())
    assert error.reason == "ca_expired"
    assert "2028-11-25T12:00:00Z" in error.message
    # What the message says to do helps, and the key stays.
    key = pki.path("authorities/issuing/key.pem").read_bytes()
    pki.path("authorities/issuing/cert.pem").unlink()
    assert reasons(pki.run(data()))["issuing"] == ("missing",)
    assert pki.path("authorities/issuing/key.pem").read_bytes() == key


def test_p03_an_authoritys_key_that_is_not_its_certificates(pki):
    pki.run(data())
    pki.path("authorities/root/key.pem").write_bytes(crypto.key_to_pem(crypto.new_key("ecdsa-p256")))
    assert refused(pki, data(api(dns=["new.zt"]))).reason == "ca_key_mismatch"


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [("key.pem", b"x", "ca_bad_pem"), ("cert.pem", b"x", "ca_bad_pem"), ("key.pem", None, "ca_key_missing")],
)
def test_a_broken_authority_is_not_replaced(pki, file, content, reason):
    pki.run(data())
    path = pki.path(f"authorities/issuing/{file}")
    path.unlink() if content is None else path.write_bytes(content)
    error = refused(pki, data())
    assert error.reason == reason
    assert "'issuing'" in error.message


def imported(pki, key, *, ca=True, sign=True, algorithm=None):
    """A root that somebody else made lies where ours should."""
    pki.run({"authorities": [{"name": "root"}]})
    public = key.public_key()
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "root")])
    others = "digital_signature content_commitment key_encipherment data_encipherment key_agreement encipher_only"
    flags = dict.fromkeys([*others.split(), "decipher_only"], False)
    builder = x509.CertificateBuilder(name, name, public, 5, pki.now - DAY, pki.now + 3649 * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    builder = builder.add_extension(x509.KeyUsage(key_cert_sign=sign, crl_sign=True, **flags), critical=True)
    certificate = builder.sign(key, algorithm or hashes.SHA256())
    pki.path("authorities/root/cert.pem").write_bytes(crypto.to_pem(certificate))
    pki.path("authorities/root/key.pem").write_bytes(crypto.key_to_pem(key))


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"ca": False}, "ca_not_a_ca"), ({"sign": False}, "ca_cannot_sign")],
)
def test_p26_p27_a_certificate_that_may_not_sign(pki, options, reason):
    imported(pki, crypto.new_key("ecdsa-p256"), **options)
    assert refused(pki, data()).reason == reason


def test_p21_a_weak_authority_is_refused(pki):
    imported(pki, rsa.generate_private_key(public_exponent=65537, key_size=1024))
    error = refused(pki, data())
    assert error.reason == "ca_weak"
    assert "1024" in error.message


def test_p23_nothing_outlives_its_issuer(pki):
    declared = {
        "authorities": [{"name": "root", "valid_for": "100d", "renew_before": "1d"}],
        "certificates": [{"name": "api", "issuer": "root", "dns": ["a.zt"], "valid_for": "60d", "renew_before": "1d"}],
    }
    pki.run(declared)
    pki.now += 59 * DAY
    error = refused(pki, declared)
    assert error.reason == "outlives_issuer"
    assert "2026-06-28T12:00:00Z" in error.message
    assert "2026-06-09T12:00:00Z" in error.message
