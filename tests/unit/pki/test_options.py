# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What else may be declared: keys on renewal, backdating, extensions, code signing, imported authorities, limits."""

from __future__ import annotations

import base64
import subprocess
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.tree import records_of
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.unit.pki.trees import DAY, api, data, reasons, refused


def text_of(pki, name="api/cert.pem") -> str:
    command = ["openssl", "x509", "-in", str(pki.path(name)), "-noout", "-text"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# Keys


@pytest.mark.parametrize(("policy", "kept"), [(None, True), ("never", True), ("always", False)])
def test_a_renewed_certificate_keeps_its_key_or_gets_a_new_one(pki, policy, kept):
    declared = data(api(rotation_policy=policy))
    pki.run(declared)
    key = pki.path("api/key.pem").read_bytes()
    assert not pki.run(declared).plan.changed
    pki.now += 340 * DAY
    assert reasons(pki.run(declared)) == {"api": ("renewal_window",)}
    assert (pki.path("api/key.pem").read_bytes() == key) is kept
    assert pki.is_pair("api")


def test_another_rotation_policy_is_no_reason_by_itself(pki):
    pki.run(data())
    assert not pki.run(data(api(rotation_policy="always"))).plan.changed
    assert refused(pki, data(api(rotation_policy="sometimes"))).reason == "bad_rotation_policy"


# Time


@pytest.mark.parametrize(("backdate", "seconds"), [("0s", 0), ("0", 0), ("1h", 3600), (None, 300)])
def test_how_far_a_certificate_is_backdated(pki, backdate, seconds):
    declared = data(api(backdate=backdate), backdate="2h")
    declared["authorities"][1]["backdate"] = "2h"
    pki.run(declared)
    assert pki.certificate("api/cert.pem").not_valid_before_utc == pki.now - timedelta(seconds=seconds)
    assert pki.certificate("api/cert.pem").not_valid_after_utc == pki.now + 365 * DAY
    assert not pki.run(declared).plan.changed


def test_a_certificate_is_not_backdated_behind_its_issuer(pki):
    pki.run(data(api(backdate="1d")))
    issuing = pki.certificate("authorities/issuing/cert.pem")
    assert pki.certificate("api/cert.pem").not_valid_before_utc == issuing.not_valid_before_utc
    assert not pki.run(data(api(backdate="1d"))).plan.changed


@pytest.mark.parametrize("backdate", ["-1s", "x", 300, "1"])
def test_a_backdate_that_is_none(pki, backdate):
    assert refused(pki, data(api(backdate=backdate))).reason in ("bad_backdate", "bad_type")


# Extensions

MUST_STAPLE = {"oid": "1.3.6.1.5.5.7.1.24", "value": base64.b64encode(bytes.fromhex("3003020105")).decode()}
POLICY = {"oid": "2.5.29.32", "critical": True, "value": base64.b64encode(bytes.fromhex("3006300406022a03")).decode()}


def test_extensions_of_any_kind(pki):
    declared = data(api(extensions=[MUST_STAPLE, POLICY]))
    pki.run(declared)
    text = text_of(pki)
    assert "TLS Feature" in text
    assert "status_request" in text
    assert "X509v3 Certificate Policies: critical" in text
    assert "Policy: 1.2.3" in text
    assert not pki.run(data(api(extensions=[POLICY, MUST_STAPLE]))).plan.changed
    assert reasons(pki.run(data(api(extensions=[MUST_STAPLE])))) == {"api": ("extensions_changed",)}
    uncritical = data(api(extensions=[{**MUST_STAPLE, "critical": True}]))
    assert reasons(pki.run(uncritical)) == {"api": ("extensions_changed",)}


@pytest.mark.parametrize(
    ("extension", "code"),
    [
        ({"oid": "1.2.3"}, "missing"),
        ({"value": "BQA="}, "missing"),
        ({"oid": "1.2.x", "value": "BQA="}, "bad_oid"),
        ({"oid": "1.2.03", "value": "BQA="}, "bad_oid"),
        ({"oid": "2.5.29.17", "value": "BQA="}, "bad_oid"),
        ({"oid": "1.2.3", "value": "!"}, "bad_value"),
        ({"oid": "1.2.3", "value": "BQE="}, "bad_value"),
        ({"oid": "1.2.3", "value": "BQAA"}, "bad_value"),
        ({"oid": "1.2.3", "value": "MIAAAA=="}, "bad_value"),
        ({"oid": "1.2.3", "value": "BQA=", "critical": "yes"}, "bad_type"),
        ({"oid": "1.2.3", "value": "BQA=", "name": "x"}, "unknown_key"),
    ],
)
def test_extensions_that_are_none(pki, extension, code):
    assert refused(pki, data(api(extensions=[extension]))).reason == code


def test_an_extension_is_there_once(pki):
    assert refused(pki, data(api(extensions=[MUST_STAPLE, MUST_STAPLE]))).reason == "bad_oid"


# Code signing


def test_a_certificate_that_signs_code(pki):
    signer = {"name": "release", "issuer": "issuing", "profile": "code_signing", "common_name": "Example Releases"}
    pki.run(data(signer))
    text = text_of(pki, "release/cert.pem")
    assert "Code Signing" in text
    assert "TLS Web" not in text
    assert not pki.run(data(signer)).plan.changed
    assert refused(pki, data({**signer, "common_name": None})).reason == "no_names"


# Authorities of others


def put_authority(pki, key=None, *, path_length=None, not_after=None):
    """An authority that somebody made with another tool, in ways of its own, where ours should lie."""
    key = key or crypto.new_key("ecdsa-p384")
    name = x509.Name(
        [
            x509.NameAttribute(x509.oid.NameOID.DOMAIN_COMPONENT, "zt"),
            x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "Corporate Root"),
            x509.NameAttribute(x509.oid.NameOID.EMAIL_ADDRESS, "ca@zt"),
        ]
    )
    until = not_after or pki.now + 3000 * DAY
    builder = x509.CertificateBuilder(name, name, key.public_key(), 5, pki.now - DAY, until)
    builder = builder.add_extension(x509.BasicConstraints(True, path_length), critical=True)
    usage = dict.fromkeys(
        ["content_commitment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"], False
    )
    usage.update(digital_signature=True, key_encipherment=True, key_cert_sign=True, crl_sign=True)
    builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier(b"of its own"), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    place = pki.path("authorities/root")
    place.mkdir(parents=True, exist_ok=True)
    (place / "cert.pem").write_bytes(crypto.to_pem(certificate))
    (place / "key.pem").write_bytes(crypto.key_to_pem(key))
    (place / "key.pem").chmod(0o600)
    return certificate


