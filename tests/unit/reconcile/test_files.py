# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""plan_tree and apply_tree: ours follows the declaration, theirs is never touched, any crash is survived."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import (
    MANIFEST,
    FileError,
    apply_tree,
    plan_tree,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.reconcile.faults import CountingOs, Crash, QuickOs, crash_at

OWNER = "test"


def tree_of(root: Path) -> dict[str, bytes]:
    """Every regular file below a root but the manifest."""
    if not root.exists():
        return {}
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return {name: content for name, content in files.items() if name != MANIFEST}


def sync(root: Path, desired: dict[str, bytes], **options):
    planned = plan_tree(str(root), desired, OWNER, system=QuickOs(), **options)
    apply_tree(planned)
    return planned.plan


def said(plan) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(change.action, change.name, change.reasons) for change in plan.changes]


def test_create_update_delete_and_nothing(tmp_path):
    root = tmp_path / "out"
    first = sync(root, {"a.yml": b"1", "sub/b.yml": b"2"})
    assert first.counts == {"create": 2, "update": 0, "delete": 0, "unchanged": 0}
    assert stat.S_IMODE((root / "sub" / "b.yml").stat().st_mode) == 0o644

    second = sync(root, {"a.yml": b"1", "sub/b.yml": b"2"})
    assert second.counts == {"create": 0, "update": 0, "delete": 0, "unchanged": 2}

    third = sync(root, {"a.yml": b"3", "c.yml": b"4"})
    assert said(third) == [
        ("create", "c.yml", ("declared",)),
        ("update", "a.yml", ("content",)),
        ("delete", "sub/b.yml", ("not_declared",)),
    ]
    assert tree_of(root) == {"a.yml": b"3", "c.yml": b"4"}
    assert not (root / "sub").exists()


def test_planning_writes_nothing(tmp_path):
    root = tmp_path / "out"
    system = CountingOs()
    plan_tree(str(root), {"a": b"1"}, OWNER, system=system)
    assert not root.exists()
    assert set(system.calls) <= {"open", "close"}


def test_an_unchanged_tree_is_not_written_to(tmp_path):
    desired = {f"d{number}/f": b"x" for number in range(5)}
    sync(tmp_path, desired)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path, *tmp_path.rglob("*"))}
    system = CountingOs()
    planned = plan_tree(str(tmp_path), desired, OWNER, system=system)
    apply_tree(planned)
    assert not planned.plan.changed
    assert set(system.calls) <= {"open", "close"}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path, *tmp_path.rglob("*"))} == before


