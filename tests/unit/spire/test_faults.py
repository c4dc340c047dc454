# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that can go wrong between spire_sync and a server; case numbers S01 to S16.

A new run converges each time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._spire import provider
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.facts import check_parents, check_server
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.local import Local
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.provider import PLACEHOLDER
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.server import Server

from tests.contract.spire.standin import Spire, standin
from tests.contract.spire.syncing import (
    Direct,
    Waits,
    changes,
    converges,
    declared,
    planned,
    refused,
    synced,
    with_settings,
)


@pytest.fixture
def spire(tmp_path: Path) -> Iterator[Spire]:
    with standin(tmp_path) as found:
        yield found


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "MOST_ROWS", 3)


def many(spire: Spire, count: int = 9, **others: Any) -> list[dict[str, Any]]:
    return [spire.entry(f"shop.{at}", f"s{at}", **others) for at in range(count)]


def faults(spire: Spire, **given: Any) -> None:
    assert spire.store is not None
    spire.store.set_faults(**given)


# -- the socket ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "reason", "words"),
    [
        ("missing", "no_socket", "there is no such socket; see whether the server runs, and connection.socket_path"),
        ("refused", "not_running", "nobody listens at the socket; see whether the server runs"),
        ("denied", "no_permission", "the socket may not be opened; run as the server's user or with become"),
        ("agent", "wrong_socket", "the socket is not that of a server's API"),
    ],
)
def test_s12_a_socket_that_is_none(spire: Spire, why: str, reason: str, words: str) -> None:
    faults(spire, socket=why)
    error = refused(spire, many(spire))
    assert error.reason == reason
    assert words in error.message
    assert reason == "wrong_socket" or spire.socket in error.message
    faults(spire)
    assert converges(spire, many(spire))["create"] == 10


def test_s12_a_socket_that_was_never_there(spire: Spire, tmp_path: Path) -> None:
    server = Server(Direct(), str(tmp_path / "none.sock"))
    with pytest.raises(PlatformError) as error:
        server.entries()
    assert error.value.reason == "no_socket"


def test_s01_a_server_of_another_trust_domain(spire: Spire) -> None:
    there = Spire(spire.command, spire.socket, "elsewhere.example.com", spire.store)
    error = refused(there, many(there))
    assert error.reason == "foreign_trust_domain"
    assert error.message == (
        "the declared entries are of the trust domain 'elsewhere.example.com', and the server's is 'example.org'; "
        "nothing was changed"
    )


# -- in the middle of a run ------------------------------------------------------------------------------------------


def test_s04_a_server_that_restarts_between_batches_is_waited_for(spire: Spire, small_batches: None) -> None:
    sync = planned(spire, many(spire))
    faults(spire, die=4, back=2)
    waits = Waits()
    sync.apply(waits.timing())
    assert waits
    assert len(spire.entries()) == 10
    assert converges(spire, many(spire))["unchanged"] == 10


@pytest.mark.parametrize("rows", [1, 2, 5, 9])
def test_a_server_that_stops_half_way(spire: Spire, small_batches: None, rows: int) -> None:
    sync = planned(spire, many(spire))
    faults(spire, die=rows)
    waits = Waits()
    with pytest.raises(PlatformError) as error:
        sync.apply(waits.timing())
    assert error.value.reason in ("not_running", "interrupted")
    assert "Run again to go on from here" in error.value.message
    faults(spire)
    assert len(spire.entries()) == rows
    counts = converges(spire, many(spire))
    assert (counts["create"], counts["unchanged"]) == (10 - rows, rows)


@pytest.mark.parametrize("action", ["create", "update", "delete"])
@pytest.mark.parametrize("rows", [2, 5])
def test_a_command_that_is_killed_is_told_row_by_row(spire: Spire, small_batches: None, action: str, rows: int) -> None:
    """What the account says was done is done, and what it says was not is not."""
    wanted = many(spire)
    if action != "create":
        synced(spire, wanted)
        wanted = [] if action == "delete" else many(spire, hint="new")
    before = spire.entries()
    sync = planned(spire, wanted)
    faults(spire, kill=rows)
    with pytest.raises(PlatformError) as error:
        sync.apply(Waits().timing())
    assert error.value.reason == "interrupted"
    faults(spire)
    outcome = error.value.result["outcome"]
    assert outcome["counts"]["applied"] == rows
    after = spire.entries()
    touched = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    assert {line.split("'")[1] for line in outcome["applied"]} == touched
    assert converges(spire, wanted)[action] == 10 - (action == "update") - rows


