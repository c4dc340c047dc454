# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The executor: threads, retries, the journal, errors. Whole runs over random states are in test_engine.py."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile import executor
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.executor import Timing
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.masking import Veil, mask
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Actual, Desired
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import ApplyError, Provider
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, SyncError, prepare


class Fake(Provider):
    """A system of names; `do` is called for each write, in the thread of the write."""

    def __init__(self, do=lambda step: None, there=(), read=None):
        self.do, self.objects, self.on_read = do, {item.name: item for item in there}, read
        self.lock = threading.Lock()

    def read(self):
        if self.on_read:
            self.on_read()
        return list(self.objects.values())

    def level(self, kind):
        return int(kind[1:])

    def apply(self, batch):
        (step,) = batch
        self.do(step)
        with self.lock:
            if step.action == "delete":
                del self.objects[step.item.name]
            else:
                self.objects[step.item.name] = Actual(step.item.kind, step.item.name, step.desired.data)


class Waits:
    """A clock that only notes."""

    def __init__(self, chance=1.0):
        self.slept = []
        self.timing = Timing(self.slept.append, lambda: chance, lambda: 1700000000.1234)


def wants(count, kind="k0", **data):
    return [Desired(kind, f"n{number:02}", data) for number in range(count)]


def failing(times, error):
    """Raise the error so many times, then no more."""
    left = [times]

    def do(_step):
        if left[0]:
            left[0] -= 1
            raise error

    return do


def failed(provider, desired=None, waits=None, **settings):
    with pytest.raises(SyncError) as caught:
        prepare(provider, desired or wants(1), Settings(**settings)).apply((waits or Waits()).timing)
    return caught.value


def test_a_stage_is_written_concurrently_within_bounds_and_stages_one_after_another():
    inside, most, order = set(), [], []
    lock = threading.Lock()
    full = threading.Barrier(4)

    def do(step):
        with lock:
            inside.add(step.item.name)
            most.append(len(inside))
            order.append(step.item.kind)
        # Passes only if four writes are under way at once.
        full.wait(10)
        with lock:
            inside.remove(step.item.name)

    desired = [Desired(f"k{level}", f"{level}-{number}", {}) for level in (0, 1) for number in range(8)]
    prepare(Fake(do), desired, Settings(concurrency=4)).apply(Waits().timing)
    assert max(most) == 4
    assert order == ["k0"] * 8 + ["k1"] * 8


def test_what_is_transient_is_tried_again_with_longer_and_longer_waits():
    """K03."""
    waits = Waits(chance=0.5)
    provider = Fake(failing(4, ApplyError("busy", "busy", transient=True)))
    result = prepare(provider, wants(1)).apply(waits.timing)
    assert waits.slept == [0.125, 0.25, 0.5, 1.0]
    assert result["outcome"]["counts"]["retries"] == 4
    assert "n00" in provider.objects


def test_waits_have_a_cap(monkeypatch):
    monkeypatch.setattr(executor, "ATTEMPTS", 9)
    waits = Waits()
    prepare(Fake(failing(8, ApplyError("busy", transient=True))), wants(1)).apply(waits.timing)
    assert waits.slept[-2:] == [10.0, 10.0]


def test_the_system_says_how_long_to_wait():
    """K04: Retry-After is honoured, if it is bearable."""
    waits = Waits()
    prepare(Fake(failing(1, ApplyError("slow down", "busy", True, 7))), wants(1)).apply(waits.timing)
    assert waits.slept == [7]
    error = failed(Fake(failing(1, ApplyError("slow down", "busy", True, 3600))), waits=waits)
    assert waits.slept == [7]
    assert error.reason == "busy"


def test_attempts_end_and_are_told():
    """K03."""
    waits = Waits()
    error = failed(Fake(failing(99, ApplyError("busy.", "busy", transient=True))), waits=waits)
    assert len(waits.slept) == 4
    assert error.message == (
        "create k0 'n00': busy. Of 1 writes 0 were done, 1 failed, 0 were not begun. Run again to go on from here."
    )
    assert error.result["outcome"]["failed"] == [
        {"action": "create", "kind": "k0", "name": "n00", "reason": "busy", "error": "busy.", "attempts": 5}
    ]


def test_what_is_not_transient_is_not_tried_again():
    waits = Waits()
    error = failed(Fake(failing(1, ApplyError("no", "refused"))), wants(3), waits, concurrency=1)
    assert waits.slept == []
    assert error.result["outcome"]["counts"] == {
        "applied": 0,
        "failed": 1,
        "not_attempted": 2,
        "rolled_back": 0,
        "not_rolled_back": 0,
        "retries": 0,
    }
    assert error.result["changed"] is False


