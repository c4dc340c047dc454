# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""write_atomic and Tree: the old file or the new one, and nothing but a regular file is ever touched."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree, write_atomic
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import FileError, check_relative_path

from tests.unit.reconcile.faults import CountingOs, Crash, crash_at, fail_at


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_p39_mode_is_exact_whatever_the_umask(tmp_path, umask):
    old = os.umask(umask)
    try:
        write_atomic(str(tmp_path / "key.pem"), b"secret", 0o600)
        write_atomic(str(tmp_path / "cert.pem"), b"public", 0o644)
        with Tree(str(tmp_path / "made" / "tree")) as tree:
            tree.write("a/b.pem", b"x", 0o640)
    finally:
        os.umask(old)
    assert mode_of(tmp_path / "key.pem") == 0o600
    assert mode_of(tmp_path / "cert.pem") == 0o644
    assert mode_of(tmp_path / "made" / "tree" / "a" / "b.pem") == 0o640
    assert [mode_of(tmp_path / part) for part in ("made", "made/tree", "made/tree/a")] == [0o755] * 3


def test_a_secret_has_its_mode_before_its_first_byte(tmp_path):
    seen = []

    def look(_count, name):
        if name == "write":
            seen.extend((mode_of(path), path.stat().st_size) for path in tmp_path.iterdir())

    write_atomic(str(tmp_path / "key.pem"), b"secret", 0o600, CountingOs(look))
    assert seen == [(0o600, 0)]


def test_the_temporary_file_lies_beside_its_destination_and_is_synced_before_the_rename(tmp_path):
    system = CountingOs()
    write_atomic(str(tmp_path / "a"), b"1", system=system)
    order = [call for call in system.calls if call in ("write", "fsync", "rename")]
    assert order == ["write", "fsync", "rename", "fsync"]
    assert names(tmp_path) == ["a"]


def test_a_crash_at_any_call_leaves_the_old_content_or_the_new(tmp_path):
    target = tmp_path / "a"
    outcomes = []
    for number in range(1, 100):
        target.write_bytes(b"old")
        system = crash_at(number)
        try:
            write_atomic(str(target), b"new" * 1000, system=system)
        except Crash:
            outcomes.append(target.read_bytes())
            continue
        break
    assert len(outcomes) > 5
    assert set(outcomes) == {b"old", b"new" * 1000}


@pytest.mark.parametrize(
    ("call", "code", "reason"),
    [
        ("write", errno.ENOSPC, "no_space"),  # P14
        ("fsync", errno.EDQUOT, "no_space"),  # P14
        ("open", errno.EROFS, "read_only"),  # P15
        ("rename", errno.EACCES, "permission_denied"),  # P15
        ("rename", errno.EPERM, "permission_denied"),  # P15, P38: chattr +i
        ("fchmod", errno.EIO, "os_error"),
    ],
)
def test_p14_p15_p38_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, call, code, reason):
    target = tmp_path / "key.pem"
    target.write_bytes(b"old")
    # The first open is of the directory.
    system = fail_at(call, code, 2 if call == "open" else 1)
    with pytest.raises(FileError) as caught:
        write_atomic(str(target), b"new", 0o600, system)
    assert caught.value.reason == reason
    assert str(target) in caught.value.message
    assert "\n" not in caught.value.message
    if reason == "permission_denied":
        assert f"user id {os.geteuid()}" in caught.value.message
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["key.pem"]


def test_p09_a_symlink_is_refused_and_its_target_untouched(tmp_path):
    target = tmp_path / "elsewhere"
    target.write_bytes(b"theirs")
    target.chmod(0o644)
    (tmp_path / "key.pem").symlink_to(target)
    with pytest.raises(FileError) as caught:
        write_atomic(str(tmp_path / "key.pem"), b"secret", 0o600)
    assert caught.value.reason == "symlink"
    assert (target.read_bytes(), mode_of(target)) == (b"theirs", 0o644)


def test_p09_a_dangling_symlink_is_refused(tmp_path):
    (tmp_path / "key.pem").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileError) as caught:
        write_atomic(str(tmp_path / "key.pem"), b"secret", 0o600)
    assert caught.value.reason == "symlink"
    assert not (tmp_path / "nowhere").exists()


def test_p10_a_directory_below_the_root_that_is_a_symlink_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "ssl").symlink_to(tmp_path / "real")
    with Tree(str(root)) as tree:
        for attempt in (lambda: tree.write("ssl/key.pem", b"x", 0o600), lambda: tree.read("ssl/key.pem")):
            with pytest.raises(FileError) as caught:
                attempt()
            assert caught.value.reason == "symlink"
    assert names(tmp_path / "real") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")
def test_p10_a_parent_that_is_somebody_elses_symlink_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.chown(tmp_path / "link", 12345, 12345, follow_symlinks=False)
    with pytest.raises(FileError, match="12345") as caught:
        write_atomic(str(tmp_path / "link" / "key.pem"), b"x", 0o600)
    assert caught.value.reason == "symlink"
    assert names(tmp_path / "real") == []