def test_s06_each_row_of_a_batch_is_told_and_the_others_are_done(spire: Spire) -> None:
    sync = planned(spire, many(spire))
    spire.create(spire.entry("", "s3"), spire.entry("", "s5"))
    with pytest.raises(PlatformError) as error:
        sync.apply(Waits().timing())
    assert error.value.reason == "conflict"
    assert [failure["name"] for failure in error.value.result["outcome"]["failed"]] == ["shop.3", "shop.5"]
    assert error.value.result["outcome"]["counts"]["applied"] == 8
    assert refused(spire, many(spire)).reason == "foreign_owner"
    assert converges(spire, many(spire), with_settings(adopt=True))["update"] == 2


def test_somebody_else_makes_one_of_our_ids_meanwhile(spire: Spire) -> None:
    sync = planned(spire, many(spire))
    spire.create(spire.entry("shop.3", "s3"), spire.entry("shop.5", "elsewhere"))
    with pytest.raises(PlatformError) as error:
        sync.apply(Waits().timing())
    # One is what we would have made.
    assert [failure["name"] for failure in error.value.result["outcome"]["failed"]] == ["shop.5"]
    assert converges(spire, many(spire))["update"] == 1


def test_s15_what_is_gone_or_changed_meanwhile(spire: Spire) -> None:
    synced(spire, many(spire))
    sync = planned(spire, many(spire, hint="new"))
    spire.delete("shop.2")
    spire.update(spire.entry("shop.3", "s3", hint="theirs"))
    with pytest.raises(PlatformError) as error:
        sync.apply(Waits().timing())
    assert "it is gone since it was read" in error.value.message
    assert converges(spire, many(spire, hint="new"))["create"] == 1
    gone = planned(spire, [])
    spire.delete("shop.4")
    gone.apply(Waits().timing())
    assert spire.entries() == {}


def test_a_hung_server_costs_one_time_limit(spire: Spire) -> None:
    for settled in (False, True):
        sync = planned(spire, many(spire)) if settled else None
        faults(spire, hang=True)
        act = partial(sync.apply, Waits().timing()) if sync else partial(planned, spire, many(spire))
        with pytest.raises(PlatformError) as error:
            act()
        assert error.value.reason == "timeout"
        faults(spire)
    assert converges(spire, many(spire))["create"] == 10


def test_a_hung_server_hangs_no_process(spire: Spire) -> None:
    """A real command that does not end."""
    faults(spire, hang=True)
    with pytest.raises(PlatformError) as error:
        planned(spire, many(spire), way=Local(spire.command, 1.5))
    assert error.value.reason == "timeout"


def test_a_database_that_is_read_only(spire: Spire) -> None:
    synced(spire, many(spire, 3))
    for wanted in (many(spire, 4), many(spire, 3, hint="new"), many(spire, 2)):
        faults(spire, read_only=True)
        error = refused(spire, wanted)
        assert error.reason == "refused"
        assert "attempt to write a readonly database" in error.message
        assert error.result["outcome"]["counts"]["applied"] == 0
        faults(spire)
    assert converges(spire, many(spire, 2, hint="new")) == {"create": 0, "update": 2, "delete": 1, "unchanged": 1}


def test_a_database_that_somebody_else_has_locked_is_waited_for(spire: Spire) -> None:
    faults(spire, locked=3)
    waits = Waits()
    planned(spire, many(spire)).apply(waits.timing())
    assert waits
    assert len(spire.entries()) == 10


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5])
def test_adopting_can_be_cut_anywhere(spire: Spire, rows: int) -> None:
    """Placeholder, twin, removal of the former: never is nobody who has the identity."""
    adopts = with_settings(adopt=True)
    synced(spire, [spire.entry("shop.other", "other")])
    spire.create(spire.entry("", "a", hint="theirs"), spire.entry("", "b", hint="theirs"))
    wanted = [spire.entry("shop.other", "other"), spire.entry("shop.a", "a"), spire.entry("shop.b", "b")]
    sync = planned(spire, wanted, adopts)
    faults(spire, kill=rows)
    with pytest.raises(PlatformError):
        sync.apply(Waits().timing())
    faults(spire)
    assert {"/a", "/b"} <= {
        row["spiffe_id"]["path"] for row in spire.entries().values() if PLACEHOLDER.split(":")[1] not in str(row)
    }
    converges(spire, wanted, adopts)
    assert spire.entries().keys() == {"shop.node", "shop.other", "shop.a", "shop.b"}