def test_an_imported_authority_is_taken_as_it_is(pki):
    certificate = put_authority(pki)
    declared = data(imported=True)
    assert reasons(pki.run(declared, adopt=True))["root"] == ("adopted",)
    assert pki.certificate("authorities/root/cert.pem") == certificate
    issuing = pki.certificate("authorities/issuing/cert.pem")
    issuing.verify_directly_issued_by(certificate)
    assert crypto.identifiers(issuing)[1] == b"of its own"
    command = ["openssl", "verify", "-no_check_time", "-CAfile", pki.path("api/ca-cert.pem"), "-untrusted"]
    subprocess.run([*map(str, command), pki.path("api/fullchain.pem"), pki.path("api/cert.pem")], check=True)
    assert not pki.run(declared).plan.changed


def test_p23_what_an_imported_authority_issues_does_not_outlive_it(pki):
    put_authority(pki)
    declared = {"authorities": [{"name": "root", "imported": True}], "certificates": [api(issuer="root")]}
    pki.run(declared, adopt=True)
    pki.now += 2700 * DAY
    assert refused(pki, declared).reason == "outlives_issuer"
    pki.now += 300 * DAY
    assert refused(pki, declared).reason == "ca_expired"


def test_p41_an_imported_authority_without_an_end(pki):
    """RFC 5280, 4.1.2.5: 99991231235959Z says that there is none."""
    put_authority(pki, not_after=datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc))
    declared = {"authorities": [{"name": "root", "imported": True, "crl": {}}], "certificates": [api(issuer="root")]}
    plan = pki.run(declared, adopt=True)
    (root,) = (record for record in records_of(plan) if record["name"] == "root")
    assert root["not_after"] == "9999-12-31T23:59:59Z"
    assert pki.certificate("api/cert.pem").not_valid_after_utc == pki.now + 365 * DAY
    assert not pki.run(declared).plan.changed


