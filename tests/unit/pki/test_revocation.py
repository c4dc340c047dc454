# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ledgers, revocation, revocation lists; OpenSSL is the judge."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.ledger import Entry, Ledger, read_ledger
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.revocation_lists import listed, read_lists
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pki.trees import DAY, api, data, reasons, refused
from tests.unit.reconcile.faults import Crash, crash_at

CRL = "authorities/issuing/crl.pem"
LEDGER = "authorities/issuing/ledger.json"


def tree(*certificates, revoked=(), root=None, **crl):
    declared = data(*certificates)
    declared["authorities"][1]["crl"] = crl
    declared["authorities"][0].update(root or {"crl": {}})
    return {**declared, "revoked": list(revoked)}


def lists(pki, path=CRL):
    return [listed(crl) for crl in read_lists(pki.path(path).read_bytes())]


def serials(pki, path=CRL) -> list[set[str]]:
    return [{serial for serial, _reason in one.serials} for one in lists(pki, path)]


def serial_of(pki, name="api") -> str:
    return f"{pki.certificate(f'{name}/cert.pem').serial_number:x}"


def openssl(pki, name="api") -> str:
    """What OpenSSL makes of a certificate when it asks the lists."""
    trust = ["-CAfile", pki.path(f"{name}/ca-cert.pem"), "-untrusted", pki.path(f"{name}/fullchain.pem")]
    crls = [part for path in (CRL, "authorities/root/crl.pem") for part in ("-CRLfile", pki.path(path))]
    command = ["openssl", "verify", "-x509_strict", "-crl_check_all", *trust, *crls, pki.path(f"{name}/cert.pem")]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.fixture
def present(pki):
    # OpenSSL looks at the real clock.
    pki.now = datetime.now(timezone.utc)
    return pki


def test_p45_a_revoked_certificate_is_refused_and_issued_anew(present):
    pki = present
    pki.run(tree(api(), api(name="web")))
    assert ": OK" in openssl(pki)
    key, serial = pki.path("api/key.pem").read_bytes(), serial_of(pki)
    stolen = pki.path("stolen")
    stolen.mkdir()
    for name in ("cert.pem", "fullchain.pem", "ca-cert.pem"):
        (stolen / name).write_bytes(pki.path(f"api/{name}").read_bytes())
    declared = tree(
        api(), api(name="web"), revoked=[{"serial": serial, "issuer": "issuing", "reason": "key_compromise"}]
    )
    plan = pki.run(declared)
    assert reasons(plan) == {
        f"issuing/{serial}": ("key_compromise",),
        "issuing": ("revocations_changed",),
        "api": ("revoked",),
    }
    assert "certificate revoked" in openssl(pki, "stolen")
    assert ": OK" in openssl(pki, "api")
    assert ": OK" in openssl(pki, "web")
    assert pki.path("api/key.pem").read_bytes() != key
    assert not pki.run(declared).plan.changed
    # What is revoked stays so.
    assert not pki.run(tree(api(), api(name="web"))).plan.changed
    assert "certificate revoked" in openssl(pki, "stolen")


def test_a_list_with_every_reason_reads_back(pki):
    names = [
        "unspecified",
        "key_compromise",
        "ca_compromise",
        "affiliation_changed",
        "superseded",
        "cessation_of_operation",
        "privilege_withdrawn",
        "aa_compromise",
    ]
    pki.run(tree(*(api(name=f"c{number}") for number in range(len(names)))))
    revoked = [
        {"serial": serial_of(pki, f"c{number}"), "issuer": "issuing", "reason": reason}
        for number, reason in enumerate(names)
    ]
    pki.run(tree(revoked=revoked))
    assert lists(pki)[0].serials == {(one["serial"], one["reason"]) for one in revoked}
    text = subprocess.run(
        ["openssl", "crl", "-in", str(pki.path(CRL)), "-noout", "-text"], capture_output=True, text=True, check=True
    ).stdout
    assert text.count("Serial Number:") == len(names)
    assert "Key Compromise" in text
    # RFC 5280, 5.3.1: the reason unspecified is said by saying nothing.
    assert text.count("X509v3 CRL Reason Code") == len(names) - 1