def test_what_is_in_flight_is_finished_when_another_write_fails():
    both, refused = threading.Barrier(2), threading.Event()

    def do(step):
        if step.item.name == "n00":
            both.wait(10)
            refused.set()
            raise ApplyError("no")
        if step.item.name == "n01":
            both.wait(10)
            assert refused.wait(10)

    provider = Fake(do)
    error = failed(provider, wants(6), concurrency=2)
    assert "create k0 'n01'" in error.result["outcome"]["applied"]
    assert set(provider.objects) == {text.split("'")[1] for text in error.result["outcome"]["applied"]}


def test_a_wait_ends_without_another_attempt_when_the_run_has_failed():
    waiting, refused = threading.Event(), threading.Event()
    attempts = []

    def do(step):
        if step.item.name == "n00":
            attempts.append(step)
            raise ApplyError("busy", "busy", transient=True)
        assert waiting.wait(10)
        raise ApplyError("no", "refused")

    def sleep(_seconds):
        waiting.set()
        assert refused.wait(10)

    sync = prepare(Fake(do), wants(2), Settings(concurrency=2))
    with pytest.raises(SyncError) as caught:
        sync.apply(Timing(sleep, lambda: 1.0), progress=lambda _done, _total: refused.set())
    assert len(attempts) == 1
    assert sorted(item["reason"] for item in caught.value.result["outcome"]["failed"]) == ["busy", "refused"]


def test_a_conflict_says_that_a_new_run_plans_anew():
    """K14."""
    error = failed(Fake(failing(1, ApplyError("the object has changed", "conflict"))))
    assert error.reason == "conflict"
    assert error.message.endswith("Somebody else has changed the system meanwhile; a new run plans anew.")


@pytest.mark.parametrize(
    ("raised", "message", "reason"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused", "os_error"),
        (TimeoutError(), "TimeoutError", "os_error"),
        (PlatformError("no such thing", "gone"), "no such thing", "gone"),
        (KeyError("id"), "unexpected KeyError: 'id'; please report this", "unexpected"),
    ],
)
def test_every_exception_becomes_a_sentence(raised, message, reason):
    error = failed(Fake(failing(1, raised)))
    assert error.message.startswith(f"create k0 'n00': {message}. Of 1 writes")
    assert error.reason == reason
    # Only a mistake of ours is worth a traceback.
    assert ("Traceback" in error.result.get("exception", "")) is (reason == "unexpected")


def test_a_provider_that_answers_wrongly_is_found_out():
    class Short(Fake):
        def apply(self, batch):
            return []

    class Cuts(Fake):
        def batches(self, stage):
            raise RuntimeError("cannot cut")

    assert "0 results for 1 steps" in failed(Short()).message
    error = failed(Cuts(), wants(2))
    assert "cannot cut" in error.message
    assert error.result["outcome"]["counts"]["failed"] == 2


def test_rows_of_a_batch_are_tried_again_alone():
    calls = []

    class Rows(Fake):
        def batches(self, stage):
            return [stage]

        def apply(self, batch):
            calls.append([step.item.name for step in batch])
            first = len(calls) == 1
            return [ApplyError("busy", transient=True) if first and at == 1 else None for at in range(len(batch))]

    prepare(Rows(), wants(3)).apply(Waits().timing)
    assert calls == [["n00", "n01", "n02"], ["n01"]]


def test_progress_is_told_one_at_a_time():
    told = []
    prepare(Fake(), wants(5)).apply(Waits().timing, lambda done, total: told.append((done, total)))
    assert told == [(number, 5) for number in range(1, 6)]


# Rollback


def test_what_cannot_be_rolled_back_is_told():
    there = [Actual("k0", "old", {"v": 1}), Actual("k0", "same", {})]

    def do(step):
        if step.item.name == "n01" or (step.item.name == "old" and step.desired.restores):
            raise ApplyError("no", "refused")

    desired = [Desired("k0", "old", {"v": 2}), Desired("k0", "same", {}), *wants(1), Desired("k1", "n01", {})]
    # n01 is of a higher level, so old is updated after it: let it be an update too.
    provider = Fake(do, [*there, Actual("k1", "n01", {"v": 0})])
    error = failed(provider, desired, on_failure="rollback")
    outcome = error.result["outcome"]
    assert (outcome["applied"], outcome["rolled_back"]) == (["create k0 'n00'", "update k0 'old'"], ["delete k0 'n00'"])
    assert [item["name"] for item in outcome["not_rolled_back"]] == ["old"]
    assert "1 could not be rolled back; outcome.not_rolled_back says which." in error.message
    assert error.result["changed"] is True
    assert provider.objects["old"].data == {"v": 2}


