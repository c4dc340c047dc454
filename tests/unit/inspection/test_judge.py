# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of certificates that lie in files, by the case."""

from __future__ import annotations

import subprocess
from datetime import datetime, timezone

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._inspection import shown
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.unit.inspection.conftest import DAY, NOW, Folder, make, revocations
from tests.unit.pki.conftest import Pki
from tests.unit.pki.trees import api, data


def names(found):
    return [one.name for one in found.certificates]


def test_a_tree_of_ours_has_no_problems(tmp_path):
    pki = Pki(tmp_path / "pki")
    files = {"certificate": "a/c.pem", "key": "a/k.pem", "fullchain": "a/f.pem", "chain": "a/chain.pem"}
    pki.run(data(api(files=files)))
    found = Folder(pki.root, pki.now).look()
    assert found.problems == ()
    assert names(found) == ["api.zt", "issuing", "root"]
    first, issuing, root = shown.certificates(found)
    assert [path.rpartition("/")[2] for path in first["paths"]] == ["c.pem", "f.pem"]
    assert first["key"] == str(pki.path("a/k.pem"))
    assert (first["days_left"], first["kind"], root["kind"]) == (365, "certificate", "authority")
    assert first["issuer_path"] == str(pki.path("a/chain.pem"))
    assert issuing["key"] == str(pki.path("authorities/issuing/key.pem"))
    assert root["issuer"] == root["subject"] == "CN=root"


def test_a_certificate_is_judged_once_however_many_files_hold_it(folder, root, issuing, leaf):
    folder.write("cert.pem", leaf.certificate)
    folder.write("fullchain.pem", leaf.certificate, issuing.certificate)
    folder.write("ca.pem", root.certificate)
    folder.now += 400 * DAY
    assert [(problem.code, problem.path[-8:]) for problem in folder.look().problems] == [("expired", "cert.pem")]


@pytest.mark.parametrize("seconds", [-1, 0])
def test_p43_a_certificate_expires_to_the_second(folder, leaf, seconds):
    folder.write("c.pem", leaf.certificate)
    folder.now = leaf.certificate.not_valid_after_utc + seconds * (DAY / 86400)
    assert folder.problems() == ({("c.pem", "expired")} if seconds == 0 else set())


def test_p02_a_certificate_of_the_future(folder, leaf):
    folder.write("c.pem", leaf.certificate)
    folder.now -= 2 * DAY
    assert folder.problems() == {("c.pem", "not_yet_valid")}


def test_p21_weak_keys(folder):
    folder.write("rsa.pem", make("a.zt", key=rsa.generate_private_key(65537, 1024)).certificate)
    folder.write("curve.pem", make("b.zt", key=ec.generate_private_key(ec.SECP192R1())).certificate)
    assert folder.problems() == {("rsa.pem", "weak"), ("curve.pem", "weak")}


def test_p21_a_weak_signature_weakens_all_but_a_root(folder):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder.path, check=True, capture_output=True)

    new = ["req", "-newkey", "rsa:2048", "-nodes", "-sha1"]
    openssl(*new, "-x509", "-subj", "/CN=root", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(*new, "-subj", "/CN=a.zt", "-addext", "subjectAltName=DNS:a.zt", "-keyout", "c.key", "-out", "c.csr")
    sign = ["x509", "-req", "-sha1", "-days", "20", "-in", "c.csr", "-copy_extensions", "copy", "-out", "c.pem"]
    openssl(*sign, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    folder.now = datetime.now(timezone.utc)
    assert folder.problems("ca.pem", "c.pem") == {("c.pem", "weak")}


def test_p31_a_server_without_alternative_names(folder):
    folder.write("c.pem", make("a.zt", names=[]).certificate)
    assert folder.problems() == {("c.pem", "no_names")}


def test_p23_a_certificate_that_outlives_its_issuer(folder, issuing):
    folder.write("c.pem", make("a.zt", issuing, days=(-1, 1001)).certificate)
    folder.write("ca.pem", issuing.certificate)
    assert folder.problems() == {("c.pem", "outlives_issuer")}


def test_p44_an_authority_renewed_with_its_key_is_outlived_by_nothing(folder, root):
    old = make("issuing", root, ca=True, days=(-50, 100))
    new = make("issuing", root, ca=True, days=(-1, 1000), key=old.key)
    folder.write("c.pem", make("a.zt", old).certificate)
    folder.write("both.pem", old.certificate, new.certificate)
    assert folder.problems() == set()


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (("leaf", "issuing"), ()),
        (("leaf", "issuing", "root"), ("root_included",)),
        (("leaf",), ("chain_incomplete",)),
        (("leaf", "root"), ("chain_incomplete", "root_included")),
        (("leaf", "lower"), ("chain_foreign", "chain_incomplete")),
        (("leaf", "issuing", "other"), ("chain_foreign",)),
        (("below", "issuing", "lower"), ("chain_order",)),
        (("leaf", "leaf", "issuing"), ("chain_order",)),
        (("below", "lower", "issuing"), ()),
        (("below", "lower"), ("chain_incomplete",)),
        (("issuing", "leaf"), ("chain_order",)),
        (("root", "issuing"), ()),
        (("other", "leaf"), ()),
        (("root", "leaf", "below"), ()),
    ],
)
def test_p36_what_a_server_would_send(folder, root, issuing, leaf, content, codes):
    lower = make("lower", issuing, ca=True)
    made = {"root": root, "issuing": issuing, "leaf": leaf, "other": make("other", root, ca=True), "lower": lower}
    made["below"] = make("below.zt", lower, days=(-1, 100))
    for name, pair in made.items():
        folder.write(f"ca/{name}.crt", pair.certificate)
    folder.write("fullchain.pem", *(made[name].certificate for name in content))
    found = {code for path, code in folder.problems() if path == "fullchain.pem"}
    assert found == set(codes)