def test_foreign_files_are_reported_and_left(tmp_path):
    sync(tmp_path, {"a/b": b"1", "c": b"2"})
    (tmp_path / "a" / "theirs").write_bytes(b"t")
    (tmp_path / "other" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("c")
    plan = sync(tmp_path, {"c": b"2"})
    assert plan.foreign == ("a/theirs", "link", "other/")
    assert (tmp_path / "a" / "theirs").read_bytes() == b"t"
    assert not (tmp_path / "a" / "b").exists()


def test_a_foreign_file_in_the_way_is_refused_unless_adopted(tmp_path):
    (tmp_path / "a").write_bytes(b"theirs")
    (tmp_path / "b").write_bytes(b"theirs too")
    with pytest.raises(FileError) as caught:
        plan_tree(str(tmp_path), {"a": b"ours", "b": b"ours", "c": b"ours"}, OWNER)
    assert caught.value.reason == "foreign_file"
    assert [str(tmp_path / name) in detail for name, detail in zip("ab", caught.value.details)] == [True, True]
    assert tree_of(tmp_path) == {"a": b"theirs", "b": b"theirs too"}

    plan = sync(tmp_path, {"a": b"ours"}, adopt=True)
    assert said(plan) == [("update", "a", ("adopted",))]
    assert (plan.changes[0].before, plan.changes[0].after) == ("theirs", "ours")
    assert tree_of(tmp_path) == {"a": b"ours", "b": b"theirs too"}


def test_a_foreign_file_with_the_same_content_becomes_ours(tmp_path):
    (tmp_path / "a").write_bytes(b"same")
    (tmp_path / "a").chmod(0o644)
    assert said(sync(tmp_path, {"a": b"same"})) == [("create", MANIFEST, ("adopted",))]
    assert not sync(tmp_path, {"a": b"same"}).changed


def test_an_edit_by_hand_is_brought_back(tmp_path):
    sync(tmp_path, {"a": b"1", "b": b"2", "c": b"3"})
    (tmp_path / "a").write_bytes(b"edited")
    (tmp_path / "b").chmod(0o666)
    (tmp_path / "c").unlink()
    plan = sync(tmp_path, {"a": b"1", "b": b"2", "c": b"3"})
    assert said(plan) == [
        ("create", "c", ("missing",)),
        ("update", "a", ("edited",)),
        ("update", "b", ("mode 0666 should be 0644",)),
    ]
    assert tree_of(tmp_path) == {"a": b"1", "b": b"2", "c": b"3"}
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o644


def test_t25_another_owner_is_refused(tmp_path):
    sync(tmp_path, {"a": b"1"})
    with pytest.raises(FileError, match=r"'test'.*'somebody'") as caught:
        plan_tree(str(tmp_path), {}, "somebody", adopt=True)
    assert caught.value.reason == "foreign_owner"
    assert tree_of(tmp_path) == {"a": b"1"}


def test_attributes_are_kept_and_compared(tmp_path):
    sync(tmp_path, {"a": b"1"}, attributes={"trust_domain": "old.example"})
    plan = sync(tmp_path, {"a": b"1"}, attributes={"trust_domain": "new.example"})
    assert said(plan) == [("update", MANIFEST, ("attributes",))]
    assert plan.changes[0].before == {"trust_domain": "old.example"}
    assert plan.changes[0].after == {"trust_domain": "new.example"}
    assert not sync(tmp_path, {"a": b"1"}, attributes={"trust_domain": "new.example"}).changed


def test_nothing_desired_removes_what_is_ours_and_the_root_if_we_made_it(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    theirs.mkdir()
    for root in (ours, theirs):
        sync(root, {"a/b": b"1"})
        assert sync(root, {}).counts["delete"] == 1
    assert not ours.exists()
    assert list(theirs.iterdir()) == []
    assert not sync(ours, {}).changed
    assert not ours.exists()


def test_a_root_with_foreign_files_survives_its_removal(tmp_path):
    root = tmp_path / "root"
    sync(root, {"a": b"1"})
    (root / "theirs").write_bytes(b"t")
    sync(root, {})
    assert tree_of(root) == {"theirs": b"t"}
    assert not (root / MANIFEST).exists()


def test_a_file_becomes_a_directory_and_back(tmp_path):
    sync(tmp_path, {"a": b"1"})
    sync(tmp_path, {"a/b/c": b"2"})
    assert tree_of(tmp_path) == {"a/b/c": b"2"}
    sync(tmp_path, {"a": b"3"})
    assert tree_of(tmp_path) == {"a": b"3"}


def test_a_directory_with_foreign_files_does_not_become_a_file(tmp_path):
    sync(tmp_path, {"a/b": b"1"})
    (tmp_path / "a" / "theirs").write_bytes(b"t")
    with pytest.raises(FileError) as caught:
        plan_tree(str(tmp_path), {"a": b"2"}, OWNER)
    assert caught.value.reason == "is_directory"
    assert tree_of(tmp_path) == {"a/b": b"1", "a/theirs": b"t"}


def test_what_replaced_an_undeclared_file_of_ours_is_not_ours(tmp_path):
    sync(tmp_path, {"a": b"1", "b": b"2"})
    (tmp_path / "a").unlink()
    (tmp_path / "a").symlink_to("/etc/hostname")
    plan = sync(tmp_path, {"b": b"2"})
    assert plan.foreign == ("a",)
    assert (tmp_path / "a").is_symlink()


@pytest.mark.parametrize(
    "desired",
    [{"../a": b""}, {"/a": b""}, {MANIFEST: b""}, {"a": b"", "a/b": b""}, {"a\0": b""}],
)
def test_p08_bad_names_are_refused_before_anything_is_read(tmp_path, desired):
    with pytest.raises(FileError) as caught:
        plan_tree(str(tmp_path / "x"), desired, OWNER)
    assert caught.value.reason == "bad_path"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"version": 1}',
        b'{"version": 1, "owner": 5, "attributes": {}, "files": {}, "made_root": true}',
        b'{"version": 1, "owner": "test", "attributes": {}, "files": {"../../etc/passwd": "x"}, "made_root": true}',
        b'{"version": 2, "owner": "test", "attributes": {}, "files": {}, "made_root": true}',
    ],
)
def test_a_manifest_that_is_none_is_refused_and_kept(tmp_path, text):
    (tmp_path / MANIFEST).write_bytes(text)
    with pytest.raises(FileError, match=r"\.zerotrust-manifest\.json|passwd") as caught:
        plan_tree(str(tmp_path), {}, OWNER)
    assert caught.value.reason in ("bad_manifest", "bad_path")
    assert (tmp_path / MANIFEST).read_bytes() == text


