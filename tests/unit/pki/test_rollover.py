# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An authority gets a new key, and no verifier ever refuses a good certificate."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from tests.unit.pki.trees import DAY, api, data, reasons, refused
from tests.unit.reconcile.faults import Crash, crash_at

NEXT, PREVIOUS = "authorities/root/next", "authorities/root/previous"


def accepts(trusted: bytes, sent: bytes, now) -> bool:
    leaf, *chain = x509.load_pem_x509_certificates(sent)
    builder = PolicyBuilder().store(Store(x509.load_pem_x509_certificates(trusted))).time(now)
    try:
        builder.build_server_verifier(x509.DNSName("api.zt")).verify(leaf, chain)
    except VerificationError:
        return False
    return True


def files(pki) -> tuple[bytes, bytes]:
    return pki.path("api/ca-cert.pem").read_bytes(), pki.path("api/fullchain.pem").read_bytes()


def roots(pki) -> int:
    return len(x509.load_pem_x509_certificates(files(pki)[0]))


def key_of(pki, name="authorities/root") -> bytes:
    return crypto.key_id(pki.key(f"{name}/key.pem").public_key())


CHANGES = [
    {"key_type": "ecdsa-p384"},
    {"common_name": "New Root"},
    {"generation": 2},
    {"generation": 7, "key_type": "ed25519", "overlap": "10d"},
]


@pytest.mark.parametrize("changed", CHANGES)
def test_p44_old_and_new_root_are_trusted_together_for_a_time(pki, changed):
    pki.run(data())
    first, declared = key_of(pki), data(**changed)
    overlap = timedelta(days=10 if "overlap" in changed else 30)

    introduced = pki.run(declared)
    found = reasons(introduced)
    assert set(found) == {"root/next", "api"}
    assert found["api"] == ("chain_changed",)
    assert (roots(pki), key_of(pki)) == (2, first)
    following = key_of(pki, NEXT)
    assert not pki.run(declared).plan.changed

    pki.now += overlap - timedelta(seconds=1)
    assert not pki.run(declared).plan.changed
    pki.now += timedelta(seconds=1)
    switched = pki.run(declared)
    assert reasons(switched) == {
        "root": ("rollover",),
        "root/previous": ("rollover",),
        "root/next": ("rollover",),
        "issuing": ("issuer_changed",),
        "api": ("chain_changed",),
    }
    assert (roots(pki), key_of(pki), key_of(pki, PREVIOUS)) == (2, following, first)
    assert not pki.path(NEXT).exists()
    assert pki.is_pair("authorities/root")
    assert not pki.run(declared).plan.changed

    pki.now += overlap
    assert reasons(pki.run(declared)) == {"root/previous": ("overlap_ended",), "api": ("ca_changed",)}
    assert roots(pki) == 1
    assert not pki.path(PREVIOUS).exists()
    pki.now += DAY
    assert not pki.run(declared).plan.changed


@pytest.mark.parametrize("step", [4, 7, 29])
def test_p44_nobody_who_loads_new_files_in_time_is_ever_refused(pki, step):
    """Runs for years with a root that gets a new key each time; ends load what they trust and send at other times."""
    declared = {
        "authorities": [
            {"name": "root", "valid_for": "500d", "rotation_policy": "always"},
            {"name": "issuing", "issuer": "root", "valid_for": "200d", "rotation_policy": "always"},
        ],
        "certificates": [api(valid_for="40d", renew_before="35d" if step > 7 else "10d", rotation_policy="always")],
    }
    recent, keys = [], set()
    for _run in range(0, 1200, step):
        pki.run(declared)
        keys.add(key_of(pki))
        recent.append((pki.now, files(pki)))
        # Whoever looks each time, and whoever looks only just in time.
        recent = [known for known in recent if pki.now - known[0] < 30 * DAY]
        ends = (recent[0][1], recent[-1][1])
        for (trusted, _sent), (_trusted, sent) in product(ends, ends):
            if accepts(recent[-1][1][0], sent, pki.now):
                assert accepts(trusted, sent, pki.now), pki.now
        assert accepts(*recent[-1][1], pki.now)
        pki.now += step * DAY
    assert len(keys) > 2