def test_an_imported_authority_is_never_made(pki):
    error = refused(pki, data(imported=True))
    assert error.reason == "ca_imported"
    assert "put its certificate and its key where files says" in error.message


def test_p24_the_path_length_of_an_imported_authority_holds(pki):
    put_authority(pki, path_length=0)
    assert refused(pki, data(imported=True), adopt=True).reason == "path_length"


@pytest.mark.parametrize(("bits", "exponent"), [(1024, 65537), (2048, 3)])
def test_p21_a_weak_imported_authority_is_refused(pki, bits, exponent):
    put_authority(pki, rsa.generate_private_key(public_exponent=exponent, key_size=bits))
    error = refused(pki, data(imported=True), adopt=True)
    assert error.reason == "ca_weak"
    assert str(bits if exponent == 65537 else exponent) in error.message


# Limits


def many(count, **options):
    return data(*(api(name=f"c{number}", **options) for number in range(count)))


def test_a_declaration_that_changes_too_much_at_once_is_refused(pki):
    pki.run(many(20))
    changed = many(20)
    for certificate in changed["certificates"][:7]:
        certificate["dns"] = ["other.zt"]
    error = refused(pki, changed)
    assert error.reason == "limit_exceeded"
    assert "update 7 of 22 objects" in error.message
    assert "limits.update to 32" in error.message
    assert len(error.details) == 7
    assert pki.run(changed, limits=Limits(update=32)).plan.counts["update"] == 7


def test_few_certificates_have_no_limit(pki):
    pki.run(many(7))
    assert pki.run(many(7, dns=["other.zt"])).plan.counts["update"] == 7


def test_what_time_or_an_accident_brings_about_has_no_limit(pki):
    pki.run(many(20))
    pki.now += 340 * DAY
    assert pki.run(many(20)).plan.counts["update"] == 20
    for number in range(20):
        pki.path(f"c{number}/cert.pem").write_bytes(b"")
    assert pki.run(many(20)).plan.counts["update"] == 20
    declared = many(20)
    declared["authorities"][1]["generation"] = 2
    assert pki.run(declared).plan.counts["update"] == 21


def test_another_issuer_for_all_is_refused(pki):
    pki.run(many(20))
    assert refused(pki, many(20, issuer="root")).reason == "limit_exceeded"


def test_a_purge_of_too_much_is_refused(pki):
    pki.run(many(20))
    error = refused(pki, many(10), purge=True)
    assert error.reason == "limit_exceeded"
    assert pki.run(many(10), purge=True, limits=Limits(delete=50)).plan.counts["delete"] == 40


# What is no longer declared


def test_what_is_no_longer_declared_is_archived(pki):
    pki.run(data(api(), api(name="web")))
    before = {name: content for name, content in pki.contents().items() if name.startswith("web/")}
    plan = pki.run(data(), purge=True, archive="retired")
    assert set(reasons(plan).values()) == {("not_declared", "archived")}
    assert not pki.path("web").exists()
    moved = {name.split("/", 2)[2]: content for name, content in pki.contents().items() if "retired" in name}
    assert moved == before
    (key,) = pki.path("retired").rglob("key.pem")
    assert key.stat().st_mode & 0o777 == 0o600
    again = pki.run(data(), purge=True, archive="retired").plan
    assert (again.changed, again.foreign) == (False, ())


def test_an_archive_lies_in_the_tree(pki):
    pki.run(data())
    assert refused(pki, data(), purge=True, archive="../x").reason == "bad_path"