def test_what_somebody_has_taken_meanwhile_stays_theirs():
    there = [Actual("k0", "a", {"v": 1}), Actual("k1", "b", {"v": 1})]

    def do(step):
        if step.item.name == "b":
            provider.objects["a"] = Actual("k0", "a", {"v": 3}, owned=False, owner="team-b")
            raise ApplyError("no", "refused")

    provider = Fake(do, there)
    desired = [Desired("k0", "a", {"v": 2}), Desired("k1", "b", {"v": 2})]
    error = failed(provider, desired, on_failure="rollback")
    assert error.result["outcome"]["not_rolled_back"][0]["error"] == "somebody else has taken it meanwhile"
    assert provider.objects["a"].data == {"v": 3}


@pytest.mark.parametrize("reason", [PlatformError("the system is gone", "gone"), ConnectionError("the system is gone")])
def test_a_rollback_that_cannot_read_says_that_nothing_is_undone(reason):
    reads = []

    def read():
        reads.append(1)
        if len(reads) > 1:
            raise reason

    def do(step):
        if step.item.kind == "k1":
            raise ApplyError("no", "refused")

    error = failed(Fake(do, read=read), [*wants(2), Desired("k1", "z", {})], on_failure="rollback")
    assert "Nothing could be rolled back: " in error.message
    assert error.message.endswith("the system is gone")
    assert [item["name"] for item in error.result["outcome"]["not_rolled_back"]] == ["n00", "n01"]
    assert error.result["changed"] is True


# The journal


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_the_journal_tells_what_was_done_and_is_appended(tmp_path):
    path = tmp_path / "journal"
    desired = [*wants(1, password="hunter22"), Desired("k1", "bad", {"password": "hunter22"}, secrets=(("password",),))]

    def do(step):
        if step.item.name == "bad":
            message = "refused {'password': 'hunter22'}"
            raise ApplyError(message, "refused")

    settings = {"journal_file": str(path), "on_failure": "rollback"}
    failed(Fake(do), desired, **settings)
    events = lines(path)
    assert [event["event"] for event in events] == [
        *("begin", "begin", "applied", "begin", "failed", "rollback", "begin", "applied", "end")
    ]
    assert events[4] == {
        "time": 1700000000.123,
        "event": "failed",
        "action": "create",
        "kind": "k1",
        "name": "bad",
        "attempts": 1,
        "reason": "refused",
        "error": "refused {'password': '***'}",
        "done": 2,
        "total": 2,
    }
    assert events[-1]["rolled_back"] == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hunter22" not in path.read_text()
    prepare(Fake(), wants(1), Settings(journal_file=str(path))).apply(Waits().timing)
    assert len(lines(path)) == len(events) + 4


def test_the_journal_of_a_killed_run_has_no_end(tmp_path):
    path = tmp_path / "journal"

    def do(step):
        if step.item.name == "n01":
            raise KeyboardInterrupt

    sync = prepare(Fake(do), wants(3), Settings(journal_file=str(path), concurrency=1))
    with pytest.raises(KeyboardInterrupt):
        sync.apply(Waits().timing)
    assert [(event["event"], event.get("name")) for event in lines(path)] == [
        ("begin", None),
        ("begin", "n00"),
        ("applied", "n00"),
        ("begin", "n01"),
    ]


def test_a_kill_in_one_thread_stops_the_others():
    provider = Fake()

    def do(step):
        if step.item.name == "n03":
            raise KeyboardInterrupt

    provider.do = do
    with pytest.raises(KeyboardInterrupt):
        prepare(provider, wants(200), Settings(concurrency=2)).apply(Waits().timing)
    assert len(provider.objects) < 200


def test_a_journal_that_cannot_be_written_stops_the_run_before_it_begins(tmp_path):
    provider = Fake()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        for name in ("", "missing/journal", "link", "pipe"):
            sync = prepare(provider, wants(1), Settings(journal_file=str(tmp_path / name)))
            with pytest.raises(PlatformError, match=r"journal.*nothing was changed"):
                sync.apply(Waits().timing)
    finally:
        os.close(reader)
    assert not provider.objects


def test_a_journal_that_ends_early_is_a_warning_only():
    journal = executor.Journal("/dev/full")
    # A journal on a device is refused, so the handle is put there, as a disk cannot be filled here.
    journal._handle = os.open("/dev/full", os.O_WRONLY)
    journal.write("begin")
    journal.write("end")
    journal.__exit__()
    assert "ends early (No space left on device)" in journal.warning


# Settings, reading, secrets