def test_by_name_all_that_was_issued_until_a_moment(pki):
    pki.run(tree())
    first = serial_of(pki)
    pki.now += 340 * DAY
    pki.run(tree())
    second = serial_of(pki)
    moment = f"{pki.now:%Y-%m-%dT%H:%M:%SZ}"
    pki.now += DAY
    pki.run(tree(revoked=[{"name": "api", "before": moment}]))
    third = serial_of(pki)
    assert len({first, second, third}) == 3
    assert serials(pki) == [{first, second}]
    assert not pki.run(tree(revoked=[{"name": "api", "before": moment}])).plan.changed


def test_by_name_what_is_no_longer_declared(pki):
    pki.run(tree(api(), api(name="web")))
    serial = serial_of(pki, "web")
    declared = tree(revoked=[{"name": "web", "reason": "cessation_of_operation"}])
    assert reasons(pki.run(declared)) == {
        f"issuing/{serial}": ("cessation_of_operation",),
        "issuing": ("revocations_changed",),
    }
    assert serials(pki) == [{serial}]


def test_a_revoked_authority_gets_a_new_key_and_so_do_its_certificates_a_new_issuer(pki):
    pki.run(tree())
    serial = f"{pki.certificate('authorities/issuing/cert.pem').serial_number:x}"
    plan = pki.run(tree(revoked=[{"serial": serial, "issuer": "root"}])).plan
    found = {(change.kind, change.name): change.reasons for change in plan.changes}
    assert found["authority", "issuing"] == ("revoked",)
    assert found["certificate", "api"] == ("issuer_changed",)
    assert serials(pki, "authorities/root/crl.pem") == [{serial}]


@pytest.mark.parametrize(
    ("revoked", "code"),
    [
        ({"name": "api"}, "bad_before"),
        ({"serial": "1f"}, "missing"),
        ({"serial": "1f", "issuer": "nobody"}, "unknown_issuer"),
        ({"serial": "1f", "issuer": "api"}, "unknown_issuer"),
        ({"serial": "xyz", "issuer": "issuing"}, "bad_serial"),
        ({"serial": "1f", "name": "web", "issuer": "issuing"}, "bad_revocation"),
        ({}, "bad_revocation"),
        ({"name": "web", "reason": "certificate_hold"}, "bad_reason"),
        ({"name": "web", "before": "yesterday"}, "bad_before"),
        ({"name": "web", "until": "2026"}, "unknown_key"),
    ],
)
def test_revocations_that_are_no(pki, revoked, code):
    pki.run(tree())
    assert refused(pki, tree(revoked=[revoked])).reason == code


def test_an_authority_that_revokes_has_to_publish_it(pki):
    declared = data()
    pki.run(declared)
    error = refused(pki, {**declared, "revoked": [{"serial": serial_of(pki), "issuer": "issuing"}]})
    assert (error.reason, "'issuing'" in error.message) == ("no_crl", True)


def test_a_serial_number_may_be_written_as_openssl_shows_it(pki):
    pki.run(tree())
    serial = serial_of(pki)
    text = ":".join(f"{int(serial, 16):040X}"[at : at + 2] for at in range(0, 40, 2))
    pki.run(tree(revoked=[{"serial": text, "issuer": "issuing"}]))
    assert serials(pki) == [{serial}]


# Lists over time


def test_p45_a_list_is_signed_again_before_it_is_due(pki):
    pki.run(tree())
    numbers = [lists(pki)[0].number]
    for _day in range(40):
        pki.now += DAY
        assert set(reasons(pki.run(tree()))) <= {"issuing", "root"}
        assert pki.now < lists(pki)[0].next_update
        numbers.append(lists(pki)[0].number)
    assert numbers == sorted(numbers)
    assert numbers[-1] == 11


