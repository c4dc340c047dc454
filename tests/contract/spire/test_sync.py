# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""spire_sync, of whatever server is there. Nothing here knows which one it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.facts import privileged

from tests.contract.spire.standin import Spire
from tests.contract.spire.syncing import changes, converges, node, planned, refused, synced, with_settings

AUTHORITY = str(Path(__file__).with_name("authority.crt"))
PARTNER = {"trust_domain": "partner.example.com", "bundle": AUTHORITY}
NOBODY = {"url": "https://127.0.0.1:1/"}


def everything(spire: Spire) -> dict[str, Any]:
    return spire.entry(
        "shop.api",
        "api",
        "k8s:ns:shop",
        "k8s:sa:api",
        x509_svid_ttl=600,
        jwt_svid_ttl=60,
        federates_with=["spiffe://partner.example.com"],
        admin=True,
        downstream=True,
        entryExpiry=4_000_000_000,
        dns_names=["b.example.org", "a.example.org"],
        hint="api",
        additional_attributes={"disable_x509_svid_prefetch": True, "jwt_svid_include_jti": True},
    )


def stored(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("created_at", "revision_number")}


def test_each_field_is_made_changed_and_taken_away(spire: Spire) -> None:
    full = everything(spire)
    assert converges(spire, [full], federation=[PARTNER])["create"] == 3
    made = spire.entries()["shop.api"]
    assert (made["admin"], made["downstream"], made["expires_at"]) == (True, True, "4000000000")
    assert (made["x509_svid_ttl"], made["jwt_svid_ttl"], made["hint"]) == (600, 60, "api")
    assert made["dns_names"] == ["b.example.org", "a.example.org"]
    assert made["additional_attributes"] == {"disable_x509_svid_prefetch": True, "jwt_svid_include_jti": True}
    optional = sorted(full.keys() - {"entry_id", "spiffe_id", "parent_id", "selectors", "downstream"})
    for name in optional:
        less = {key: value for key, value in full.items() if key != name}
        (change,) = planned(spire, [less], federation=[PARTNER]).plan.changes
        assert (change.name, change.reasons) == ("shop.api", ("privileges" if name == "admin" else name,))
        assert converges(spire, [less], federation=[PARTNER])["update"] == 1
        assert converges(spire, [full], federation=[PARTNER])["update"] == 1
    assert converges(spire, [spire.entry("shop.api", "api", "k8s:ns:shop", "k8s:sa:api")])["update"] == 1


def test_selectors_parent_and_id_change_in_place(spire: Spire) -> None:
    """By the same id, so no workload is without its SVID for a moment."""
    synced(
        spire,
        [
            spire.entry("shop.api", "api"),
            spire.entry("shop.other", "other", "k8s_psat:cluster:d", parent="spire/server"),
        ],
    )
    before = spire.entries()["shop.api"]
    moved = spire.entry("shop.api", "api/v2", "k8s:sa:api", "k8s:ns:shop", parent="other")
    assert (
        converges(spire, [moved, spire.entry("shop.other", "other", "k8s_psat:cluster:d", parent="spire/server")])[
            "update"
        ]
        == 1
    )
    after = spire.entries()["shop.api"]
    assert after["created_at"] == before["created_at"]
    assert int(after["revision_number"]) == int(before["revision_number"]) + 1


def test_orders_of_lists_are_no_change(spire: Spire) -> None:
    synced(spire, [spire.entry("shop.a", "a", "k8s:ns:x", "k8s:sa:a", dns_names=["b.x", "a.x"])])
    other = spire.entry("shop.a", "a", "k8s:sa:a", "k8s:ns:x", dns_names=["a.x", "b.x"])
    assert not planned(spire, [other]).plan.changed


def test_foreign_entries_are_reported_and_left(spire: Spire) -> None:
    spire.create(spire.entry("", "theirs", parent="q"), spire.entry("other.one", "one", parent="q"))
    alias = spire.token_alias("token")
    before = spire.entries()
    plan = planned(spire, [spire.entry("shop.a", "a")]).plan
    assert set(plan.foreign) == {f"entry {key}" for key in before}
    assert converges(spire, [spire.entry("shop.a", "a")])["create"] == 2
    assert synced(spire, [])["delete"] == 2
    assert spire.entries() == before
    assert alias in before


def test_s03_a_foreign_twin_is_refused_and_untouched(spire: Spire) -> None:
    spire.create(spire.entry("", "api", hint="theirs"))
    before = spire.entries()
    error = refused(spire, [spire.entry("shop.api", "api")])
    (key,) = before
    assert error.reason == "foreign_owner"
    assert error.message == (
        f"entries: entry 'shop.api' is there and belongs to 'entry id {key}'; give it another name, or set adopt to "
        "take it over"
    )
    assert spire.entries() == before


