# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An authority that is not ours: a signing request goes out, a certificate comes in.

The other side is OpenSSL where its own tool makes the certificate, and `cryptography` where it makes a wrong one.
"""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.unit.pki.conftest import NOW, Pki
from tests.unit.pki.trees import DAY, reasons, refused
from tests.unit.reconcile.faults import Crash, crash_at

USES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


class Company:
    """An authority with a root and an intermediate, in other hands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.root, self.root_key = self._authority("Company Root")
        self.issuing, self.issuing_key = self._authority("Company Issuing", self.root, self.root_key)
        self.ca_file = folder / "root.pem"
        self.ca_file.write_bytes(crypto.to_pem(self.root))

    def _authority(self, name: str, issuer: Any = None, key: Any = None, **options: Any) -> tuple[Any, Any]:
        own = crypto.new_key("ecdsa-p256")
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = self.certify(own.public_key(), subject, issuer, key or own, ca=True, days=3000, **options)
        return certificate, own

    def certify(
        self,
        public_key: Any,
        subject: Any,
        issuer: Any,
        issuer_key: Any,
        *,
        names: Any = None,
        ca: bool = False,
        path_length: Any = None,
        uses: tuple[str, ...] = (),
        begins: Any = NOW - DAY,
        days: int = 200,
        permitted: str = "",
    ) -> Any:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer is not None else subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(begins + days * DAY)
            .add_extension(x509.BasicConstraints(ca, path_length), critical=True)
        )
        if ca:
            bits = dict.fromkeys(
                ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"), False
            )
            bits.update(dict.fromkeys(("key_agreement", "encipher_only", "decipher_only"), False))
            builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **bits), critical=True)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        if permitted:
            constraints = x509.NameConstraints([x509.DNSName(permitted)], None)
            builder = builder.add_extension(constraints, critical=True)
        if uses:
            builder = builder.add_extension(x509.ExtendedKeyUsage([USES[use] for use in uses]), critical=False)
        return builder.sign(issuer_key, hashes.SHA256())

    def answer(self, request: bytes, **options: Any) -> Any:
        """What a signing request asks for, or something else."""
        asked = x509.load_pem_x509_csr(request)
        names = options.pop("names", None)
        if names is None:
            names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uses = options.pop("uses", ("server",))
        key = options.pop("public_key", None) or asked.public_key()
        issuer, issuer_key = options.pop("issuer", (self.issuing, self.issuing_key))
        return self.certify(key, asked.subject, issuer, issuer_key, names=names, uses=uses, **options)


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path / "company")


def declared(company: Company, *certificates: dict[str, Any], **external: Any) -> dict[str, Any]:
    return {
        "authorities": [{"name": "company", "external": {"ca_file": str(company.ca_file), **external}}],
        "certificates": list(certificates) or [api()],
    }


def api(**options: Any) -> dict[str, Any]:
    return {"name": "api", "issuer": "company", "dns": ["api.zt"], **options}


REQUEST = "authorities/company/requests/api.pem"
SIGNED = "authorities/company/signed/api.pem"


def put(pki: Pki, *certificates: Any, path: str = SIGNED) -> None:
    pki.path(path).parent.mkdir(parents=True, exist_ok=True)
    pki.path(path).write_bytes(b"".join(crypto.to_pem(one) for one in certificates))


def issued(pki: Pki, company: Company, data: Any = None) -> Any:
    """The first certificate, in place."""
    data = data or declared(company)
    pki.run(data)
    leaf = company.answer(pki.path(REQUEST).read_bytes())
    put(pki, leaf, company.issuing)
    pki.run(data)
    return leaf