def test_a_change_that_is_taken_back_leaves_no_next_root(pki):
    pki.run(data())
    pki.run(data(key_type="ecdsa-p384"))
    assert roots(pki) == 2
    assert reasons(pki.run(data()))["root/next"] == ("not_declared",)
    assert roots(pki) == 1
    assert not pki.run(data()).plan.changed


def test_a_next_root_is_made_anew_if_something_else_is_declared_meanwhile(pki):
    pki.run(data())
    pki.run(data(key_type="ecdsa-p384"))
    pki.now += 20 * DAY
    other = data(key_type="ecdsa-p384", path_length=1)
    assert "path_length_changed" in reasons(pki.run(other))["root/next"]
    pki.now += 29 * DAY
    assert not pki.run(other).plan.changed
    pki.now += DAY
    assert reasons(pki.run(other))["root"] == ("rollover",)


def test_what_does_not_change_its_identity_changes_a_root_at_once(pki):
    pki.run(data())
    key = key_of(pki)
    assert reasons(pki.run(data(path_length=1)))["root"] == ("path_length_changed",)
    assert key_of(pki) == key


def test_a_root_without_rotation_keeps_its_key_for_ever(pki):
    declared = data(valid_for="1500d")
    pki.run(declared)
    key = key_of(pki)
    for _year in range(8):
        pki.now += 300 * DAY
        pki.run(declared)
    assert key_of(pki) == key


def test_a_new_key_of_an_intermediate_needs_no_overlap(pki):
    def declared(**options):
        both = data(api())
        both["authorities"][1].update(options)
        return both

    pki.run(declared())
    old = files(pki)
    assert reasons(pki.run(declared(generation=2))) == {
        "issuing": ("generation_changed",),
        "api": ("issuer_changed",),
    }
    new = files(pki)
    assert new[0] == old[0]
    assert accepts(old[0], new[1], pki.now)
    assert not pki.run(declared(generation=2)).plan.changed
    assert not pki.run(declared()).plan.changed


def test_p16_a_rollover_survives_a_crash_at_any_call(pki, tmp_path):
    """Whatever was done of it, the pair is one, and the run that follows ends where the first would have."""
    declared, crashes = data(generation=2), 0
    for number in range(1, 600, 5):
        pki.root, pki.now = tmp_path / str(number), pki.now.replace(month=3, day=1)
        pki.run(data())
        first = key_of(pki)
        pki.run(declared)
        following = key_of(pki, NEXT)
        before = files(pki)
        pki.now += 30 * DAY
        try:
            pki.run(declared, crash_at(number))
        except Crash:
            crashes += 1
        else:
            break
        assert pki.is_pair("authorities/root")
        assert all(accepts(trusted, files(pki)[1], pki.now) for trusted in (before[0], files(pki)[0]))
        pki.run(declared)
        assert (key_of(pki), key_of(pki, PREVIOUS), roots(pki)) == (following, first, 2)
        assert not pki.run(declared).plan.changed
        assert not pki.path(NEXT).exists()
    assert crashes > 20


def test_p05_the_passphrase_is_needed_for_all_generations(pki, tmp_path):
    pki.run(data(passphrase="first passphrase"))
    pki.run(data(passphrase="first passphrase", generation=2))
    assert b"ENCRYPTED" in pki.path(f"{NEXT}/key.pem").read_bytes()
    error = refused(pki, data(passphrase="another", generation=2))
    assert error.reason == "ca_passphrase"


def test_check_mode_tells_what_a_switch_does(pki):
    pki.run(data())
    pki.run(data(generation=2))
    pki.now += 30 * DAY
    planned = pki.plan(data(generation=2)).plan
    before = pki.contents()
    assert pki.plan(data(generation=2)).plan == planned
    assert pki.contents() == before
    assert pki.run(data(generation=2)).plan == planned


def test_files_of_somebody_else_where_a_next_root_should_be(pki):
    pki.run(data())
    Path(pki.path(NEXT)).mkdir()
    pki.path(f"{NEXT}/key.pem").write_bytes(crypto.key_to_pem(crypto.new_key("ecdsa-p256")))
    assert refused(pki, data(generation=2)).reason == "foreign_file"
