# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run remembers of a certificate is what another one would find out, and is forgotten when anything differs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import facts

from tests.unit.pki.trees import DAY, api, data, reasons

MANIFEST = ".zerotrust-manifest.json"
ALL_KINDS = [
    api(),
    api(name="names", dns=["*.b.zt", "b.zt"], ips=["10.0.0.1", "::1"], uris=["spiffe://zt/a"], emails=["a@b.zt"]),
    api(name="client", profile="client", subject={"organization": "Zt", "country": "DE"}, common_name="c"),
    api(name="mtls", profile="mtls", key_type="rsa-2048", valid_for="10d"),
    api(name="code", profile="code_signing", dns=[], common_name="Releases", key_type="ecdsa-p521"),
    api(name="edwards", key_type="ed25519", files={"combined": "e/all.pem", "chain": "e/chain.pem"}),
    api(
        name="extended",
        extensions=[
            {"oid": "1.3.6.1.4.1.99999.2", "value": "BQA="},
            {"oid": "1.3.6.1.4.1.99999.1", "value": "DAFh", "critical": True},
        ],
    ),
]


def declared(*certificates):
    found = data(*certificates)
    found["authorities"][0]["name_constraints"] = {"excluded": {"dns": ["example.com"]}}
    found["authorities"][1]["crl"] = {"url": "http://crl.zt/issuing.crl"}
    return found


def forget(pki):
    """Take out of the manifest what is remembered."""
    manifest = json.loads(pki.path(MANIFEST).read_bytes())
    del manifest["attributes"]["written_for"]
    pki.path(MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def test_what_is_remembered_of_a_certificate_is_what_it_says(pki):
    """So is what is noted of one that has just been issued."""
    issued = pki.run(declared(*ALL_KINDS))
    remembered = pki.plan(declared(*ALL_KINDS))
    forget(pki)
    read = pki.plan(declared(*ALL_KINDS))
    assert [plan.plan.changed for plan in (remembered, read)] == [False, False]
    assert [item.remembered for item in remembered.items] == [False, False, *(True for _kind in ALL_KINDS)]
    assert not any(item.remembered for item in read.items)
    assert [item.facts for item in issued.items] == [item.facts for item in read.items]
    for before, after in zip(remembered.items, read.items):
        # Nobody is named by a certificate that is no authority's.
        same = before.facts if before.request.is_authority else replace(before.facts, key_id=after.facts.key_id)
        assert same == after.facts
        assert after.facts == facts.facts_of(after.certificate, key="good", key_matches=True, issued_by=True)


def test_time_is_a_reason_all_the_same(pki):
    pki.run(data())
    pki.now += 340 * DAY
    plan = pki.plan(data())
    assert reasons(plan) == {"api": ("renewal_window",)}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("api/cert.pem", "missing"),
        ("api/key.pem", "key_missing"),
        ("api/fullchain.pem", "fullchain_missing"),
        ("api/ca-cert.pem", "ca_missing"),
    ],
)
def test_so_are_files_that_are_gone(pki, path, reason):
    pki.run(data())
    pki.path(path).unlink()
    (found,) = reasons(pki.plan(data())).values()
    assert reason in found


def test_so_is_a_file_of_somebody_else(pki):
    """Also one that the same authority has signed for other names, with the same key."""
    pki.run(data(api(dns=["other.zt"])))
    other = pki.path("api/cert.pem").read_bytes()
    pki.run(data())
    ours = pki.path("api/cert.pem").read_bytes()
    pki.path("api/cert.pem").write_bytes(other)
    assert reasons(pki.plan(data())) == {"api": ("subject_changed", "dns_changed")}
    pki.path("api/cert.pem").write_bytes(ours)
    assert reasons(pki.plan(data())) == {}


def test_so_is_what_is_above(pki):
    """The root is renewed with its key: the certificate stays, and what it is delivered with does not."""
    pki.run(data())
    pki.path("authorities/root/cert.pem").unlink()
    plan = pki.run(data())
    assert "api" in reasons(plan)
    assert not pki.plan(data()).items[-1].issues
    assert pki.path("api/ca-cert.pem").read_bytes() == pki.path("authorities/root/cert.pem").read_bytes()


def test_a_crash_forgets_nothing_that_matters(pki):
    """The manifest of an unfinished run still has what was remembered of the files before."""
    pki.run(data())
    manifest = pki.path(MANIFEST).read_bytes()
    pki.run(data(api(dns=["other.zt"])))
    pki.path(MANIFEST).write_bytes(manifest)
    assert "dns_changed" in reasons(pki.plan(data()))["api"]