def test_a_request_goes_out_and_waits(pki, company):
    plan = pki.plan(declared(company))
    assert [(change.action, change.kind, change.name) for change in plan.plan.changes] == [("create", "request", "api")]
    pki.run(declared(company))
    text = subprocess.run(
        ["openssl", "req", "-in", pki.path(REQUEST), "-noout", "-verify", "-text"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "DNS:api.zt" in text
    assert "TLS Web Server Authentication" in text
    assert pki.path("authorities/company/keys/api.pem").stat().st_mode & 0o777 == 0o600
    assert not pki.path("api").exists()
    second = pki.run(declared(company))
    assert not second.plan.changed
    assert second.warnings == [
        f"certificate 'api' waits for 'company': send it {pki.path(REQUEST)} and put its answer to {pki.path(SIGNED)}"
    ]
    assert second.plan.foreign == ()


def test_what_openssl_signs_is_taken(pki, company):
    pki.run(declared(company))
    key = company.folder / "issuing.key"
    key.write_bytes(crypto.key_to_pem(company.issuing_key))
    chain = company.folder / "issuing.pem"
    chain.write_bytes(crypto.to_pem(company.issuing))
    extensions = company.folder / "extensions"
    extensions.write_text("subjectAltName=DNS:api.zt\nextendedKeyUsage=serverAuth\n", encoding="utf-8")
    signed = company.folder / "signed.pem"
    command = ["openssl", "x509", "-req", "-in", pki.path(REQUEST), "-CA", chain, "-CAkey", key, "-days", "90"]
    subprocess.run([*command, "-extfile", extensions, "-out", signed], check=True, capture_output=True)
    leaf = crypto.read_certificate(signed.read_bytes())
    pki.now = leaf.not_valid_before_utc
    put(pki, leaf, company.issuing)
    plan = pki.run(declared(company))
    assert reasons(plan) == {"api": ("missing",)}
    assert pki.is_pair("api")
    assert pki.path("api/fullchain.pem").read_bytes() == crypto.to_pem(leaf) + crypto.to_pem(company.issuing)
    assert pki.path("api/ca-cert.pem").read_bytes() == crypto.to_pem(company.root)
    assert not pki.path("authorities/company/keys").exists()
    assert not pki.run(declared(company)).plan.changed


@pytest.mark.parametrize("form", ["der", "p7b", "p7c", "root_too", "reversed"])
def test_the_forms_that_authorities_send(pki, company, form):
    data = declared(company)
    if form == "der":
        company.ca_file.write_bytes(crypto.to_pem(company.root) + crypto.to_pem(company.issuing))
    pki.run(data)
    leaf = company.answer(pki.path(REQUEST).read_bytes())
    place = pki.path(SIGNED).parent
    place.mkdir()
    both = [leaf, company.issuing]
    if form == "der":
        (place / "api.der").write_bytes(leaf.public_bytes(serialization.Encoding.DER))
    elif form == "p7b":
        (place / "api.p7b").write_bytes(pkcs7.serialize_certificates(both, serialization.Encoding.PEM))
    elif form == "p7c":
        (place / "api.p7c").write_bytes(pkcs7.serialize_certificates(both, serialization.Encoding.DER))
    elif form == "root_too":
        put(pki, *both, company.root)
    else:
        put(pki, company.root, company.issuing, leaf)
    pki.run(data)
    assert pki.certificate("api/cert.pem") == leaf
    assert pki.path("api/fullchain.pem").read_bytes() == crypto.to_pem(leaf) + crypto.to_pem(company.issuing)
    assert not pki.run(data).plan.changed


def test_answers_may_lie_elsewhere(pki, company, tmp_path):
    data = declared(company, signed=str(tmp_path / "inbox"))
    pki.run(data)
    (tmp_path / "inbox").mkdir()
    leaf = company.answer(pki.path(REQUEST).read_bytes())
    (tmp_path / "inbox" / "api.crt").write_bytes(crypto.to_pem(leaf) + crypto.to_pem(company.issuing))
    pki.run(data)
    assert pki.is_pair("api")


def test_renewal_asks_with_the_same_key_and_keeps_what_is_in_use(pki, company):
    first = issued(pki, company)
    key, request = pki.path("api/key.pem").read_bytes(), pki.path(REQUEST).read_bytes()
    # A third of the 200 days.
    pki.now = first.not_valid_after_utc - timedelta(seconds=200 * 86_400 // 3 + 1)
    assert not pki.plan(declared(company)).warnings
    pki.now += timedelta(seconds=2)
    plan = pki.run(declared(company))
    assert not plan.plan.changed
    assert plan.warnings
    assert pki.certificate("api/cert.pem") == first
    assert pki.path(REQUEST).read_bytes() == request
    second = company.answer(request, begins=pki.now - DAY)
    put(pki, second, company.issuing)
    assert reasons(pki.run(declared(company))) == {"api": ("renewal_window",)}
    assert pki.certificate("api/cert.pem") == second
    assert pki.path("api/key.pem").read_bytes() == key


def test_another_key_waits_for_its_certificate(pki, company):
    first = issued(pki, company)
    data = declared(company, api(key_type="rsa-2048"))
    assert reasons(pki.run(data)) == {"api": ("key_type_changed",)}
    assert not pki.run(data).plan.changed
    assert pki.certificate("api/cert.pem") == first
    assert pki.is_pair("api")
    put(pki, company.answer(pki.path(REQUEST).read_bytes()), company.issuing)
    pki.run(data)
    assert pki.is_pair("api")
    assert crypto.key_type_of(pki.key("api/key.pem")) == "rsa-2048"
    assert not pki.path("authorities/company/keys").exists()
    assert not pki.run(data).plan.changed


def test_other_names_ask_anew(pki, company):
    issued(pki, company)
    before = pki.path(REQUEST).read_bytes()
    data = declared(company, api(dns=["api.zt", "www.zt"]))
    pki.path(SIGNED).unlink()
    assert reasons(pki.run(data)) == {"api": ("request_changed",)}
    assert pki.path(REQUEST).read_bytes() != before
    put(pki, company.answer(pki.path(REQUEST).read_bytes()), company.issuing)
    assert reasons(pki.run(data)) == {"api": ("dns_changed",)}


@pytest.mark.parametrize(
    ("options", "reason", "words"),
    [
        ({"public_key": crypto.new_key("ecdsa-p256").public_key()}, "key_mismatch", "it is for another key"),
        ({"names": x509.SubjectAlternativeName([x509.DNSName("www.zt")])}, "names_missing", "it is not for api.zt"),
        (
            {"names": x509.SubjectAlternativeName([x509.DNSName("api.zt"), x509.DNSName("*.zt")])},
            "names_not_declared",
            "it is also for *.zt, which is not declared",
        ),
        ({"uses": ("client",)}, "usage_missing", "it cannot be used for server_auth"),
        ({"ca": True}, "profile_changed", "it is an authority's"),
        ({"begins": NOW - 300 * DAY}, "expired", "it expired at 2026-04-20T12:00:00Z"),
        ({"begins": NOW + DAY}, "not_yet_valid", "is this machine's clock right?"),
    ],
)
def test_a_wrong_certificate_is_refused(pki, company, options, reason, words):
    issued(pki, company)
    pki.now += 150 * DAY
    options = dict(options)
    if "begins" in options:
        options["begins"] += 150 * DAY
    else:
        options["begins"] = pki.now - DAY
    put(pki, company.answer(pki.path(REQUEST).read_bytes(), **options), company.issuing)
    error = refused(pki, declared(company))
    assert error.reason == reason
    assert error.message.startswith(f"certificate 'api': {pki.path(SIGNED)} is not what was asked for: ")
    assert words in error.message
    assert pki.is_pair("api")


def refusal(pki: Pki, company: Company, *certificates: Any) -> Any:
    put(pki, *certificates)
    return refused(pki, declared(company))


def test_p36_a_chain_that_does_not_lead_to_the_root_is_refused(pki, company, tmp_path):
    pki.run(declared(company))
    request = pki.path(REQUEST).read_bytes()
    leaf = company.answer(request)
    error = refusal(pki, company, leaf)
    assert error.reason == "chain_incomplete"
    assert "its issuer 'CN=Company Issuing' is neither beside it nor among the trusted ones" in error.message

    stranger = Company(tmp_path / "stranger")
    error = refusal(pki, company, stranger.answer(request), stranger.issuing)
    assert error.reason == "chain_incomplete"
    error = refusal(pki, company, stranger.answer(request), stranger.issuing, stranger.root)
    assert error.reason == "untrusted"
    assert "its root 'CN=Company Root' is not among the trusted ones" in error.message
    # The names are right, and the signature is not.
    assert refusal(pki, company, stranger.answer(request), company.issuing).reason == "chain_incomplete"


def test_p24_p26_authorities_that_may_not_issue_are_refused(pki, company):
    pki.run(declared(company))
    request = pki.path(REQUEST).read_bytes()
    name = company.issuing.subject
    key = company.issuing_key

    def issuing(**options: Any) -> Any:
        return company.certify(key.public_key(), name, company.root, company.root_key, **options)

    leaf = company.answer(request)
    assert refusal(pki, company, leaf, issuing(ca=False)).reason == "ca_cannot_sign"
    assert refusal(pki, company, leaf, issuing(ca=True, days=1, begins=NOW - 2 * DAY)).reason == "expired"
    assert refusal(pki, company, leaf, issuing(ca=True, begins=NOW + DAY)).reason == "not_yet_valid"
    # Of two ways up, one that can be gone is enough.
    put(pki, leaf, issuing(ca=False), company.issuing)
    assert reasons(pki.run(declared(company))) == {"api": ("missing",)}


def test_p24_a_path_that_is_too_long_is_refused(pki, company):
    pki.run(declared(company))
    middle, middle_key = company._authority("Middle", company.root, company.root_key, path_length=0)
    low, low_key = company._authority("Low", middle, middle_key)
    leaf = company.answer(pki.path(REQUEST).read_bytes(), issuer=(low, low_key))
    error = refusal(pki, company, leaf, low, middle)
    assert error.reason == "path_length"
    assert "its issuer 'CN=Middle' allows 0 authorities below it, and there are 1" in error.message


def test_p25_names_that_an_authority_above_may_not_issue_for_are_refused(pki, company):
    pki.run(declared(company))
    middle, middle_key = company._authority("Middle", company.root, company.root_key, permitted="other.zt")
    low, low_key = company._authority("Low", middle, middle_key)
    leaf = company.answer(pki.path(REQUEST).read_bytes(), issuer=(low, low_key))
    error = refusal(pki, company, leaf, low, middle)
    assert error.reason == "name_constraints"
    assert "'api.zt' is in none of other.zt" in error.message
    assert "those of its issuer 'CN=Middle'" in error.message


@pytest.mark.parametrize("content", [b"", b"no certificate\n", b"-----BEGIN CERTIFICATE-----\nAAAA\n", b"\x30\x03abc"])
def test_p35_an_answer_that_is_none_is_refused(pki, company, content):
    pki.run(declared(company))
    pki.path(SIGNED).parent.mkdir()
    pki.path(SIGNED).write_bytes(content)
    error = refused(pki, declared(company))
    assert error.reason == "bad_certificate"
    assert str(pki.path(SIGNED)) in error.message


def test_p12_an_answer_that_is_no_file_is_refused(pki, company):
    pki.run(declared(company))
    pki.path(SIGNED).mkdir(parents=True)
    with pytest.raises(Exception, match="is a directory where a file should be"):
        pki.plan(declared(company))


def test_two_answers_are_refused(pki, company):
    pki.run(declared(company))
    leaf = company.answer(pki.path(REQUEST).read_bytes())
    put(pki, leaf, company.issuing)
    put(pki, leaf, path="authorities/company/signed/api.crt")
    assert refused(pki, declared(company)).reason == "two_answers"


def test_the_roots_have_to_be_there(pki, company):
    issued(pki, company)
    company.ca_file.write_bytes(crypto.to_pem(company.issuing))
    assert reasons(pki.run(declared(company))) == {}
    company.ca_file.write_text("nothing\n", encoding="utf-8")
    assert refused(pki, declared(company)).reason == "bad_ca_file"
    company.ca_file.unlink()
    assert refused(pki, declared(company)).reason == "unreadable_ca_file"


def test_another_root_asks_anew(pki, company, tmp_path):
    issued(pki, company)
    other = Company(tmp_path / "other")
    data = declared(other)
    plan = pki.run(data)
    assert not plan.plan.changed
    assert "waits for 'company'" in plan.warnings[0]
    put(pki, other.answer(pki.path(REQUEST).read_bytes()), other.issuing)
    assert reasons(pki.run(data)) == {"api": ("issuer_changed",)}
    assert pki.path("api/ca-cert.pem").read_bytes() == crypto.to_pem(other.root)


def test_an_intermediate_authority_of_ours_below_their_root(pki, company):
    data = {
        "authorities": [
            {"name": "company", "external": {"ca_file": str(company.ca_file)}},
            {"name": "issuing", "issuer": "company", "path_length": 0},
        ],
        "certificates": [{"name": "api", "issuer": "issuing", "dns": ["api.zt"], "valid_for": "90d"}],
    }
    plan = pki.run(data)
    assert [(change.kind, change.name) for change in plan.plan.changes] == [("request", "issuing")]
    assert plan.warnings[1] == "certificate 'api' waits for its issuer 'issuing', which waits itself"
    assert not pki.run(data).plan.changed
    asked = x509.load_pem_x509_csr(pki.path("authorities/company/requests/issuing.pem").read_bytes())
    # They choose the subject, so what it signs has to name it as it is.
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Company Sub CA 7")])
    intermediate = company.certify(
        asked.public_key(), subject, company.issuing, company.issuing_key, ca=True, days=1000, path_length=0
    )
    put(pki, intermediate, company.issuing, path="authorities/company/signed/issuing.pem")
    assert reasons(pki.run(data)) == {"issuing": ("missing",), "api": ("missing",)}
    assert not pki.run(data).plan.changed
    leaf = pki.certificate("api/cert.pem")
    leaf.verify_directly_issued_by(intermediate)
    chain = [leaf, intermediate, company.issuing]
    assert pki.path("api/fullchain.pem").read_bytes() == b"".join(map(crypto.to_pem, chain))
    assert pki.path("api/ca-cert.pem").read_bytes() == crypto.to_pem(company.root)
    root, full = pki.path("api/ca-cert.pem"), pki.path("api/fullchain.pem")
    at = str(int(NOW.timestamp()))
    command = ["openssl", "verify", "-attime", at, "-CAfile", root, "-untrusted", full, pki.path("api/cert.pem")]
    subprocess.run(command, check=True, capture_output=True)


def test_a_leaf_does_not_outlive_an_authority_that_they_signed(pki, company):
    data = {
        "authorities": [
            {"name": "company", "external": {"ca_file": str(company.ca_file)}},
            {"name": "issuing", "issuer": "company"},
        ],
        "certificates": [{"name": "api", "issuer": "issuing", "dns": ["api.zt"]}],
    }
    pki.run(data)
    asked = x509.load_pem_x509_csr(pki.path("authorities/company/requests/issuing.pem").read_bytes())
    short = company.certify(asked.public_key(), asked.subject, company.root, company.root_key, ca=True, days=100)
    put(pki, short, path="authorities/company/signed/issuing.pem")
    assert refused(pki, data).reason == "outlives_issuer"


def test_p16_a_crash_at_any_call_loses_nothing(pki, company):
    """One run asks, one takes the answer; each may die anywhere."""
    data = declared(company)
    finished = set()
    for number in range(1, 200):
        pki.root = pki.root.parent / str(number)
        try:
            pki.run(data, crash_at(number))
            finished.add("asked")
        except Crash:
            pass
        pki.run(data)
        request = pki.path(REQUEST).read_bytes()
        put(pki, company.answer(request), company.issuing)
        try:
            pki.run(data, crash_at(number))
            finished.add("taken")
        except Crash:
            if pki.path("api/cert.pem").exists():
                assert pki.is_pair("api")
        assert pki.path(REQUEST).read_bytes() == request
        pki.run(data)
        assert pki.is_pair("api")
        assert not pki.run(data).plan.changed
        assert not list(pki.root.rglob("keys/*.pem"))
        if finished == {"asked", "taken"}:
            return
    raise AssertionError("the runs never came to their end")


def test_p16_a_crash_at_any_call_leaves_a_pair_while_the_key_changes(pki, company):
    data = declared(company, api(key_type="ecdsa-p384"))
    for number in range(1, 600, 5):
        pki.root = pki.root.parent / str(number)
        issued(pki, company)
        pki.run(data)
        put(pki, company.answer(pki.path(REQUEST).read_bytes()), company.issuing)
        try:
            pki.run(data, crash_at(number))
        except Crash:
            assert pki.is_pair("api")
        else:
            return
        pki.run(data)
        assert pki.is_pair("api")
        assert crypto.key_type_of(pki.key("api/key.pem")) == "ecdsa-p384"
        assert not pki.run(data).plan.changed
    raise AssertionError("the run never came to its end")


def test_purge_keeps_what_is_waited_for(pki, company):
    data = declared(company)
    pki.run(data, purge=True)
    assert not pki.run(data, purge=True).plan.changed
    assert pki.path("authorities/company/keys/api.pem").exists()
    pki.run(declared(company, api(name="other")), purge=True)
    assert not pki.path("authorities/company/keys/api.pem").exists()
    assert not pki.path(REQUEST).exists()