def test_p45_a_list_that_is_overdue_says_so(pki):
    pki.run(tree())
    pki.now += 8 * DAY
    assert reasons(pki.run(tree())) == {"issuing": ("expired",), "root": ("expired",)}


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "missing"), (b"", "bad_crl"), (b"-----BEGIN X509 CRL-----\nAA\n", "bad_crl")]
)
def test_a_lost_list_is_signed_again_with_a_greater_number(pki, content, reason):
    pki.run(tree())
    number = lists(pki)[0].number
    pki.path(CRL).unlink()
    if content is not None:
        pki.path(CRL).write_bytes(content)
    assert reasons(pki.run(tree())) == {"issuing": (reason,)}
    assert lists(pki)[0].number > number
    assert not pki.run(tree()).plan.changed


def test_a_list_of_another_key_is_signed_again(pki):
    pki.run(tree())
    pki.path(CRL).write_bytes(pki.path("authorities/root/crl.pem").read_bytes())
    assert reasons(pki.run(tree())) == {"issuing": ("issuer_changed",)}


def test_another_validity_of_a_list(pki):
    pki.run(tree())
    assert "valid_for_changed" in reasons(pki.run(tree(valid_for="30d")))["issuing"]
    one = lists(pki)[0]
    assert one.next_update - one.this_update == 30 * DAY
    pki.now += 15 * DAY - timedelta(seconds=400)
    assert "issuing" not in reasons(pki.run(tree(valid_for="30d")))
    pki.now += timedelta(seconds=400)
    assert reasons(pki.run(tree(valid_for="30d")))["issuing"] == ("renewal_window",)


def test_what_has_expired_leaves_the_list_after_it_was_told_once_more(pki):
    declared = tree(api(valid_for="20d"), api(name="web", valid_for="20d"))
    pki.run(declared)
    serial = serial_of(pki, "web")
    declared = tree(api(valid_for="20d"), revoked=[{"name": "web"}])
    pki.run(declared)
    for _day in range(60):
        pki.now += DAY
        pki.run(declared)
        told = serial in serials(pki)[0]
        expired = pki.now - 20 * DAY >= datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
        assert told or expired
    assert not told
    # The ledger has forgotten it too, and what is declared of it means nothing any more.
    assert serial not in pki.path(LEDGER).read_text(encoding="ascii")
    assert not pki.run(declared).plan.changed


def test_the_url_of_a_list_is_in_what_its_authority_issues(pki):
    pki.run(tree(url="http://crl.zt/issuing.crl"))
    text = subprocess.run(
        ["openssl", "x509", "-in", str(pki.path("api/cert.pem")), "-noout", "-ext", "crlDistributionPoints"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "URI:http://crl.zt/issuing.crl" in text
    assert reasons(pki.run(tree(url="http://crl.zt/other.crl"))) == {"api": ("crl_url_changed",)}
    assert refused(pki, tree(url="https://crl.zt/x")).reason == "bad_url"


def test_the_list_in_der_as_clients_fetch_it(pki):
    declared = tree()
    declared["authorities"][1]["files"] = {"crl": "public/issuing.pem", "crl_der": "public/issuing.crl"}
    pki.run(declared)
    der = x509.load_der_x509_crl(pki.path("public/issuing.crl").read_bytes())
    assert [der] == read_lists(pki.path("public/issuing.pem").read_bytes())
    pki.path("public/issuing.crl").unlink()
    assert reasons(pki.run(declared)) == {"issuing": ("crl_der_missing",)}
    assert not pki.run(declared).plan.changed
    without = data()
    without["authorities"][1]["files"] = {"crl": "x.pem"}
    assert refused(pki, without).reason == "no_crl"


@pytest.mark.parametrize("new", [{"generation": 2}, {"key_type": "rsa-2048"}])
def test_a_new_key_of_an_authority_signs_a_list_beside_the_old_one(present, new):
    """Servers that have not loaded their new certificates are not refused for want of a list."""
    pki = present
    pki.run(tree())
    old = pki.path("old")
    old.mkdir()
    for name in ("cert.pem", "fullchain.pem", "ca-cert.pem"):
        (old / name).write_bytes(pki.path(f"api/{name}").read_bytes())
    declared = tree(revoked=[{"name": "gone"}])
    declared["authorities"][1].update(new)
    pki.run(declared)
    assert len(lists(pki)) == 2
    assert ": OK" in openssl(pki, "old")
    assert ": OK" in openssl(pki, "api")
    pki.now += 30 * DAY
    pki.run(declared)
    assert len(lists(pki)) == 1
    assert not pki.path("authorities/issuing/previous").exists()
    assert not pki.run(declared).plan.changed


def test_p16_what_is_revoked_survives_a_crash_at_any_call(pki, tmp_path):
    crashes = 0
    for number in range(1, 400, 6):
        pki.root = tmp_path / str(number)
        pki.run(tree())
        serial = serial_of(pki)
        declared = tree(revoked=[{"serial": serial, "issuer": "issuing"}])
        try:
            pki.run(declared, crash_at(number))
        except Crash:
            crashes += 1
        else:
            break
        pki.run(declared)
        assert serials(pki) == [{serial}]
        assert serial_of(pki) != serial
        assert pki.is_pair("api")
        assert not pki.run(declared).plan.changed
        assert set(json.loads(pki.path(LEDGER).read_bytes())) >= {"crl_number", "certificates"}
        assert serial_of(pki) in read_ledger(pki.path(LEDGER).read_bytes()).entries
    assert crashes > 10


# Ledgers


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"version": 2}', b'{"version": 1}', b"\xff", b'{"version": 1, "crl_number": "x"}'],
)
def test_p20_a_corrupt_ledger_is_refused(pki, content):
    pki.run(data())
    pki.path(LEDGER).write_bytes(content)
    error = refused(pki, data(api(dns=["new.zt"])))
    assert error.reason == "ledger_corrupt"
    assert str(pki.path(LEDGER)) in error.message
    assert "restore it from a backup" in error.message