def test_a_change_by_another_run_since_the_plan_is_noticed(tmp_path):
    planned = plan_tree(str(tmp_path), {"a": b"1"}, OWNER)
    sync(tmp_path, {"a": b"2"})
    with pytest.raises(FileError) as caught:
        apply_tree(planned)
    assert caught.value.reason == "changed_meanwhile"
    assert tree_of(tmp_path) == {"a": b"2"}


def test_a_plan_shows_no_secret_and_bounded_text(tmp_path):
    desired = {"key": b"TOP-SECRET", "big": b"x" * 100_000, "binary": b"\xff\x00"}
    plan = plan_tree(str(tmp_path), desired, OWNER, modes={"key": 0o600}).plan
    text = json.dumps(plan.to_data(-1))
    assert "TOP-SECRET" not in text
    assert len(text) < 30_000
    assert {change.name: change.after for change in plan.changes}["binary"].startswith("(binary, 2 bytes")
    sync(tmp_path, desired, modes={"key": 0o600})
    (tmp_path / "key").chmod(0o644)
    fixed = plan_tree(str(tmp_path), {**desired, "key": b"OTHER-SECRET"}, OWNER, modes={"key": 0o600}).plan
    assert "SECRET" not in json.dumps(fixed.to_data(-1))


def test_fingerprints_differ_with_content_that_is_not_shown(tmp_path):
    one, other = (
        plan_tree(str(tmp_path), {"key": content}, OWNER, mode=0o600).plan for content in (b"secret 1", b"secret 2")
    )
    assert one.to_data()["changes"] == other.to_data()["changes"]
    assert one.fingerprint != other.fingerprint


OLD = {"keep": b"1", "change": b"2", "gone/deep/file": b"3", "swap": b"4"}
NEW = {"keep": b"1", "change": b"22", "new/deep/file": b"5", "swap/inner": b"6"}


@pytest.mark.parametrize("afterwards", [NEW, OLD, {}, {"other": b"7", "new/deep/file": b"8"}])
def test_p16_a_crash_at_any_call_is_survived_whatever_is_declared_next(tmp_path, afterwards):
    steps = 0
    for number in range(1, 500):
        root = tmp_path / str(number)
        sync(root, OLD)
        (root / "foreign").write_bytes(b"f")
        try:
            apply_tree(plan_tree(str(root), NEW, OWNER, system=crash_at(number)))
        except Crash:
            steps += 1
        else:
            break
        for name, content in tree_of(root).items():
            assert content in {OLD.get(name), NEW.get(name), b"f"} or ".zerotrust-tmp-" in name
        sync(root, afterwards)
        assert tree_of(root) == {**afterwards, "foreign": b"f"}
        directories = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_dir()}
        assert directories == {str(Path(name).parent) for name in afterwards if "/" in name} | (
            {"new"} if "new/deep/file" in afterwards else set()
        ) | ({"gone"} if "gone/deep/file" in afterwards else set())
        assert not plan_tree(str(root), afterwards, OWNER).plan.changed
    assert steps > 60