def test_p10_ones_own_symlink_above_the_root_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomic(str(tmp_path / "link" / "a"), b"x")
    assert (tmp_path / "real" / "a").read_bytes() == b"x"


def test_p11_a_directory_is_refused(tmp_path):
    (tmp_path / "key.pem").mkdir()
    with pytest.raises(FileError) as caught:
        write_atomic(str(tmp_path / "key.pem"), b"x")
    assert caught.value.reason == "is_directory"


def test_p11_a_file_where_a_directory_should_be_is_refused(tmp_path):
    (tmp_path / "ssl").write_bytes(b"theirs")
    with Tree(str(tmp_path)) as tree, pytest.raises(FileError) as caught:
        tree.write("ssl/key.pem", b"x", 0o600)
    assert caught.value.reason == "not_a_directory"
    assert (tmp_path / "ssl").read_bytes() == b"theirs"


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_p12_a_special_file_is_refused_without_being_opened(tmp_path, kind):
    target = tmp_path / "key.pem"
    if kind == "fifo":
        os.mkfifo(target)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(target))
    elif os.geteuid() == 0:
        os.mknod(target, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    else:
        pytest.skip("only root can make a device")
    with Tree(str(tmp_path)) as tree:
        for attempt in (lambda: tree.write("key.pem", b"x", 0o600), lambda: tree.read("key.pem")):
            with pytest.raises(FileError) as caught:
                attempt()
            assert caught.value.reason == "special_file"


def test_p13_a_hard_linked_secret_is_refused(tmp_path):
    (tmp_path / "key.pem").write_bytes(b"old")
    (tmp_path / "copy").hardlink_to(tmp_path / "key.pem")
    with pytest.raises(FileError) as caught:
        write_atomic(str(tmp_path / "key.pem"), b"new", 0o600)
    assert caught.value.reason == "hard_link"
    assert (tmp_path / "key.pem").read_bytes() == b"old"


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "/",
        "/etc/passwd",
        "../x",
        "a/../b",
        "a/./b",
        "a//b",
        "a/",
        "a\0b",
        "a\nb",
        "x" * 256,
        "a/" * 600,
        ".zerotrust-tmp-0123456789abcdef",
        "é" * 128,
    ],
)
def test_p08_a_relative_name_cannot_lead_out_of_the_root(path):
    with pytest.raises(FileError) as caught:
        check_relative_path(path)
    assert caught.value.reason == "bad_path"
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("path", ["a", "a/b", "..a", "a..", ".hidden/x", "é/ü", "-", "x" * 255])
def test_ordinary_relative_names_pass(path):
    assert check_relative_path(path) == path


def test_p17_a_temporary_file_left_by_a_crash_goes_with_the_next_run(tmp_path):
    left, young = tmp_path / ".zerotrust-tmp-0123456789abcdef", tmp_path / ".zerotrust-tmp-fedcba9876543210"
    for path in (left, young):
        path.write_bytes(b"half")
    os.utime(left, (0, 0))
    write_atomic(str(tmp_path / "a"), b"x")
    # A young one may belong to a run that is under way.
    assert names(tmp_path) == [young.name, "a"]


def test_p18_a_second_run_waits_for_the_lock(tmp_path):
    first = Tree(str(tmp_path))
    first.lock()
    got = threading.Event()

    def second():
        with Tree(str(tmp_path)) as tree:
            tree.lock(timeout=20)
            got.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert not got.wait(0.2)
    first.close()
    thread.join()
    assert got.is_set()


def test_p18_a_second_run_says_that_the_tree_is_locked(tmp_path):
    with Tree(str(tmp_path)) as first, Tree(str(tmp_path)) as second:
        first.lock()
        with pytest.raises(FileError, match=str(tmp_path)) as caught:
            second.lock(timeout=0)
    assert caught.value.reason == "locked"


def test_p18_a_lock_ends_with_its_process(tmp_path):
    code = (
        "import os,signal,sys\n"
        "from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree\n"
        "tree = Tree(sys.argv[1]); tree.lock(); print('locked', flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("locked\n", -9)
    with Tree(str(tmp_path)) as tree:
        tree.lock(timeout=0)


def test_many_directories_need_few_handles(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    with Tree(str(tmp_path)) as tree:
        for number in range(50):
            tree.write(f"a/{number}/b", b"x", 0o644)
        assert len(os.listdir("/proc/self/fd")) <= before + 2
        tree.sync()
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_handle_is_left_open_by_a_failure(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    for number in range(1, 20):
        try:
            with Tree(str(tmp_path / "x"), crash_at(number)) as tree:
                tree.write("a/b", b"x", 0o644)
        except Crash:
            continue
    assert len(os.listdir("/proc/self/fd")) == before
