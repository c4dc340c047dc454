# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree over its life: first run, nothing, changes, renewal, mistakes on disk, crashes."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import PRESETS
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.tree import apply_pki, records
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import apply_tree, plan_tree
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.unit.reconcile.faults import CountingOs, Crash, crash_at, fail_at

DAY = timedelta(days=1)


def data(*certificates, **authority):
    return {
        "authorities": [{"name": "root", **authority}, {"name": "issuing", "issuer": "root", "valid_for": "1000d"}],
        "certificates": list(certificates) or [api()],
    }


def api(**options):
    return {"name": "api", "issuer": "issuing", "dns": ["api.zt"], **options}


def reasons(plan) -> dict[str, tuple[str, ...]]:
    return {change.name: change.reasons for change in plan.plan.changes}


def refused(pki, declared, **options) -> PlatformError:
    """The error; planning and running refuse alike, and nothing changes."""
    before = pki.contents()
    found = []
    for attempt in (pki.plan, pki.run, pki.run):
        with pytest.raises(PlatformError) as caught:
            attempt(declared, **options)
        found.append((caught.value.message, caught.value.reason))
    assert len(set(found)) == 1
    assert "\n" not in found[0][0]
    assert pki.contents() == before
    return caught.value


# Life


def test_first_run_second_run_and_the_files(pki):
    first = pki.run(data())
    assert first.plan.counts == {"create": 3, "update": 0, "delete": 0, "unchanged": 0}
    assert sorted(pki.contents()) == [
        ".zerotrust-manifest.json",
        "api/ca-cert.pem",
        "api/cert.pem",
        "api/fullchain.pem",
        "api/key.pem",
        "authorities/issuing/cert.pem",
        "authorities/issuing/key.pem",
        "authorities/root/cert.pem",
        "authorities/root/key.pem",
    ]
    second = pki.run(data())
    assert (second.plan.changed, second.plan.counts["unchanged"]) == (False, 3)


def test_an_unchanged_run_writes_nothing_and_reads_no_key(pki):
    pki.run(data())
    system = CountingOs()
    before = {path: path.stat().st_mtime_ns for path in pki.root.rglob("*")}
    plan = pki.run(data(), system)
    assert set(system.calls) <= {"open", "close"}
    assert {path: path.stat().st_mtime_ns for path in pki.root.rglob("*")} == before
    assert [item.key for item in plan.items] == [None] * 3


def test_planning_writes_nothing(pki):
    plan = pki.plan(data())
    assert plan.plan.counts["create"] == 3
    assert not pki.root.exists()
    assert [record["serial"] for record in records(plan)] == [None] * 3