def test_renaming_never_leaves_an_identity_without_an_entry(spire: Spire) -> None:
    """As seen by somebody who looks after each call."""

    class Watched(Direct):
        def run(self, arguments: Any, stdin: bytes = b"") -> Any:
            ran = super().run(arguments, stdin)
            rows = spire.entries().values()
            seen.append({row["spiffe_id"]["path"] for row in rows if len(row["selectors"]) == 1})
            return ran

    seen: list[set[str]] = []
    synced(spire, [spire.entry("shop.a", "a"), spire.entry("shop.b", "b")])
    renamed = [spire.entry("shop.c", "a"), spire.entry("shop.b", "b", hint="new")]
    assert converges(spire, renamed, way=Watched()) == {"create": 1, "update": 1, "delete": 1, "unchanged": 1}
    assert all({"/a", "/b"} <= paths for paths in seen)


# -- sizes -----------------------------------------------------------------------------------------------------------


def test_s05_batches_are_cut_by_bytes_and_by_count(spire: Spire) -> None:
    way = Direct()
    fat = [spire.entry(f"shop.{at:04}", f"s{at}", f"unix:path:/{'v' * 20_000}") for at in range(190)]
    assert synced(spire, fat, way=way)["create"] == 191
    creates = [call for call in way.calls if call[:2] == ("entry", "create")]
    assert len(creates) == 1 + 2
    way = Direct()
    assert synced(spire, [], way=way)["delete"] == 191
    assert sum(call[:2] == ("entry", "delete") for call in way.calls) == 1 + 1
    way = Direct()
    assert synced(spire, many(spire, 2001), way=way)["create"] == 2002
    assert sum(call[:2] == ("entry", "create") for call in way.calls) == 1 + 3


def test_s05_an_answer_that_is_too_large_is_no_failure(spire: Spire, monkeypatch: pytest.MonkeyPatch) -> None:
    """All entries have been made when the server finds that it cannot say so."""
    monkeypatch.setattr(provider, "MOST_BYTES", 10_000_000)
    synced(spire, many(spire, 1))
    # The request has just room, and the answer tells some bytes more of each row.
    rows = [spire.entry(f"shop.{at:04}", f"s{at:04}", f"unix:path:/{'v' * 8310}") for at in range(500)]
    sync = planned(spire, [*many(spire, 1), *rows], way=(way := Direct()))
    way.calls.clear()
    sync.apply(Waits().timing())
    assert [call[:2] for call in way.calls] == [("entry", "create"), ("entry", "show")]
    assert spire.json("entry", "count")["count"] == 502


def test_s05_entries_too_fat_to_be_listed_are_asked_for_parent_by_parent(spire: Spire) -> None:
    fat = [spire.entry("", f"fat{at}", f"unix:path:/{'v' * 8400}", parent="elsewhere") for at in range(500)]
    for at in range(0, 500, 250):
        spire.create(*fat[at : at + 250])
    keeps = with_settings(purge=False)
    assert converges(spire, many(spire), keeps)["create"] == 10
    assert converges(spire, many(spire, hint="new"), keeps)["update"] == 9
    error = refused(spire, many(spire))
    assert error.reason == "too_large"
    assert "Set purge to false, or make entries smaller" in error.message


def test_s05_one_parent_that_is_too_fat_is_asked_for_id_by_id(spire: Spire) -> None:
    fat = [spire.entry("", f"fat{at}", f"unix:path:/{'v' * 8400}") for at in range(500)]
    for at in range(0, 500, 250):
        spire.create(*fat[at : at + 250])
    way = Direct()
    assert converges(spire, many(spire, 3), with_settings(purge=False), way=way)["create"] == 4
    assert ("entry", "show", "-parentID", "spiffe://example.org/p", "-spiffeID", "spiffe://example.org/s1") in {
        call[:6] for call in way.calls
    }


def test_s15_many_pages_are_one_list(spire: Spire) -> None:
    rows = many(spire, 1201)
    assert converges(spire, rows)["create"] == 1202
    assert planned(spire, rows).plan.unchanged == 1202


# -- answers that are none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stdout", "stderr", "status", "reason"),
    [
        ("", "", 0, "bad_response"),
        ("[]", "", 0, "bad_response"),
        ('{"entries":null}', "", 0, "bad_response"),
        ('{"entries":[{"id":"x","selectors":1,"spiffe_id":1}]}', "", 0, "bad_response"),
        ('{"entries":[]', "", 0, "bad_response"),
        ("", "flag provided but not defined: -output\nUsage of entry show:\n", 1, "too_old"),
        ("", "Error: something new\n", 1, "refused"),
        ("", "sh: 1: spire-server: not found\n", 127, "interrupted"),
    ],
)
def test_an_answer_that_is_none(stdout: str, stderr: str, status: int, reason: str) -> None:
    program = f"import sys; sys.stdout.write({stdout!r}); sys.stderr.write({stderr!r}); sys.exit({status})"
    server = Server(Local([sys.executable, "-S", "-c", program], 60))
    with pytest.raises(PlatformError) as error:
        server.entries()
    assert error.value.reason == reason


