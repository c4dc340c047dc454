# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What `spire-server` does and the module relies upon, of whatever server is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.contract.spire.standin import Spire

PARTNER = Path(__file__).with_name("authority.crt").read_bytes()
ALIKE, MISSING, REFUSED = 6, 5, 3


def dials(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("x509_svid_ttl", "jwt_svid_ttl", "hint", "dns_names", "admin", "downstream")}


def test_a_failed_row_is_told_in_its_status_and_the_others_are_made(spire: Spire) -> None:
    codes = spire.create(
        spire.entry("t.a", "a"),
        spire.entry("t.b", "b", "unix:"),
        {**spire.entry("t.c", "c"), "spiffe_id": "spiffe://elsewhere.example.com/c"},
        spire.entry("t.d", "d", federates_with=["nobody.example.com"]),
        spire.entry("t.e", "e"),
    )
    assert codes == [0, REFUSED, REFUSED, 13, 0]
    assert spire.entries().keys() == {"t.a", "t.e"}


def test_create_refuses_a_twin_and_an_id_in_use(spire: Spire) -> None:
    assert spire.create(spire.entry("t.a", "a", "k8s:ns:x", "k8s:sa:a")) == [0]
    assert spire.create(spire.entry("t.b", "a", "k8s:sa:a", "k8s:ns:x", hint="differs")) == [ALIKE]
    assert spire.create(spire.entry("t.a", "other")) == [ALIKE]
    assert spire.create(spire.entry("", "a", "k8s:sa:a", "k8s:ns:x")) == [ALIKE]


def test_an_update_replaces_every_field_and_keeps_the_id(spire: Spire) -> None:
    full = spire.entry("t.a", "a", x509_svid_ttl=60, jwt_svid_ttl=30, hint="h", dns_names=["b.x", "a.x"], admin=True)
    assert spire.create(full) == [0]
    made = spire.entries()["t.a"]
    assert made["dns_names"] == ["b.x", "a.x"]
    assert spire.update(spire.entry("t.a", "elsewhere", "k8s:sa:new", parent="q")) == [0]
    now = spire.entries()["t.a"]
    assert (now["spiffe_id"]["path"], now["parent_id"]["path"]) == ("/elsewhere", "/q")
    assert now["selectors"] == [{"type": "k8s", "value": "sa:new"}]
    assert dials(now) == {
        **dials(made),
        "x509_svid_ttl": 0,
        "jwt_svid_ttl": 0,
        "hint": "",
        "dns_names": [],
        "admin": False,
    }
    assert now["created_at"] == made["created_at"]


def test_an_update_makes_twins_where_a_create_does_not(spire: Spire) -> None:
    """What makes changes without a gap possible."""
    assert spire.create(spire.entry("", "a")) == [0]
    assert spire.create(spire.entry("t.a", "a", "k8s:sa:a", "zerotrust_platform:placeholder")) == [0]
    assert spire.update(spire.entry("t.a", "a")) == [0]
    assert len(spire.entries()) == 2


def test_what_is_unknown_is_taken_without_a_word(spire: Spire) -> None:
    entry = spire.entry("t.a", "a", "nosuch:thing", parent="does/not/exist", dns_names=["bad_dns name"], nonsense=1)
    assert spire.create(entry) == [0]


def test_what_is_not_there_can_be_neither_updated_nor_deleted(spire: Spire) -> None:
    assert spire.update(spire.entry("t.a", "a")) == [MISSING]
    assert spire.delete("t.a") == [MISSING]


def test_a_token_makes_an_alias_below_its_agent(spire: Spire) -> None:
    key = spire.token_alias("node")
    alias = spire.entries()[key]
    assert alias["parent_id"]["path"].startswith("/spire/agent/join_token/")
    assert [selector["type"] for selector in alias["selectors"]] == ["spiffe_id"]


def test_messages_above_4_mib_fail_and_a_large_answer_fails_after_the_work(spire: Spire) -> None:
    def rows(size: int) -> list[dict[str, Any]]:
        return [spire.entry(f"t.{at}", f"a{at}", f"unix:path:/{'v' * size}") for at in range(500)]

    def write(action: str, size: int) -> bytes:
        data = json.dumps({"entries": rows(size)}).encode()
        done = spire.run("entry", action, "-data", "-", "-output", "json", stdin=data)
        assert (done.returncode, done.stdout) == (1, b"")
        return done.stderr

    assert b"received message larger than max" in write("create", 8400)
    assert spire.entries() == {}
    assert b"received message larger than max" in write("create", 8315)
    assert spire.json("entry", "count") == {"count": 500}
    assert b"received message larger than max" in spire.run("entry", "show", "-output", "json").stderr
    spire.delete(*(f"t.{at}" for at in range(500)))


def test_a_bundle_is_set_whole_and_goes_only_when_nobody_federates(spire: Spire) -> None:
    name = ["-id", "spiffe://partner.example.com"]
    assert spire.json("bundle", "set", *name, "-format", "spiffe", data={"keys": [], "spiffe_sequence": 7})
    assert spire.bundles()["partner.example.com"]["sequence_number"] == "7"
    done = spire.run("bundle", "set", *name, "-output", "json", stdin=PARTNER)
    assert json.loads(done.stdout)["results"][0]["status"]["code"] == 0
    assert spire.bundles()["partner.example.com"]["sequence_number"] == "0"
    assert spire.create(spire.entry("t.a", "a", federates_with=["spiffe://partner.example.com"])) == [0]
    assert spire.entries()["t.a"]["federates_with"] == ["partner.example.com"]
    assert spire.statuses("bundle", "delete", *name) == [9]
    assert spire.delete("t.a") == [0]
    assert spire.statuses("bundle", "delete", *name) == [0]


def test_a_relationship_goes_and_its_bundle_stays(spire: Spire) -> None:
    row = {
        "trustDomain": "partner.example.com",
        "bundleEndpointURL": "https://127.0.0.1:1/",
        "bundleEndpointProfile": "https_web",
        "trustDomainBundle": PARTNER.decode(),
        "trustDomainBundleFormat": "pem",
    }
    data = {"federationRelationships": [row]}
    assert spire.statuses("federation", "create", "-data", "-", data=data) == [0]
    assert spire.statuses("federation", "create", "-data", "-", data=data) == [13]
    del row["trustDomainBundle"]
    without = {"federationRelationships": [row]}
    assert spire.statuses("federation", "update", "-data", "-", data=without) == [0]
    assert spire.statuses("federation", "delete", "-id", "spiffe://partner.example.com") == [0]
    assert spire.bundles().keys() == {"partner.example.com"}