def test_p36_the_sentence_says_the_right_order(folder, root, issuing, leaf):
    folder.write("fullchain.pem", leaf.certificate, root.certificate, issuing.certificate)
    texts = {problem.code: problem.message for problem in folder.look().problems}
    assert texts["chain_order"].endswith("www.zt, issuing, root is the right one")


def test_an_unknown_issuer_is_a_problem_only_if_somebody_is_trusted(folder, root, issuing, leaf):
    folder.write("fullchain.pem", leaf.certificate, issuing.certificate)
    folder.write("trust/other.pem", make("other", ca=True).certificate)
    folder.write("trust/root.pem", root.certificate)
    assert folder.problems("fullchain.pem") == set()
    found = folder.problems("fullchain.pem", trusted=("trust/other.pem",))
    assert found == {("fullchain.pem", "untrusted"), ("fullchain.pem", "chain_incomplete")}
    assert folder.problems("fullchain.pem", trusted=("trust",)) == set()
    assert names(folder.look("fullchain.pem", trusted=("trust",))) == ["www.zt", "issuing"]


def test_p04_a_key_that_is_not_its_certificates(folder, leaf):
    other = make("other.zt")
    folder.write("one/cert.pem", leaf.certificate)
    folder.write("one/key.pem", other.key)
    folder.write("two.pem", other.key, leaf.certificate)
    folder.write("good/cert.pem", make("x.zt", key=leaf.key).certificate)
    assert folder.problems("one") == {("one/key.pem", "key_mismatch")}
    assert folder.problems("two.pem") == {("two.pem", "key_mismatch")}
    # With the key of its own somewhere at hand nothing is wrong.
    folder.write("elsewhere/key.pem", leaf.key)
    assert folder.problems("one", "elsewhere") == set()


def test_a_key_that_waits_for_its_certificate_is_no_problem(folder, leaf):
    folder.write("cert.pem", leaf.certificate)
    folder.write("key.pem", leaf.key)
    folder.write("next.key", make("next.zt").key)
    assert folder.problems() == set()


@pytest.mark.parametrize(
    ("mode", "open_"), [(0o600, False), (0o400, False), (0o640, False), (0o644, True), (0o660, True)]
)
def test_p37_a_key_that_others_can_read(folder, leaf, mode, open_):
    folder.write("key.pem", leaf.key, mode=mode)
    folder.write("cert.pem", leaf.certificate, mode=0o644)
    assert folder.problems() == ({("key.pem", "key_mode")} if open_ else set())


def test_p45_a_revoked_certificate_and_a_list_past_its_time(folder, root, issuing, leaf):
    other = make("other.zt", issuing)
    folder.write("cert.pem", leaf.certificate)
    folder.write("other.pem", other.certificate)
    folder.write("ca.pem", issuing.certificate, root.certificate)
    crl = folder.write("issuing.crl", revocations(issuing, leaf))
    assert folder.problems() == {("cert.pem", "revoked")}
    (record,) = shown.crls(folder.look())
    assert record == {
        "path": str(crl),
        "issuer": "CN=issuing",
        "last_update": "2026-02-28T12:00:00Z",
        "next_update": "2026-03-08T12:00:00Z",
        "revoked": 1,
    }
    folder.now = NOW + 7 * DAY
    assert folder.problems() == {("cert.pem", "revoked"), ("issuing.crl", "crl_expired")}


def test_p45_a_list_that_nobody_at_hand_has_signed_revokes_nothing(folder, issuing, leaf):
    folder.write("cert.pem", leaf.certificate)
    # An authority of the same name, with another key.
    impostor = make("issuing", ca=True)
    folder.write("false.crl", revocations(impostor, leaf))
    folder.write("ca.pem", issuing.certificate)
    assert folder.problems() == {("false.crl", "crl_unverified")}
    folder.write("impostor.pem", impostor.certificate)
    assert folder.problems() == set()


def test_renewal_is_due_after_two_thirds_or_30_days_before_the_end(folder):
    for name, days in (("short.zt", (-1, 29)), ("long.zt", (-1, 364))):
        folder.write(f"{name}.pem", make(name, days=days).certificate)
    due = {record["name"]: record["renewal_due"] for record in shown.certificates(folder.look())}
    assert due == {"short.zt": "2026-03-20T12:00:00Z", "long.zt": "2027-01-29T12:00:00Z"}
    due = {record["name"]: record["renewal_due"] for record in shown.certificates(folder.look(), 86400)}
    assert due == {"short.zt": "2026-03-29T12:00:00Z", "long.zt": "2027-02-27T12:00:00Z"}
