# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""replace_together: a reader finds all files old or all new, whenever it looks and wherever the run dies."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import (
    FileError,
    apply_tree,
    plan_tree,
)

from tests.unit.reconcile.faults import CountingOs, Crash, QuickOs, crash_at

OLD = {"key.pem": b"old key", "sub/cert.pem": b"old cert", "other": b"1"}
NEW = {"key.pem": b"new key", "sub/cert.pem": b"new cert", "other": b"2"}
MODES = {"key.pem": 0o600}
UNITS = [("key.pem", "sub/cert.pem")]


def plan(root: Path, desired: dict[str, bytes], **options):
    return plan_tree(str(root), desired, "test", modes=MODES, units=UNITS, **{"system": QuickOs(), **options})


def pair(root: Path) -> tuple[bytes, bytes]:
    """What a program finds that opens both files by their names."""
    return (root / "key.pem").read_bytes(), (root / "sub" / "cert.pem").read_bytes()


def test_a_reader_finds_a_pair_at_any_moment(tmp_path):
    apply_tree(plan(tmp_path, OLD))
    seen = []
    apply_tree(plan(tmp_path, NEW, system=CountingOs(lambda _count, _name: seen.append(pair(tmp_path)))))
    assert set(seen) == {(b"old key", b"old cert"), (b"new key", b"new cert")}
    assert seen == sorted(seen, reverse=True)
    assert pair(tmp_path) == (b"new key", b"new cert")


def test_afterwards_they_are_plain_files(tmp_path):
    apply_tree(plan(tmp_path, OLD))
    apply_tree(plan(tmp_path, NEW))
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        ".zerotrust-manifest.json",
        "cert.pem",
        "key.pem",
        "other",
        "sub",
    ]
    assert stat.S_IMODE((tmp_path / "key.pem").lstat().st_mode) == 0o600
    assert not (tmp_path / "sub" / "cert.pem").is_symlink()
    assert not plan(tmp_path, NEW).plan.changed


@pytest.mark.parametrize("wanted", [NEW, OLD, {"key.pem": b"third", "sub/cert.pem": b"third", "other": b"3"}])
def test_p16_a_crash_at_any_call_leaves_a_pair_and_the_next_run_repairs(tmp_path, wanted):
    crashes, left = 0, 0
    for number in range(1, 500):
        root = tmp_path / str(number)
        apply_tree(plan(root, OLD))
        try:
            apply_tree(plan(root, NEW, system=crash_at(number)))
        except Crash:
            crashes += 1
        else:
            break
        assert pair(root) in ((b"old key", b"old cert"), (b"new key", b"new cert"))
        for _path in root.rglob("*key*"):
            assert stat.S_IMODE(_path.stat().st_mode) == 0o600
        shown = plan(root, wanted)
        left += any(change.kind == "temporary" for change in shown.plan.changes)
        apply_tree(shown)
        assert pair(root) == (wanted["key.pem"], wanted["sub/cert.pem"])
        assert not list(root.rglob(".zerotrust-swap*"))
        assert not list(root.rglob(".zerotrust-tmp*"))
        assert not plan(root, wanted).plan.changed
    assert crashes > 80
    assert left > 60


@pytest.mark.parametrize(
    "target", ["sub/cert.pem", "/etc/hostname", ".zerotrust-swap-0123456789abcdef/now/0", "../x/now/0"]
)
def test_p09_no_other_link_is_read_through(tmp_path, target):
    apply_tree(plan(tmp_path, OLD))
    (tmp_path / "key.pem").unlink()
    (tmp_path / "key.pem").symlink_to(target)
    with Tree(str(tmp_path)) as tree, pytest.raises(FileError) as caught:
        tree.read("key.pem")
    assert caught.value.reason == "symlink"


def test_a_planted_swap_leads_nowhere_outside(tmp_path):
    place = tmp_path / ".zerotrust-swap-0123456789abcdef"
    place.mkdir()
    (place / "now").symlink_to("/etc")
    (tmp_path / "a").symlink_to(f"{place.name}/now/0")
    with Tree(str(tmp_path)) as tree, pytest.raises(FileError):
        tree.read("a")