@pytest.mark.parametrize("change", [{"serial": "no"}, {"name": 5}, {"more": "x"}, {"serial": None}])
def test_p20_an_entry_that_is_none_makes_a_ledger_corrupt(pki, change):
    pki.run(data())
    found = json.loads(pki.path(LEDGER).read_bytes())
    found["certificates"][0].update(change)
    pki.path(LEDGER).write_text(json.dumps(found), encoding="ascii")
    assert refused(pki, data()).reason == "ledger_corrupt"


def test_p20_a_lost_ledger_is_refused(pki):
    pki.run(data())
    pki.path(LEDGER).unlink()
    assert refused(pki, data()).reason == "ledger_missing"


def test_p20_a_tree_that_is_adopted_gets_a_ledger_of_what_is_there(pki):
    pki.run(tree())
    for path in (LEDGER, "authorities/root/ledger.json", ".zerotrust-manifest.json", CRL):
        pki.path(path).unlink()
    plan = pki.run(tree(), adopt=True)
    assert serial_of(pki) in read_ledger(pki.path(LEDGER).read_bytes()).entries
    assert plan.plan.changed
    assert not pki.run(tree()).plan.changed


def test_p19_a_serial_number_is_never_drawn_twice():
    numbers = iter([2**80 + 1, 2**80 + 1, 5, 2**90])
    taken = {f"{2**80 + 1:x}"}
    assert crypto.new_serial(taken, lambda: next(numbers)) == 2**90


def test_p19_serials_are_random_and_positive_and_fit():
    found = {crypto.new_serial(()) for _draw in range(200)}
    assert len(found) == 200
    assert all(2**64 <= serial < 2**160 for serial in found)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
ENTRIES = st.builds(
    Entry,
    serial=st.integers(1, 2**160).map(lambda number: f"{number:x}"),
    name=TEXTS,
    issued=TEXTS,
    not_after=TEXTS,
    key=TEXTS,
    revoked=TEXTS,
    reason=TEXTS,
)


@given(st.lists(ENTRIES, unique_by=lambda entry: entry.serial), st.integers(0, 10**9), st.integers(1, 10**6))
def test_a_ledger_reads_back_as_it_was_written(entries, number, generation):
    ledger = Ledger({entry.serial: entry for entry in entries}, number, generation)
    assert read_ledger(ledger.to_bytes()) == ledger