@pytest.mark.parametrize(
    "settings",
    [{"concurrency": 0}, {"concurrency": 65}, {"limits": Limits(delete=101)}, {"limits": Limits(update=-1)}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(PlatformError, match=r"is not between \d+ and \d+"):
        Settings(**settings)


def test_an_error_of_reading_has_no_secret_in_it():
    def read():
        raise PlatformError("401 for token tok-12345 and tok-12345", "unauthorized", ["tok-12345"])

    desired = [Desired("k0", "a", {"token": "tok-12345"}, secrets=(("token",),))]
    with pytest.raises(PlatformError) as caught:
        prepare(Fake(read=read), desired)
    assert caught.value.message == str(caught.value) == "401 for token *** and ***"
    assert caught.value.details == ("***",)


def test_secrets_are_found_in_every_form_they_are_repeated_in():
    """K15: a server's error repeats what it was sent."""
    key = '-----BEGIN KEY-----\nMIGHAgEAMBMGByqGSM49\n"q"\n-----END KEY-----'
    items = [
        Desired("k", "a", {"key": key, "url": "p&ss w/rd", "pin": 123456}, secrets=(("key",), ("url",), ("pin",))),
        Desired(
            "k",
            "b",
            {"l": [{"v": "in-a-list"}, {"w": 1}], "none": None, "yes": True},
            secrets=(("l", "*", "v"), ("none",), ("yes",)),
        ),
        Actual(
            "k",
            "c",
            {"m": {"x": "map-one", "y": ["map-two"]}, "l": ["zero-th", "seen"]},
            secrets=(("m", "*"), ("l", "0")),
        ),
        Actual(
            "k",
            "d",
            {"whole": {"any": ["nested-1"]}, "short": "abc"},
            secrets=(("whole",), ("short",), ("not", "there")),
        ),
    ]
    veil = Veil(items)
    for text in (
        key,
        json.dumps(key),
        repr(key),
        "line MIGHAgEAMBMGByqGSM49 alone",
        "/x?p=p%26ss+w%2Frd&p=p%26ss%20w%2Frd",
        "123456",
        "in-a-list map-one map-two zero-th nested-1",
    ):
        shown = veil(text)
        assert "***" in shown
        for part in ("MIGH", "ss", "rd&", "123456", "in-a", "map-", "zero", "nested"):
            assert part not in shown
    # Short values are words: hiding them would make every text unreadable.
    assert veil("True, abc, seen") == "True, abc, seen"


def test_masking_changes_nothing_in_place():
    data = {"a": {"b": "secret", "c": 1}, "l": [{"v": "x"}, {"v": None}], "t": "text"}
    copy = json.loads(json.dumps(data))
    paths = (("a", "b"), ("l", "*", "v"), ("a", "missing"), ("t", "deeper"), ("l", "9"))
    assert mask(data, paths) == {"a": {"b": "***", "c": 1}, "l": [{"v": "***"}, {"v": None}], "t": "text"}
    assert data == copy
    assert mask("plain", (("a",),)) == "plain"


class Slow(Fake):
    """A system in which some of what was written does not become what it is to become."""

    def __init__(self, *bad, **others):
        super().__init__(**others)
        self.bad, self.settled = bad, []

    def settle(self, stage):
        self.settled.append([str(step) for step in stage])
        bad = [step.action == "create" and step.item.name in self.bad for step in stage]
        return [ApplyError("it is not ready", "timeout") if one else None for one in bad]


def test_a_stage_is_settled_before_the_next_begins():
    provider = Slow()
    provider.do = lambda step: provider.settled.append(str(step))
    prepare(provider, [*wants(1), *wants(1, kind="k1")], Settings(concurrency=1)).apply(Waits().timing)
    assert provider.settled == ["create k0 'n00'", ["create k0 'n00'"], "create k1 'n00'", ["create k1 'n00'"]]


def test_what_does_not_settle_has_failed_and_is_rolled_back():
    provider = Slow("n01")
    error = failed(provider, [*wants(2), *wants(1, kind="k1")])
    assert error.result["outcome"]["counts"] == {
        "applied": 1,
        "failed": 1,
        "not_attempted": 1,
        "rolled_back": 0,
        "not_rolled_back": 0,
        "retries": 0,
    }
    assert "create k0 'n01': it is not ready" in error.message
    provider = Slow("n01")
    error = failed(provider, wants(2), on_failure="rollback")
    assert error.message.endswith("all is as before.")
    assert provider.objects == {}


def test_a_mistake_while_settling_is_told_with_its_place():
    provider = Slow()
    provider.settle = lambda stage: 1 / 0
    error = failed(provider)
    assert error.reason == "unexpected"
    assert "ZeroDivisionError" in error.result["exception"]