def test_s03_adopting_takes_the_twin_over_under_our_id(spire: Spire) -> None:
    spire.create(spire.entry("", "api", hint="theirs"))
    adopts = with_settings(adopt=True)
    ours = [spire.entry("shop.api", "api", hint="ours")]
    ((_action, _name, _reasons), adopted) = changes(planned(spire, ours, adopts))
    assert adopted == ("update", "shop.api", ("adopted", "hint"))
    assert converges(spire, ours, adopts)["update"] == 1
    assert {key: row["hint"] for key, row in spire.entries().items()} == {"shop.node": "", "shop.api": "ours"}


def test_s03_a_twin_of_ours_is_in_nobodys_way(spire: Spire) -> None:
    """spire-controller-manager is blocked by one for ever."""
    synced(spire, [spire.entry("shop.api", "api")])
    spire.create(spire.entry("theirs", "else"))
    spire.update(spire.entry("theirs", "api"))
    assert converges(spire, [spire.entry("shop.api", "api", x509_svid_ttl=60)])["update"] == 1
    assert spire.entries().keys() == {"shop.node", "shop.api", "theirs"}
    assert converges(spire, [spire.entry("shop.api", "api")], with_settings(adopt=True))["update"] == 1
    assert spire.entries().keys() == {"shop.node", "shop.api"}


def test_s03_what_a_join_token_made_is_never_adopted(spire: Spire) -> None:
    key = spire.token_alias("node")
    alias = spire.entries()[key]
    parent = alias["parent_id"]["path"].lstrip("/")
    selectors = [f"{one['type']}:{one['value']}" for one in alias["selectors"]]
    error = refused(spire, [spire.entry("shop.alias", "node", *selectors, parent=parent)], with_settings(adopt=True))
    assert error.reason == "foreign_owner"
    assert f"entry {key!r}" in error.message
    assert spire.entries()[key] == alias


def test_identities_are_swapped_and_renamed_without_a_gap(spire: Spire) -> None:
    """Whoever is to have an identity has it before the one who has it goes."""
    synced(spire, [spire.entry("shop.a", "a"), spire.entry("shop.b", "b"), spire.entry("shop.c", "c")])
    swapped = [spire.entry("shop.a", "b"), spire.entry("shop.b", "a"), spire.entry("shop.new", "c")]
    assert converges(spire, swapped) == {"create": 1, "update": 2, "delete": 1, "unchanged": 1}
    assert {key: row["spiffe_id"]["path"] for key, row in spire.entries().items() if key != "shop.node"} == {
        "shop.a": "/b",
        "shop.b": "/a",
        "shop.new": "/c",
    }


def test_a_policy_and_a_limit_hold(spire: Spire) -> None:
    many = [spire.entry(f"shop.{at}", f"s{at}") for at in range(12)]
    synced(spire, many)
    few = [*many[:6], spire.entry("shop.new", "new")]
    error = refused(spire, few, with_settings(limits=Limits()))
    assert error.reason == "limit_exceeded"
    assert synced(spire, few, with_settings(purge=False))["delete"] == 0
    assert len(spire.entries()) == 14
    assert converges(spire, few)["delete"] == 6


def test_s17_nothing_declared_is_refused_before_it_deletes_all(spire: Spire) -> None:
    synced(spire, [spire.entry("shop.a", "a")])
    error = refused(spire, [], with_settings(limits=Limits()))
    assert error.reason == "empty_desired"
    assert len(spire.entries()) == 2


def test_s11_privileges_are_said_aloud(spire: Spire) -> None:
    synced(spire, [spire.entry("shop.a", "a"), spire.entry("shop.b", "b", admin=True)])
    sync = planned(spire, [spire.entry("shop.a", "a", downstream=True), spire.entry("shop.b", "b")])
    assert privileged(sync.plan.changes) == [
        "PRIVILEGED: shop.b loses admin: MAY MANAGE THE SERVER",
        "PRIVILEGED: shop.a gets downstream: MAY SIGN IDENTITIES OF THE WHOLE TRUST DOMAIN",
    ]
    assert {(change.name, change.reasons) for change in sync.plan.changes} == {
        ("shop.a", ("privileges",)),
        ("shop.b", ("privileges",)),
    }


def test_s07_a_parent_that_nobody_has_is_refused(spire: Spire) -> None:
    error = refused(spire, [spire.entry("shop.a", "a", parent="pp"), spire.entry("shop.b", "b", parent="pp")])
    assert error.reason == "no_parent"
    assert error.message == (
        f"spiffe://{spire.domain}/pp is the parent of shop.a, shop.b, but no agent and no entry has this SPIFFE ID "
        f"(did you mean 'spiffe://{spire.domain}/p'?); declare the node alias too"
    )
    assert spire.entries() == {}


def test_s07_an_alias_in_use_does_not_go(spire: Spire) -> None:
    synced(spire, [spire.entry("shop.a", "a")])
    spire.create(spire.entry("theirs", "theirs"))
    error = refused(spire, [])
    assert error.reason == "in_use"
    assert "entry 'shop.node' is to be deleted, but entry 'theirs' needs it" in error.message


