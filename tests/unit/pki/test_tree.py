# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree over its life: first run, nothing, changes, renewal."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from datetime import timedelta

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import PRESETS
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.tree import records_of
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import apply_tree, plan_tree

from tests.unit.pki.trees import DAY, api, data, reasons, refused
from tests.unit.reconcile.faults import CountingOs


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
        "authorities/issuing/ledger.json",
        "authorities/root/cert.pem",
        "authorities/root/key.pem",
        "authorities/root/ledger.json",
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
    assert [record["serial"] for record in records_of(plan)] == [None] * 3


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
    shown = json.dumps([plan.plan.to_data(-1), records_of(plan)]) + repr(plan) + repr(plan.items)
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


def test_a2_the_preset_makes_the_files_it_promises(pki):
    pki.run(dict(PRESETS["development"]))
    assert sorted(pki.contents()) == [
        ".zerotrust-manifest.json",
        "authorities/development/key.pem",
        "authorities/development/ledger.json",
        "ssl/ca-cert.pem",
        "ssl/cert.pem",
        "ssl/key.pem",
    ]