def test_p36_what_the_files_hold(pki):
    files = {"certificate": "c", "key": "k", "chain": "chain", "fullchain": "full", "ca": "ca"}
    pki.run(data(api(files=files)))
    held = {name: path.read_bytes() for name, path in ((name, pki.path(name)) for name in files.values())}
    root = pki.path("authorities/root/cert.pem").read_bytes()
    issuing = pki.path("authorities/issuing/cert.pem").read_bytes()
    assert held["full"] == held["c"] + issuing
    assert held["chain"] == issuing
    assert held["ca"] == root
    assert held["k"].startswith(b"-----BEGIN PRIVATE KEY-----\n")


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_p39_keys_are_secret_and_the_rest_is_not_whatever_the_umask(pki, umask):
    modes = []

    def look(_count, name):
        if name == "write":
            modes.extend(stat.S_IMODE(path.stat().st_mode) for path in pki.root.rglob("*tmp*") if path.is_file())

    old = os.umask(umask)
    try:
        pki.run(data(), CountingOs(look))
    finally:
        os.umask(old)
    assert set(modes) == {0o600, 0o644}
    for path in pki.root.rglob("*.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o600 if path.name == "key.pem" else 0o644)


def test_renewal_keeps_the_key(pki):
    pki.run(data())
    key, serial = pki.path("api/key.pem").read_bytes(), pki.certificate("api/cert.pem").serial_number
    pki.now += 335 * DAY - timedelta(seconds=1)
    assert not pki.run(data()).plan.changed
    pki.now += timedelta(seconds=1)
    assert reasons(pki.run(data())) == {"api": ("renewal_window",)}
    assert pki.path("api/key.pem").read_bytes() == key
    assert pki.certificate("api/cert.pem").serial_number != serial
    assert pki.certificate("api/cert.pem").not_valid_after_utc == pki.now + 365 * DAY
    assert not pki.run(data()).plan.changed


def test_ten_years_of_daily_runs_never_fail(pki):
    renewals = []
    for _day in range(0, 3650, 5):
        renewals.extend(reasons(pki.run(data())))
        pki.now += 5 * DAY
        leaf, issuing, root = (
            pki.certificate(f"{name}/cert.pem") for name in ("api", "authorities/issuing", "authorities/root")
        )
        assert leaf.not_valid_after_utc > pki.now
        leaf.verify_directly_issued_by(issuing)
        issuing.verify_directly_issued_by(root)
    # Made or renewed that often; the leaf is also counted where a file of it follows a renewed authority.
    assert [renewals.count(name) for name in ("root", "issuing", "api")] == [2, 6, 17]


def test_a_renewed_authority_keeps_its_key_and_what_it_has_signed(pki):
    pki.run(data())
    pki.now += 340 * DAY
    assert reasons(pki.run(data())) == {"api": ("renewal_window",)}
    leaf = pki.path("api/cert.pem").read_bytes()
    pki.now += 300 * DAY
    assert reasons(pki.run(data())) == {"issuing": ("renewal_window",), "api": ("chain_changed",)}
    assert pki.path("api/cert.pem").read_bytes() == leaf
    assert pki.path("api/fullchain.pem").read_bytes() == leaf + pki.path("authorities/issuing/cert.pem").read_bytes()
    assert not pki.run(data()).plan.changed


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"dns": ["api.zt", "b.zt"]}, "dns_changed"),
        ({"ips": ["::1"]}, "ips_changed"),
        ({"uris": ["spiffe://zt/a"]}, "uris_changed"),
        ({"emails": ["a@b.zt"]}, "emails_changed"),
        ({"profile": "mtls"}, "profile_changed"),
        ({"subject": {"organization": "Z"}}, "subject_changed"),
        ({"valid_for": "100d"}, "valid_for_changed"),
        ({"issuer": "root"}, "issuer_changed"),
        ({"key_type": "ed25519"}, "key_type_changed"),
        ({"renew_before": "364d"}, None),
    ],
)
def test_a_declared_change_is_the_named_reason(pki, options, reason):
    pki.run(data())
    changed = data(api(**options))
    before = pki.path("api/key.pem").read_bytes()
    found = reasons(pki.run(changed)).get("api", ())
    assert found[:1] == ((reason,) if reason else ())
    assert (pki.path("api/key.pem").read_bytes() == before) is (reason != "key_type_changed")
    assert pki.is_pair("api")
    assert not pki.run(changed).plan.changed


def test_p32_p33_order_and_repetition_of_names_change_nothing(pki):
    pki.run(data(api(dns=["a.zt", "b.zt"], ips=["10.0.0.1", "::1"])))
    assert not pki.run(data(api(dns=["b.zt", "A.zt", "b.zt"], ips=["0::1", "10.0.0.1"]))).plan.changed


def test_p44_a_new_key_of_the_authority_reissues_what_it_has_signed(pki):
    pki.run(data())
    plan = pki.run(data(key_type="ecdsa-p384"))
    assert reasons(plan) == {
        "root": ("key_type_changed",),
        "issuing": ("issuer_changed",),
        "api": ("chain_changed",),
    }
    pki.certificate("authorities/issuing/cert.pem").verify_directly_issued_by(pki.certificate("api/ca-cert.pem"))
    assert not pki.run(data(key_type="ecdsa-p384")).plan.changed


def test_p44_a_renamed_authority_reissues_what_it_has_signed(pki):
    pki.run(data())
    renamed = data(common_name="New Root")
    assert reasons(pki.run(renamed)) == {
        "root": ("subject_changed",),
        "issuing": ("issuer_changed",),
        "api": ("chain_changed",),
    }
    assert not pki.run(renamed).plan.changed


