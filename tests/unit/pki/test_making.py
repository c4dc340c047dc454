# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates that several processes make at once: the same tree as one makes, whatever becomes of one of them."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
from functools import partial

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import making, processes
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.tree import records_of
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Os

from tests.unit.pki.trees import api, data
from tests.unit.reconcile.faults import CountingOs, QuickOs, fail_at, kill_at

NAMES = [f"c{number}" for number in range(6)]
FIRST = data(*(api(name=name) for name in NAMES))
RENEWED = data(*(api(name=name, dns=["b.zt"]) for name in NAMES))
NEW_KEYS = data(*(api(name=name, key_type="ecdsa-p384") for name in NAMES))


@pytest.fixture(autouse=True)
def _three_processes(monkeypatch):
    monkeypatch.setattr(processes, "cores", lambda: 3)
    monkeypatch.setattr(making, "_WORTH", 1)


def whole(pki, declared):
    """All is as declared, and nothing else is left of an attempt before."""
    assert all(pki.is_pair(name) for name in NAMES)
    assert not list(pki.root.rglob(".zerotrust-tmp*"))
    assert not pki.run(declared).plan.changed


def test_several_processes_make_what_one_makes(pki, monkeypatch):
    plan = pki.run(FIRST)
    whole(pki, FIRST)
    shown = records_of(plan)
    assert shown == records_of(pki.plan(FIRST))
    ledger = json.loads(pki.path("authorities/issuing/ledger.json").read_bytes())
    assert {one["serial"] for one in ledger["certificates"]} == {one["serial"] for one in shown if one["name"] in NAMES}
    several = pki.root
    monkeypatch.setattr(processes, "cores", lambda: 1)
    pki.root = several.with_name("alone")
    alone = pki.run(FIRST)
    theirs = ("serial", "fingerprint_sha256")
    assert [{**one, **dict.fromkeys(theirs)} for one in shown] == [
        {**one, **dict.fromkeys(theirs)} for one in records_of(alone)
    ]
    assert modes(several) == modes(pki.root)


def modes(root):
    return {str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")}


def in_a_fork(act) -> object:
    """What becomes of a process that does it: the reason of its error, or the signal that ended it, or 0."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            act()
        except PlatformError as error:
            os.write(writing, error.reason.encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as answer:
        status = os.waitpid(child, 0)[1]
        return answer.read() or os.WTERMSIG(status)


@pytest.mark.parametrize("renewed", [False, True])
def test_p16_killed_at_any_call_of_any_process(pki, renewed):
    """Each process counts its own calls. Who is killed is the one that comes first to the number."""
    declared, ends = RENEWED if renewed else FIRST, set()
    for number in range(20, 320, 24):
        pki.root = pki.root.with_name(str(number))
        if renewed:
            pki.run(FIRST)
        system = kill_at(number)
        ends.add(in_a_fork(partial(pki.run, declared, system)))
        assert all(pki.is_pair(name) for name in NAMES if pki.path(f"{name}/cert.pem").exists())
        pki.run(declared)
        whole(pki, declared)
    assert ends == {"process_killed", 0, signal.SIGKILL}


REASONS = {
    errno.ENOSPC: "no_space",
    errno.EMFILE: "os_error",
    errno.EIO: "os_error",
    errno.EPERM: "permission_denied",
}


class Later(CountingOs):
    """Fails in the children of this process alone."""

    def __init__(self, call: str, code: int) -> None:
        parent = os.getpid()

        def before(_count: int, name: str) -> None:
            if name == call and os.getpid() != parent:
                raise OSError(code, os.strerror(code))

        super().__init__(before)


@pytest.mark.parametrize(
    ("call", "code"), [("write", errno.ENOSPC), ("open", errno.EMFILE), ("fsync", errno.EIO), ("fchmod", errno.EPERM)]
)
def test_p14_what_fails_in_a_process_is_told_and_nothing_of_it_stays(pki, call, code):
    with pytest.raises(PlatformError, match=r"/c[0-9]") as caught:
        pki.run(FIRST, Later(call, code))
    assert caught.value.reason == REASONS[code]
    assert {path.split("/")[0] for path in pki.contents()} == {"authorities", ".zerotrust-manifest.json"}
    pki.run(FIRST)
    whole(pki, FIRST)


def test_p14_a_full_disk_in_one_process_leaves_the_old_pairs(pki):
    pki.run(FIRST)
    before = pki.contents()
    for occurrence in range(2, 7):
        with pytest.raises(PlatformError) as caught:
            pki.run(RENEWED, fail_at("write", errno.ENOSPC, occurrence))
        assert caught.value.reason == "no_space"
        after = pki.contents()
        assert {path for path in before if after[path] != before[path]} <= {
            ".zerotrust-manifest.json",
            "authorities/issuing/ledger.json",
        }
        assert not list(pki.root.rglob(".zerotrust-tmp*"))
    pki.run(RENEWED)
    whole(pki, RENEWED)


def test_a_mistake_of_ours_in_a_process_keeps_its_traceback(pki):
    def before(_count, name):
        if os.getpid() != parent:
            raise ZeroDivisionError("sought")

    parent = os.getpid()
    with pytest.raises(RuntimeError, match="ZeroDivisionError: sought"):
        pki.run(FIRST, CountingOs(before))
    pki.run(FIRST)
    whole(pki, FIRST)


class Noting(Os):
    """Knows, for all processes, which files have been brought to the disk, and refuses to put others in place."""

    def __init__(self, notes: int) -> None:
        self.notes, self.renamed = notes, 0

    def fsync(self, handle):
        os.write(self.notes, b"%d\n" % os.fstat(handle).st_ino)

    def rename(self, source, target, **directories):
        found = os.stat(source, dir_fd=directories["src_dir_fd"], follow_symlinks=False)
        if stat.S_ISREG(found.st_mode):
            size = os.fstat(self.notes).st_size
            assert b"%d" % found.st_ino in os.pread(self.notes, size, 0).split()
            self.renamed += 1
        QuickOs.rename(source, target, **directories)


def test_p16_no_file_is_seen_before_it_is_on_the_disk(pki, tmp_path):
    notes = os.open(tmp_path / "notes", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        for declared in (FIRST, RENEWED, NEW_KEYS):
            system = Noting(notes)
            pki.run(declared, system)
            assert system.renamed >= 3 * len(NAMES)
    finally:
        os.close(notes)
    whole(pki, NEW_KEYS)


class Dying(QuickOs):
    @staticmethod
    def rename(source, target, **directories):
        if target == "key.pem":
            os.kill(os.getpid(), signal.SIGKILL)
        QuickOs.rename(source, target, **directories)


def test_p16_a_crash_before_anything_is_in_place_leaves_nothing_for_another_declaration(pki):
    """What lies beside its place belongs to files that are announced, so each later run finds it."""
    other = data(api(name="other"))
    pki.run(other)
    assert in_a_fork(lambda: pki.run(FIRST, Dying())) == signal.SIGKILL
    assert len(list(pki.root.rglob(".zerotrust-tmp*"))) == 4 * len(NAMES)
    pki.run(other)
    assert not list(pki.root.rglob(".zerotrust-tmp*"))
    assert not pki.run(other).plan.changed
