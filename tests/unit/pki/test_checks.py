# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ordered checks: each reason by itself, and time to the second."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.checks import (
    BAD,
    ENCRYPTED,
    GOOD,
    MISSING,
    Facts,
    needs_new_key,
    not_after,
    not_before,
    reasons,
    refusals,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import CA, DAY, Request

NOW = datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=timezone.utc)
LEAF = Request(
    name="api",
    issuer="root",
    subject=(("common_name", "api.zt"),),
    profile="server",
    key_type="ecdsa-p256",
    valid_for=90 * DAY,
    renew_before=30 * DAY,
    files={},
    dns=("api.zt",),
)
GOOD_LEAF = Facts(
    certificate=GOOD,
    key=GOOD,
    key_matches=True,
    key_type="ecdsa-p256",
    issued_by=True,
    subject=LEAF.subject,
    dns=LEAF.dns,
    key_usage=frozenset({"digital_signature"}),
    extended=("server_auth",),
    not_before=not_before(LEAF, NOW),
    not_after=not_after(LEAF, NOW),
)
AUTHORITY = replace(LEAF, name="root", issuer=None, profile=CA, dns=())
GOOD_AUTHORITY = replace(GOOD_LEAF, dns=(), is_ca=True, extended=(), key_usage=frozenset({"key_cert_sign", "crl_sign"}))


def test_what_is_as_declared_stays():
    assert reasons(LEAF, GOOD_LEAF, NOW) == ()
    assert reasons(AUTHORITY, GOOD_AUTHORITY, NOW) == ()
    assert list(refusals(AUTHORITY, GOOD_AUTHORITY, NOW)) == []


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"certificate": MISSING, "key": MISSING}, ("missing",)),
        ({"certificate": MISSING}, ("missing",)),
        ({"certificate": BAD}, ("bad_certificate",)),
        ({"key": MISSING}, ("key_missing",)),
        ({"key": BAD}, ("bad_key",)),
        ({"key_matches": False}, ("key_mismatch",)),
        ({"key_type": "rsa-2048"}, ("key_type_changed",)),
        ({"weakness": "a signature with sha1"}, ("weak",)),
        ({"issued_by": False}, ("issuer_changed",)),
        ({"subject": ()}, ("subject_changed",)),
        ({"dns": ()}, ("dns_changed",)),
        ({"ips": ("::1",)}, ("ips_changed",)),
        ({"uris": ("urn:a",)}, ("uris_changed",)),
        ({"emails": ("a@b",)}, ("emails_changed",)),
        ({"extended": ("client_auth",)}, ("profile_changed", "usage_missing")),
        ({"extended": ("client_auth", "server_auth")}, ("profile_changed",)),
        ({"is_ca": True}, ("profile_changed",)),
        ({"key_usage": frozenset()}, ("profile_changed",)),
        ({"path_length": 0}, ("path_length_changed",)),
        ({"not_after": NOW + timedelta(days=91)}, ("valid_for_changed",)),
        ({"dns": (), "issued_by": False}, ("issuer_changed", "dns_changed")),
    ],
)
def test_each_reason(facts, found):
    assert reasons(LEAF, replace(GOOD_LEAF, **facts), NOW) == found


@pytest.mark.parametrize(
    ("offset", "found"),
    [(-1, ()), (0, ("renewal_window",)), (30 * DAY - 1, ("renewal_window",)), (30 * DAY, ("expired",))],
)
def test_p43_time_is_exact_to_the_second(offset, found):
    now = GOOD_LEAF.not_after - timedelta(days=30) + timedelta(seconds=offset)
    assert reasons(LEAF, GOOD_LEAF, now) == found


@pytest.mark.parametrize("declared", [0, 90 * DAY, 365 * DAY])
def test_p42_a_window_that_is_none_or_too_long_is_a_third_of_the_lifetime(declared):
    """Somebody else has decided how long the certificate is valid."""
    request = replace(LEAF, renew_before=declared)
    facts = replace(GOOD_LEAF, not_before=GOOD_LEAF.not_after - timedelta(days=90))
    assert reasons(request, facts, GOOD_LEAF.not_after - timedelta(days=30, seconds=1), {"valid_for_changed"}) == ()
    assert reasons(request, facts, GOOD_LEAF.not_after - timedelta(days=30)) == ("renewal_window",)


def test_what_the_issuer_decides_is_no_reason():
    facts = replace(GOOD_LEAF, subject=(), extended=("client_auth",))
    assert reasons(LEAF, facts, NOW, frozenset({"subject_changed", "profile_changed"})) == ("usage_missing",)


def test_p43_a_certificate_renewed_at_the_boundary_is_not_renewed_again():
    now = GOOD_LEAF.not_after - timedelta(days=30)
    renewed = replace(GOOD_LEAF, not_before=not_before(LEAF, now), not_after=not_after(LEAF, now))
    assert reasons(LEAF, renewed, now) == ()


@pytest.mark.parametrize("back", [1, 299, 301, DAY, 10 * 365 * DAY])
def test_p40_a_clock_set_back_is_no_reason(back):
    assert reasons(LEAF, GOOD_LEAF, NOW - timedelta(seconds=back)) == ()


def test_the_validity_may_begin_with_the_issuers():
    assert reasons(LEAF, replace(GOOD_LEAF, not_before=NOW.replace(microsecond=0)), NOW) == ()


@pytest.mark.parametrize(
    ("facts", "new"),
    [({"key": MISSING}, True), ({"key": BAD}, True), ({"key_type": "rsa-2048"}, True), ({"dns": ()}, False)],
)
def test_a_key_is_kept_while_it_can_be(facts, new):
    assert needs_new_key(LEAF, replace(GOOD_LEAF, **facts)) is new


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"key": ENCRYPTED}, "ca_passphrase"),  # P07
        ({"key": BAD}, "ca_bad_pem"),
        ({"certificate": BAD}, "ca_bad_pem"),
        ({"key": MISSING}, "ca_key_missing"),
        ({"key_matches": False}, "ca_key_mismatch"),  # P03
        ({"weakness": "an RSA key of 1024 bits"}, "ca_weak"),  # P21
        ({"is_ca": False}, "ca_not_a_ca"),  # P26
        ({"key_usage": frozenset({"crl_sign"})}, "ca_cannot_sign"),  # P27
        ({"not_after": NOW}, "ca_expired"),  # P01
    ],
)
def test_p01_p03_p07_p21_p26_p27_an_authority_is_never_silently_replaced(facts, reason):
    assert [code for code, _message in refusals(AUTHORITY, replace(GOOD_AUTHORITY, **facts), NOW)] == [reason]


def test_p01_the_date_is_shown():
    ((_code, message),) = refusals(AUTHORITY, replace(GOOD_AUTHORITY, not_after=NOW - timedelta(days=1)), NOW)
    assert "2026-02-28T12:00:00Z" in message