def test_a_batch_with_fewer_answers_than_rows(spire: Spire) -> None:
    program = "import sys; sys.stdin.read(); print('{\"results\":[]}')"
    server = Server(Local([sys.executable, "-S", "-c", program], 60))
    with pytest.raises(PlatformError) as error:
        server.write_entries("create", [spire.entry("shop.a", "a")])
    assert error.value.reason == "bad_response"


# -- what else is there ----------------------------------------------------------------------------------------------


def test_s16_a_bundle_rotated_after_the_plan_is_found_by_the_next_run(spire: Spire, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.json", {"keys": [], "spiffe_sequence": 9}
    ours.write_text(json.dumps({"keys": [], "spiffe_sequence": 3}))
    partner = {"trust_domain": "partner.example.com", "bundle": str(ours)}
    wanted = [spire.entry("shop.a", "a", federates_with=["partner.example.com"])]
    synced(spire, wanted, federation=[partner])
    sync = planned(spire, [spire.entry("shop.a", "a", hint="new", federates_with=["partner.example.com"])])
    spire.json("bundle", "set", "-id", "spiffe://partner.example.com", "-format", "spiffe", data=theirs)
    sync.apply(Waits().timing())
    assert spire.bundles()["partner.example.com"]["sequence_number"] == "9"
    again = planned(spire, wanted, federation=[partner])
    assert changes(again) == [("update", "shop.a", ("hint",))]
    assert again.provider.federation.warnings == [  # type: ignore[attr-defined]
        "the bundle of partner.example.com on the server is newer (sequence 9) than the declared one (sequence 3), so "
        "it stays"
    ]


def test_s14_a_bundle_that_goes_after_the_plan(spire: Spire, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"keys": []}')
    partner = {"trust_domain": "partner.example.com", "bundle": str(tmp_path / "b.json")}
    synced(spire, [spire.entry("shop.b", "b")], federation=[partner])
    wanted = [spire.entry("shop.a", "a", federates_with=["partner.example.com"]), spire.entry("shop.b", "b")]
    sync = planned(spire, wanted, federation=[partner])
    spire.json("bundle", "delete", "-id", "spiffe://partner.example.com")
    with pytest.raises(PlatformError, match="unable to find federated bundle"):
        sync.apply(Waits().timing())
    assert converges(spire, wanted, federation=[partner])["create"] == 2


def test_a_bundle_is_fetched_from_its_endpoint(spire: Spire) -> None:
    assert spire.store is not None
    url = "https://spire.partner.example.com/bundle"
    partner = {"trust_domain": "partner.example.com", "endpoint": {"url": url}}
    wanted = [spire.entry("shop.a", "a", federates_with=["partner.example.com"])]
    assert refused(spire, wanted, federation=[partner]).reason == "refresh_failed"
    spire.store.put("endpoints", {url: '{"keys": [], "spiffe_sequence": 5}'})
    assert converges(spire, wanted, federation=[partner]) == {"create": 2, "update": 1, "delete": 0, "unchanged": 0}
    assert spire.bundles()["partner.example.com"]["sequence_number"] == "5"


def test_s09_a_lifetime_that_the_authority_does_not_have_is_said(spire: Spire) -> None:
    assert spire.store is not None
    recorded = (Path(__file__).parents[2] / "contract/spire/recorded/entries-1.15.3.jsonl").read_text(encoding="utf-8")
    shown = next(run for run in map(json.loads, recorded.splitlines()) if run["note"] == "bundle-show-json")
    spire.store.put("own", {**json.loads(shown["stdout"]), "trust_domain": "example.org"})
    server = Server(Direct(), spire.socket)
    assert check_server(server, declared([spire.entry("shop.a", "a", x509_svid_ttl=86_400)])) == ("example.org", [])
    (warning,) = check_server(server, declared([spire.entry("shop.a", "a", x509_svid_ttl=604_811)]))[1]
    assert "an x509_svid_ttl of 604811 s is declared, but the server's authorities live 604810 s" in warning


def test_s07_an_agent_that_has_not_attested_is_said(spire: Spire) -> None:
    parent = "spire/agent/x509pop/abc"
    sync = planned(spire, [spire.entry("shop.a", "a", parent=parent)])
    server = Server(Direct(), spire.socket)
    assert check_parents(server, sync.provider) == [  # type: ignore[arg-type]
        f"no agent is attested as spiffe://example.org/{parent}, the parent of shop.a; until one is, nobody gets these "
        "entries"
    ]
    assert spire.store is not None
    agent = {"id": {"trust_domain": "example.org", "path": f"/{parent}"}}
    spire.store.keep("agents", f"spiffe://example.org/{parent}", agent)
    assert check_parents(server, sync.provider) == []  # type: ignore[arg-type]
