# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Name constraints, with OpenSSL as the judge of what they permit."""

from __future__ import annotations

import subprocess
from datetime import datetime, timezone

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.constraints import violation
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.declaration import Source, parse
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Constraints

from tests.unit.pki.trees import api, data, reasons, refused


def tree(constraints, *certificates):
    declared = data(*certificates)
    declared["authorities"][1]["name_constraints"] = constraints
    return declared


CASES = [
    # kind, permitted, excluded, name, good: as x509-limbo has them (nc::*)
    ("dns", ["zt"], [], "api.zt", True),
    ("dns", ["api.zt"], [], "api.zt", True),
    ("dns", ["api.zt"], [], "a.b.api.zt", True),
    ("dns", ["api.zt"], [], "xapi.zt", False),
    ("dns", ["other.zt"], [], "api.zt", False),
    ("dns", ["other.zt", "zt"], [], "api.zt", True),
    ("dns", [], ["zt"], "api.zt", False),
    ("dns", [], ["other.zt"], "api.zt", True),
    ("dns", ["zt"], ["b.zt"], "a.b.zt", False),
    ("dns", ["zt"], [], "*.api.zt", True),
    ("dns", ["api.zt"], [], "*.api.zt", True),
    ("dns", [], ["secret.api.zt"], "*.api.zt", False),
    ("ips", ["10.0.0.0/8"], [], "10.1.2.3", True),
    ("ips", ["10.0.0.0/8"], [], "11.1.2.3", False),
    ("ips", ["10.0.0.0/8"], [], "::1", False),
    ("ips", [], ["10.0.0.0/8"], "::1", True),
    ("ips", ["2001:db8::/32"], ["2001:db8:1::/48"], "2001:db8:1::5", False),
    ("emails", ["zt.example"], [], "a@zt.example", True),
    ("emails", ["zt.example"], [], "a@b.zt.example", False),
    ("emails", [".zt.example"], [], "a@b.zt.example", True),
    ("emails", ["a@zt.example"], [], "b@zt.example", False),
    ("emails", ["a@zt.example"], [], "a@zt.example", True),
    ("uris", ["zt.example"], [], "https://zt.example/x", True),
    ("uris", ["zt.example"], [], "https://a.zt.example/x", False),
    ("uris", [".zt.example"], [], "https://a.zt.example/x", True),
    ("uris", [], ["zt.example"], "spiffe://zt.example/a", False),
    ("uris", ["zt.example"], [], "urn:a:b", False),
]


@pytest.mark.parametrize(("kind", "permitted", "excluded", "name", "good"), CASES)
def test_p25_a_name_is_held_against_the_constraints_above(kind, permitted, excluded, name, good):
    sides = {side: {kind: values} for side, values in (("permitted", permitted), ("excluded", excluded)) if values}
    declared = tree(sides, {"name": "x", "issuer": "issuing", kind: [name], "profile": "mtls"})
    if good:
        assert len(parse([Source(declared)]).requests) == 3
        return
    with pytest.raises(PlatformError) as caught:
        parse([Source(declared)])
    assert (caught.value.reason, repr(name) in caught.value.message) == ("name_constraints", True)


@pytest.mark.parametrize(
    ("kind", "permitted", "excluded", "name"),
    # OpenSSL asks of a URI and of a wildcard what we do not: such names are refused before they come that far.
    [case[:4] for case in CASES if case[4] and "*" not in case[3]],
)
def test_p25_openssl_accepts_what_is_permitted(pki, kind, permitted, excluded, name):
    sides = {side: {kind: values} for side, values in (("permitted", permitted), ("excluded", excluded)) if values}
    pki.now = datetime.now(timezone.utc)
    declared = tree(sides, {"name": "api", "issuer": "issuing", kind: [name], "profile": "mtls"})
    pki.run(declared)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", pki.path("api/ca-cert.pem")]
    command += ["-untrusted", pki.path("api/fullchain.pem"), pki.path("api/cert.pem")]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    assert not pki.run(declared).plan.changed


def test_p25_constraints_of_all_authorities_above_hold(pki):
    declared = data(api())
    declared["authorities"][0]["name_constraints"] = {"permitted": {"dns": ["other.zt"]}}
    error = refused(pki, declared)
    assert error.reason == "name_constraints"
    assert "'root'" in error.message


def test_p25_constraints_in_a_certificate_that_declares_none(pki):
    """An authority that was put there by others is asked what it says itself."""
    limited = tree({"permitted": {"dns": ["other.zt"]}}, api(dns=["a.other.zt"]))
    pki.run(limited)
    imported = data(api())
    imported["authorities"][1]["imported"] = True
    error = refused(pki, imported)
    assert error.reason == "name_constraints"
    assert "in the certificate of 'issuing'" in error.message


def test_other_constraints_are_a_reason(pki):
    pki.run(data())
    assert reasons(pki.run(tree({"permitted": {"dns": ["zt"]}})))["issuing"] == ("name_constraints_changed",)
    assert not pki.run(tree({"permitted": {"dns": ["zt"]}})).plan.changed


@pytest.mark.parametrize(
    ("constraints", "code"),
    [
        ({}, "bad_name_constraints"),
        ({"permitted": {"dns": ["*.zt"]}}, "bad_dns"),
        ({"permitted": {"dns": [".zt"]}}, "bad_dns"),
        ({"permitted": {"ips": ["10.0.0.1/8"]}}, "bad_ips"),
        ({"permitted": {"ips": ["10"]}}, "bad_ips"),
        ({"excluded": {"uris": ["https://zt"]}}, "bad_uris"),
        ({"excluded": {"names": ["zt"]}}, "unknown_key"),
        ({"allowed": {}}, "unknown_key"),
        ([], "bad_type"),
    ],
)
def test_constraints_that_are_none(pki, constraints, code):
    assert refused(pki, tree(constraints)).reason == code


def test_what_is_not_named_is_free():
    request = parse([Source(data(api(ips=["10.0.0.1"])))]).requests[-1]
    assert violation(Constraints((("dns", "zt"),)), request) is None
