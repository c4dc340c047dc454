# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""spire_info, of whatever server is there."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.info import server_info
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.server import Server

from tests.contract.spire.standin import Spire, standin
from tests.contract.spire.syncing import NOW, transport

AUTHORITY = Path(__file__).with_name("authority.crt").read_bytes()


def info(spire: Spire, now: float = NOW) -> dict[str, Any]:
    return server_info(Server(transport(spire), spire.socket), datetime.fromtimestamp(now, timezone.utc))


def test_entries_are_told_by_owner(spire: Spire) -> None:
    spire.token_alias("node")
    spire.create(spire.entry("shop.a", "a"), spire.entry("shop.b", "b"), spire.entry("", "c"), spire.entry("bare", "d"))
    found = info(spire)
    assert found["entries"] == {"total": 5, "by_owner": {"none": 3, "shop": 2}, "join_token_aliases": 1}
    assert found["server"]["healthy"] is True
    assert found["server"]["trust_domain"] == spire.domain
    assert found["server"]["version"][0].isdigit()


def test_bundles_and_relationships_are_told(spire: Spire) -> None:
    row = {
        "trustDomain": "partner.example.com",
        "bundleEndpointURL": "https://127.0.0.1:1/",
        "bundleEndpointProfile": "https_spiffe",
        "endpointSPIFFEID": "spiffe://partner.example.com/spire/server",
        "trustDomainBundle": AUTHORITY.decode(),
        "trustDomainBundleFormat": "pem",
    }
    web = {**row, "trustDomain": "web.example.com", "bundleEndpointProfile": "https_web"}
    del web["trustDomainBundle"]
    spire.statuses("federation", "create", "-data", "-", data={"federationRelationships": [row, web]})
    found = info(spire)
    own, partner = found["bundles"]
    assert (own["own"], own["trust_domain"], partner["own"]) == (True, spire.domain, False)
    assert partner == {
        "trust_domain": "partner.example.com",
        "own": False,
        "x509_authorities": 1,
        "jwt_authorities": 0,
        "sequence_number": 0,
        "not_after": partner["not_after"],
        "seconds_left": int(datetime.strptime(partner["not_after"], "%Y-%m-%dT%H:%M:%S%z").timestamp() - NOW),
    }
    told = {one["trust_domain"]: one for one in found["federation"]}
    assert told["web.example.com"]["bundle"] == "missing"
    assert told["partner.example.com"] == {
        "trust_domain": "partner.example.com",
        "url": "https://127.0.0.1:1/",
        "profile": "https_spiffe",
        "spiffe_id": "spiffe://partner.example.com/spire/server",
        "bundle": "there",
    }
    later = {one["trust_domain"]: one["bundle"] for one in info(spire, 10_000_000_000.0)["federation"]}
    assert later["partner.example.com"] == "ended"


def test_agents_are_told_by_what_has_become_of_them(tmp_path: Path) -> None:
    with standin(tmp_path) as spire:
        assert spire.store is not None
        for name, ends, banned in (("a", NOW + 1, False), ("b", NOW, False), ("c", NOW + 1, True), ("d", NOW, True)):
            kind = "k8s_psat" if name < "c" else "x509pop"
            agent = {"attestation_type": kind, "banned": banned, "x509svid_expires_at": str(int(ends))}
            spire.store.keep("agents", name, agent)
        assert info(spire)["agents"] == {
            "total": 4,
            "attested": 1,
            "expired": 1,
            "banned": 2,
            "by_type": {"k8s_psat": 2, "x509pop": 2},
        }


def test_s12_a_server_that_cannot_be_asked(tmp_path: Path) -> None:
    with standin(tmp_path) as spire:
        assert spire.store is not None
        spire.store.set_faults(socket="refused")
        with pytest.raises(PlatformError) as error:
            info(spire)
    assert error.value.reason == "not_running"
    assert json.dumps(error.value.message)