def test_what_is_no_longer_declared_stays_or_goes(pki):
    both = data(api(), api(name="web"))
    pki.run(both)
    kept = pki.run(data())
    assert not kept.plan.changed
    assert kept.plan.foreign == ()
    pki.run(data(api(dns=["x.zt"])))
    assert pki.path("web/key.pem").exists()
    purged = pki.run(data(api(dns=["x.zt"])), purge=True)
    assert sorted(change.name for change in purged.plan.changes) == [
        "web/ca-cert.pem",
        "web/cert.pem",
        "web/fullchain.pem",
        "web/key.pem",
    ]
    assert not pki.path("web").exists()
    assert not pki.run(data(api(dns=["x.zt"])), purge=True).plan.changed


def test_absent_removes_what_is_ours_and_nothing_else(pki):
    pki.run(data())
    pki.path("api/theirs").write_bytes(b"t")
    apply_tree(plan_tree(str(pki.root), {}, "zerotrust.platform.pki"))
    assert pki.contents() == {"api/theirs": b"t"}


def test_no_plan_and_no_record_holds_a_key(pki):
    plan = pki.run(data())
    keys = [path.read_text(encoding="ascii").split("\n")[1] for path in pki.root.rglob("key.pem")]
    shown = json.dumps([plan.plan.to_data(-1), records(plan)]) + repr(plan) + repr(plan.items)
    assert len(keys) == 3
    assert [key for key in keys if key in shown or key[:30] in shown] == []


def test_p40_a_clock_set_back_issues_nothing(pki):
    pki.run(data())
    pki.now -= 30 * DAY
    plan = pki.run(data())
    assert not plan.plan.changed
    assert len(plan.warnings) == 3
    assert "clock" in plan.warnings[0]


def test_p02_an_authority_from_the_future_signs_nothing(pki):
    pki.run(data())
    pki.now -= DAY
    error = refused(pki, data(api(dns=["new.zt"])))
    assert error.reason == "ca_not_yet_valid"
    assert "2026-03-01T11:55:00Z" in error.message
    assert "2026-02-28T12:00:00Z" in error.message