def test_p16_killed_at_any_call(tmp_path, repo):
    """The same with a real SIGKILL, at every seventh call (each costs a process)."""
    code = (
        "import sys, json; from tests.unit.reconcile.faults import kill_at\n"
        "from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import *\n"
        "new = {name: text.encode() for name, text in json.loads(sys.argv[3]).items()}\n"
        "apply_tree(plan_tree(sys.argv[1], new, 'test', system=kill_at(int(sys.argv[2]))))\n"
    )
    killed = 0
    for number in range(20, 500, 7):
        root = tmp_path / str(number)
        sync(root, OLD)
        new = json.dumps({name: content.decode() for name, content in NEW.items()})
        command = [sys.executable, "-c", code, str(root), str(number), new]
        if subprocess.run(command, cwd=repo, check=False).returncode == 0:
            break
        killed += 1
        sync(root, NEW)
        assert tree_of(root) == NEW
    assert killed > 5


def test_p17_temporary_files_of_a_killed_run_are_a_change_of_the_next(tmp_path):
    sync(tmp_path, {"a/b": b"1"})
    (tmp_path / "a" / ".zerotrust-tmp-0123456789abcdef").write_bytes(b"half a secret")
    plan = sync(tmp_path, {"a/b": b"1"})
    assert said(plan) == [("delete", "a/.zerotrust-tmp-0123456789abcdef", ("left_by_a_crash",))]
    assert not plan_tree(str(tmp_path), {"a/b": b"1"}, OWNER).plan.changed


def test_a_pending_path_that_somebody_else_filled_is_foreign(tmp_path):
    sync(tmp_path, {"a": b"1"})
    with Tree(str(tmp_path)) as tree:
        data = json.loads(tree.read(MANIFEST).content)
        data["pending"] = {"b": "0" * 64}
        tree.write(MANIFEST, json.dumps(data).encode(), 0o644)
    (tmp_path / "b").write_bytes(b"theirs")
    assert said(sync(tmp_path, {"a": b"1"})) == [("update", MANIFEST, ("unfinished_run",))]
    assert (tmp_path / "b").read_bytes() == b"theirs"


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)


def _no_conflict(paths) -> bool:
    return not any(other.startswith(path + "/") for path in paths for other in paths)


TREES = st.dictionaries(PATHS, st.binary(max_size=3), max_size=6).filter(_no_conflict)
FOREIGN = st.dictionaries(st.sampled_from(["x", "a/x", "a/b/x", "b/x", "y/z"]), st.binary(max_size=3), max_size=3)


@settings(max_examples=200)
@given(TREES, TREES, FOREIGN, st.integers(1, 60))
def test_random_trees_converge_and_foreign_files_stay(old, new, foreign, crash):
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory, "root")
        sync(root, old)
        for name, content in foreign.items():
            try:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(content)
            except (NotADirectoryError, FileExistsError):
                continue
        theirs = {name: content for name, content in tree_of(root).items() if name not in old}
        try:
            planned = plan_tree(str(root), new, OWNER, system=crash_at(crash + 10))
        except Crash:
            return
        except FileError as error:
            # A foreign file lies in a directory that is to become a file, or the other way round.
            assert error.reason in ("is_directory", "not_a_directory")  # noqa: PT017
            assert tree_of(root) == {**old, **theirs}
            return
        try:
            apply_tree(planned)
        except Crash:
            sync(root, new)
        assert tree_of(root) == {**new, **theirs}
        again = plan_tree(str(root), new, OWNER).plan
        assert not again.changed
        assert again.unchanged == len(new)
        empty = [path for path in root.rglob("*") if path.is_dir() and not os.listdir(path)] if root.exists() else []
        assert empty == []