def test_s14_federation_with_nobody_is_refused(spire: Spire) -> None:
    error = refused(spire, [spire.entry("shop.a", "a", federates_with=["partner.example.com"])])
    assert error.reason == "missing_reference"
    assert "entry 'shop.a' needs bundle 'partner.example.com', which is nowhere; declare it" in error.message
    assert spire.entries() == {}


def test_bundles_are_set_changed_and_taken_away(spire: Spire, tmp_path: Path) -> None:
    entry = spire.entry("shop.a", "a", federates_with=["partner.example.com"])
    assert converges(spire, [entry], federation=[PARTNER])["create"] == 3
    empty = tmp_path / "empty.json"
    empty.write_text('{"keys": [], "spiffe_sequence": 3}')
    changed = {**PARTNER, "bundle": str(empty)}
    (change,) = planned(spire, [entry], federation=[changed]).plan.changes
    assert (change.kind, change.reasons) == ("bundle", ("sequence_number", "x509_authorities"))
    assert converges(spire, [entry], federation=[changed])["update"] == 1
    gone = [{"trust_domain": "partner.example.com", "state": "absent"}]
    error = refused(spire, [entry], federation=gone)
    assert error.message.startswith("bundle 'partner.example.com' is to be deleted, but entry 'shop.a' needs it")
    assert converges(spire, [spire.entry("shop.a", "a")], federation=gone) == {
        "create": 0,
        "update": 1,
        "delete": 1,
        "unchanged": 1,
    }


def test_s16_a_bundle_that_was_rotated_stays(spire: Spire, tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text('{"keys": [], "spiffe_sequence": 3}')
    new.write_text('{"keys": [], "spiffe_sequence": 4}')
    entry = spire.entry("shop.a", "a")
    synced(spire, [entry], federation=[{**PARTNER, "bundle": str(new)}])
    sync = planned(spire, [entry], federation=[{**PARTNER, "bundle": str(old)}])
    assert not sync.plan.changed
    assert spire.bundles()["partner.example.com"]["sequence_number"] == "4"


def test_a_relationship_is_made_and_its_first_bundle_is_only_the_first(spire: Spire, tmp_path: Path) -> None:
    partner = {**PARTNER, "endpoint": NOBODY}
    entry = spire.entry("shop.a", "a", federates_with=["partner.example.com"])
    assert converges(spire, [entry], federation=[partner])["create"] == 4
    spire.json("bundle", "set", "-id", "spiffe://partner.example.com", "-format", "spiffe", data={"keys": []})
    assert not planned(spire, [entry], federation=[partner]).plan.changed
    mutual = {"url": "https://127.0.0.1:2/", "profile": "https_spiffe", "spiffe_id": "spiffe://partner.example.com/s"}
    assert converges(spire, [entry], federation=[{**partner, "endpoint": mutual}])["update"] == 1
    gone = [{"trust_domain": "partner.example.com", "state": "absent"}]
    assert converges(spire, [spire.entry("shop.a", "a")], federation=gone)["delete"] == 2
    assert spire.bundles() == {}


def test_a_relationship_without_a_bundle_is_fetched_at_once(spire: Spire) -> None:
    partner = {"trust_domain": "partner.example.com", "endpoint": NOBODY}
    error = refused(spire, [spire.entry("shop.a", "a", federates_with=["partner.example.com"])], federation=[partner])
    assert error.reason == "refresh_failed"
    assert "its bundle cannot be fetched" in error.message
    (change,) = (
        one
        for one in planned(spire, [spire.entry("shop.a", "a")], federation=[partner]).plan.changes
        if one.kind == "federation"
    )
    assert (change.action, change.reasons) == ("update", ("bundle",))


def test_a_run_is_rolled_back(spire: Spire) -> None:
    synced(spire, [spire.entry("shop.a", "a"), spire.entry("shop.b", "b")])
    spire.create(spire.entry("", "theirs", hint="theirs"))
    before = {key: stored(row) for key, row in spire.entries().items()}
    settings = with_settings(adopt=True, on_failure="rollback")
    wanted = [
        spire.entry("shop.a", "a", hint="new"),
        spire.entry("shop.c", "c"),
        spire.entry("shop.t", "theirs"),
    ]
    sync = planned(spire, wanted, settings)
    # Somebody deletes what is to be updated.
    spire.delete("shop.a")
    with pytest.raises(PlatformError) as error:
        sync.apply()
    assert error.value.reason == "conflict"
    after = {key: stored(row) for key, row in spire.entries().items()}
    assert {row["hint"] for row in after.values()} == {"", "theirs"}
    assert after == before


def test_the_alias_comes_first_and_goes_last(spire: Spire) -> None:
    sync = planned(spire, [spire.entry("shop.a", "a")])
    assert [[step.ref[1] for step in stage] for stage in sync.planned.stages] == [["shop.node"], ["shop.a"]]
    sync.apply()
    gone = planned(spire, [])
    assert [[step.ref[1] for step in stage] for stage in gone.planned.stages] == [["shop.a"], ["shop.node"]]
    assert node(spire)["entry_id"] in spire.entries()