def test_p41_dates_behind_2050(pki):
    declared = data(api(valid_for="30y"), valid_for="40y")
    declared["authorities"][1]["valid_for"] = "35y"
    pki.run(declared)
    assert pki.certificate("api/cert.pem").not_valid_after_utc.year == 2056
    text = subprocess.run(
        ["openssl", "x509", "-in", str(pki.path("api/cert.pem")), "-noout", "-enddate"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "2056" in text
    assert not pki.run(declared).plan.changed


def test_p46_every_certificate_has_a_key_of_its_own(pki):
    pki.run(data(*(api(name=f"c{number}") for number in range(20))))
    keys = {path.read_bytes() for path in pki.root.rglob("key.pem")}
    serials = {crypto.read_certificate(path.read_bytes()).serial_number for path in pki.root.rglob("cert.pem")}
    assert (len(keys), len(serials)) == (22, 22)
    assert all(0 < serial < 2**160 for serial in serials)
    # 64 random bits at least: the chance of a smaller number here is 22 in 2^95.
    assert min(serials) > 2**64


def test_p47_a_thousand_in_one_call_with_every_mistake_named(pki):
    many = [
        api(name=f"c{number}", files={"key": f"c{number}/key.pem", "certificate": f"c{number}/cert.pem"})
        for number in range(1000)
    ]
    assert pki.run(data(*many)).plan.counts["create"] == 1002
    assert pki.run(data(*many)).plan.counts["unchanged"] == 1002
    for number in (3, 700):
        pki.path(f"c{number}/cert.pem").unlink()
        pki.path(f"c{number}/cert.pem").mkdir()
    error = refused(pki, data(*many))
    assert [("'c3'" in detail, "'c700'" in detail) for detail in error.details] == [(True, False), (False, True)]


# What somebody did to the files


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
    before = pki.contents()
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


@pytest.mark.parametrize(("name", "reason"), [("api", "key_passphrase"), ("authorities/root", "ca_passphrase")])
def test_p07_a_key_with_a_passphrase_is_not_lost(pki, name, reason):
    pki.run(data())
    path = pki.path(f"{name}/key.pem")
    protection = serialization.BestAvailableEncryption(b"hunter2")
    path.write_bytes(
        pki.key(f"{name}/key.pem").private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
        )
    )
    error = refused(pki, data())
    assert error.reason == reason
    assert "hunter2" not in error.message


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


# Crashes and concurrency

NEW = data(api(key_type="ecdsa-p384"), api(name="web"))


def test_p16_p17_a_crash_at_any_call_of_a_first_run(pki):
    crashes = 0
    for number in range(1, 400, 3):
        pki.root = pki.root.parent / str(number)
        try:
            pki.run(data(), crash_at(number))
        except Crash:
            crashes += 1
        else:
            break
        if pki.path("api/cert.pem").exists():
            assert pki.is_pair("api")
        pki.run(data())
        assert pki.is_pair("api")
        assert not list(pki.root.rglob(".zerotrust-tmp*"))
        assert not pki.run(data()).plan.changed
    assert crashes > 30


def test_p16_p17_a_crash_at_any_call_leaves_a_pair_while_the_key_changes(pki):
    """The declared key type changes, so key and certificate are replaced, and a new certificate is made beside it."""
    crashes, pairs = 0, set()
    for number in range(1, 500, 3):
        pki.root = pki.root.parent / str(number)
        pki.run(data())
        try:
            pki.run(NEW, crash_at(number))
        except Crash:
            crashes += 1
        else:
            break
        assert pki.is_pair("api")
        full = pki.path("api/fullchain.pem").read_bytes()
        assert full.startswith(pki.path("api/cert.pem").read_bytes())
        pairs.add(pki.key("api/key.pem").curve.name)
        planned = pki.plan(NEW).plan
        assert reasons(pki.run(NEW)) == {change.name: change.reasons for change in planned.changes}
        assert pki.is_pair("api")
        assert not list(pki.root.rglob(".zerotrust-tmp*"))
        assert not list(pki.root.rglob(".zerotrust-swap*"))
        assert not pki.run(NEW).plan.changed
    assert crashes > 35
    assert pairs == {"secp256r1", "secp384r1"}


def test_p16_killed_at_any_write(pki, repo):
    """The same with a real SIGKILL, at some calls."""
    code = (
        "import sys, json; from pathlib import Path\n"
        "from tests.unit.pki.conftest import Pki; from tests.unit.reconcile.faults import kill_at\n"
        "Pki(Path(sys.argv[1])).run(json.loads(sys.argv[3]), kill_at(int(sys.argv[2])))\n"
    )
    killed = 0
    for number in range(45, 400, 37):
        pki.root = pki.root.parent / str(number)
        pki.run(data())
        command = [sys.executable, "-c", code, str(pki.root), str(number), json.dumps(NEW)]
        done = subprocess.run(command, cwd=repo, check=False, capture_output=True, text=True)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        killed += 1
        assert pki.is_pair("api")
        pki.run(NEW)
        assert pki.is_pair("api")
        assert not pki.run(NEW).plan.changed
    assert killed > 4


def test_p18_concurrent_runs_make_one_tree(pki):
    plans = []
    threads = [threading.Thread(target=lambda: plans.append(pki.run(data()).plan)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(plan.counts["create"] for plan in plans) == [0, 0, 0, 3]
    assert pki.is_pair("api")


def test_a_plan_that_is_overtaken_is_not_applied(pki):
    pki.run(data())
    with Tree(str(pki.root)) as tree:
        plan = pki.plan(data(api(dns=["one.zt"])))
        pki.run(data(api(dns=["other.zt"])))
        with pytest.raises(PlatformError) as caught:
            apply_pki(tree, plan)
    assert caught.value.reason == "changed_meanwhile"
    assert not pki.run(data(api(dns=["other.zt"]))).plan.changed


def test_p14_a_full_disk_leaves_the_old_pair(pki):
    pki.run(data())
    before = pki.contents()
    for occurrence in range(1, 8):
        with pytest.raises(PlatformError) as caught:
            pki.run(NEW, fail_at("write", 28, occurrence))
        assert caught.value.reason == "no_space"
        assert pki.is_pair("api")
        assert not list(pki.root.rglob(".zerotrust-tmp*"))
    assert pki.contents()["authorities/root/key.pem"] == before["authorities/root/key.pem"]
    pki.run(NEW)
    assert pki.is_pair("api")
    assert pki.is_pair("web")


def test_a2_the_preset_makes_the_files_it_promises(pki):
    pki.run(dict(PRESETS["development"]))
    assert sorted(pki.contents()) == [
        ".zerotrust-manifest.json",
        "authorities/development/key.pem",
        "ssl/ca-cert.pem",
        "ssl/cert.pem",
        "ssl/key.pem",
    ]
