# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory of files as a reconciled thing.

    desired {relative path: bytes} ─┐
    manifest (what is ours)        ─┼─▶ plan_tree ─▶ TreePlan ─▶ apply_tree
    the directory                  ─┘                 .plan: shown

Ownership: `.zerotrust-manifest.json` in the root names the owner and each file we made with its sha256. What it does
not name is foreign: left alone and reported. A foreign file that stands where one of ours should is refused
(`foreign_file`) unless its content is the same or `adopt` is set. A root that another owner has is refused.

Crashes: before a new path is written, it is entered in the manifest as pending, with the hash it is going to have; the
last write of a run makes the manifest final. So whatever the run that follows wants, it knows what is ours. Files are
created and updated before others are deleted, unless an old file stands where a new directory should be.

An unchanged tree costs a stat and a read for each file, and nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import first_of
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import (
    FileState,
    Tree,
    Write,
    write_atomic,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.directories import OS, Os
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.manifest import (
    MANIFEST,
    Manifest,
    digest_of,
    read_manifest,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import (
    SWAP,
    TEMPORARY,
    FileError,
    check_relative_path,
    is_secret,
    parents,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Change,
    Plan,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.swap import recover, replace_together

__all__ = [
    "MANIFEST",
    "FileError",
    "Manifest",
    "TreePlan",
    "apply_tree",
    "plan_tree",
    "read_manifest",
    "write_atomic",
]

#: What `--diff` shows of one side of one file, in characters.
_SHOWN = 20_000


@dataclass(frozen=True)
class TreePlan:
    """What `apply_tree` needs beside what is shown of it (`plan`)."""

    plan: Plan
    root: str
    before: Optional[Manifest]
    after: Manifest
    writes: Mapping[str, Write]
    removes: frozenset[str]
    left: tuple[str, ...]
    units: tuple[tuple[str, ...], ...]
    system: Os


def shown_text(content: bytes, mode: int) -> str:
    """A file as a diff may show it: never a secret, never without bound."""
    if is_secret(mode):
        return "*** (secret, not shown)\n"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return f"(binary, {len(content)} bytes, sha256 {digest_of(content)})\n"
    if len(text) > _SHOWN:
        return f"{text[:_SHOWN]}\n(… {len(text) - _SHOWN} more characters, sha256 {digest_of(content)})\n"
    return text


def _check_desired(desired: Mapping[str, bytes]) -> None:
    errors: list[str] = []
    for path in desired:
        try:
            check_relative_path(path)
        except FileError as error:
            errors.append(error.message)
            continue
        if path == MANIFEST:
            errors.append(f"{path!r} is the manifest's own name")
        errors.extend(
            f"{parent!r} is declared as a file, and as a directory of {path!r}"
            for parent in parents(path)
            if parent in desired
        )
    _raise(errors, "bad_path")


def _raise(errors: list[str], reason: str) -> None:
    if errors:
        raise FileError(first_of(errors), reason, errors if len(errors) > 1 else ())


class _Planner:
    """One comparison of a tree with what is desired."""

    def __init__(
        self,
        tree: Tree,
        desired: Mapping[str, bytes],
        modes: Mapping[str, int],
        adopt: bool,
        secrets_uid: Optional[int],
    ) -> None:
        self.tree, self.desired, self.modes, self.adopt = tree, desired, modes, adopt
        self.secrets_uid = secrets_uid
        self.manifest = read_manifest(tree) or Manifest("")
        self.files = self.manifest.files
        self.stale = {path for path in (*self.files, *self.manifest.pending) if path not in desired}
        self.changes: list[Change] = []
        self.errors: list[tuple[str, str]] = []
        self.writes: dict[str, Write] = {}
        self.removes: list[str] = []
        self.unchanged = 0

    def read(self, path: str) -> Optional[FileState]:
        """The file in the way of a desired one; None too if all that is in the way is ours and goes."""
        try:
            return self.tree.read(path)
        except FileError as error:
            if error.reason == "not_a_directory" and any(parent in self.stale for parent in parents(path)):
                return None
            if error.reason == "is_directory" and self.goes(path):
                return None
            raise

    def goes(self, directory: str) -> bool:
        """Whether all that is in a directory is ours and no longer declared."""
        return all(
            self.goes(f"{directory}/{name}")
            if is_directory
            else f"{directory}/{name}" in self.stale or bool(TEMPORARY.match(name))
            for name, is_directory in self.tree.entries(directory)
        )

    def compare(self, path: str) -> None:
        content, mode = self.desired[path], self.modes[path]
        try:
            state = self.read(path)
        except FileError as error:
            self.errors.append((error.message, error.reason))
            return
        after = shown_text(content, mode)
        digest = digest_of(content + b"\0%o" % mode)
        if state is None:
            reason = "missing" if path in self.files else "declared"
            self.changes.append(Change(CREATE, "file", path, (reason,), None, after, digest))
            self.writes[path] = self.write(content, mode)
            return
        same, ours = state.content == content, self.manifest.owns(path, state.content)
        if not same and not ours and not self.adopt:
            self.errors.append(
                (
                    f"{self.tree.name(path)}: a file that is not ours stands there with another content; move it "
                    "away, or set adopt to replace it",
                    "foreign_file",
                )
            )
            return
        reasons = []
        if not ours and not same:
            reasons.append("adopted")
        elif not same:
            reasons.append("edited" if self.files.get(path) not in (None, digest_of(state.content)) else "content")
        if state.mode != mode:
            reasons.append(f"mode {state.mode:04o} should be {mode:04o}")
        uid = os.geteuid() if self.secrets_uid is None else self.secrets_uid
        if is_secret(mode) and state.uid != uid:
            reasons.append(f"owner {state.uid} should be {uid}")
        if same and not reasons:
            self.unchanged += 1
            return
        before = shown_text(state.content, max(mode, 0) if is_secret(mode) else state.mode)
        self.changes.append(Change(UPDATE, "file", path, tuple(reasons), before, after, digest))
        self.writes[path] = self.write(content, mode)

    def write(self, content: bytes, mode: int) -> Write:
        return Write(content, mode, self.secrets_uid if is_secret(mode) else None)

    def drop(self, path: str, hidden: bool) -> None:
        """A path of the manifest that is no longer declared."""
        try:
            state = self.tree.read(path)
        except FileError:
            # Somebody put something else there: it is not what we made.
            return
        if state is None or not self.manifest.owns(path, state.content):
            return
        reasons = ["not_declared"]
        if path in self.files and self.files[path] != digest_of(state.content):
            reasons.append("edited")
        before = None if hidden else shown_text(state.content, state.mode)
        self.changes.append(Change(DELETE, "file", path, tuple(reasons), before, None))
        self.removes.append(path)


def look_around(tree: Tree, manifest: Manifest, desired: Collection[str]) -> tuple[list[str], list[str]]:
    """(foreign names, what a crash left) in directories that hold files of ours. Others are not entered."""
    files = {*desired, *manifest.files, *manifest.pending}
    directories = {"", *(parent for path in files for parent in parents(path))}
    foreign, left = [], []
    for directory in sorted(directories):
        try:
            found = tree.entries(directory)
        except FileError:
            # A link or a file where a directory was: listed in its parent.
            continue
        for name, is_directory in found:
            path = f"{directory}/{name}" if directory else name
            if path in desired and not is_directory:
                continue
            if (TEMPORARY.match(name) and not is_directory) or (SWAP.match(path) and is_directory):
                left.append(path)
            elif is_directory and path not in directories:
                foreign.append(path + "/")
            elif not is_directory and path != MANIFEST and not _is_ours(tree, manifest, desired, path):
                foreign.append(path)
    return foreign, left


def _is_ours(tree: Tree, manifest: Manifest, desired: Collection[str], path: str) -> bool:
    if path in desired:
        return True
    if path not in manifest.files and path not in manifest.pending:
        return False
    try:
        state = tree.read(path)
    except FileError:
        return False
    return state is not None and manifest.owns(path, state.content)


def plan_tree(
    root: str,
    desired: Mapping[str, bytes],
    owner: str,
    *,
    attributes: Optional[Mapping[str, Any]] = None,
    mode: int = 0o644,
    modes: Optional[Mapping[str, int]] = None,
    secrets_uid: Optional[int] = None,
    adopt: bool = False,
    units: Sequence[Sequence[str]] = (),
    hidden: bool = False,
    system: Os = OS,
    tree: Optional[Tree] = None,
) -> TreePlan:
    """Compare `root` with `desired` (relative path -> content). Reads only.

    owner: who declares the tree; a root whose manifest names another is refused (`foreign_owner`).
    attributes: JSON-like facts kept in the manifest.
    mode: of each file; `modes` names exceptions.
    secrets_uid: whose the files are that only their owner may read; by default the user's who runs.
    units: files that are written first, in this order; those of one unit that are replaced are replaced as one.
    hidden: do not show what a removed file held, whatever its mode is.
    tree: the root, if the caller has opened it already (to hold its lock longer).
    Nothing desired means nothing is left: the manifest goes too, and the root if we made it and it is empty.
    """
    _check_desired(desired)
    with nullcontext(tree) if tree else Tree(root, system) as opened:
        planner = _Planner(
            opened, desired, {path: (modes or {}).get(path, mode) for path in desired}, adopt, secrets_uid
        )
        before = owned_manifest(opened, owner)
        for path in sorted(desired):
            planner.compare(path)
        if planner.errors:
            _raise([message for message, _reason in planner.errors], planner.errors[0][1])
        for path in sorted(planner.stale):
            planner.drop(path, hidden)
        foreign, left = look_around(opened, planner.manifest, desired)
        after = Manifest(
            owner,
            dict(attributes or {}),
            {path: digest_of(content) for path, content in desired.items()},
            made_root=before.made_root if before else opened.made or not opened.exists,
        )
    changes = planner.changes
    changes.extend(left_by_a_crash(left))
    changes.extend(_manifest_change(before, after, bool(changes)))
    return TreePlan(
        plan=Plan(tuple(changes), planner.unchanged, tuple(foreign)),
        root=opened.path,
        before=before,
        after=after,
        writes=planner.writes,
        removes=frozenset(planner.removes),
        left=tuple(left),
        units=tuple(tuple(unit) for unit in units),
        system=system,
    )


def owned_manifest(tree: Tree, owner: str) -> Optional[Manifest]:
    """The root's manifest, None if it has none; a `foreign_owner` error if it is somebody else's."""
    manifest = read_manifest(tree)
    if manifest is not None and manifest.owner != owner:
        raise FileError(
            f"{tree.path}: belongs to owner {manifest.owner!r}, not to {owner!r}; choose another directory or owner",
            "foreign_owner",
        )
    return manifest


def left_by_a_crash(paths: Iterable[str]) -> list[Change]:
    """The changes that clean up what `look_around` found."""
    return [Change(DELETE, "temporary", path, ("left_by_a_crash",)) for path in paths]


def _manifest_change(before: Optional[Manifest], after: Manifest, others: bool) -> list[Change]:
    """The manifest follows the files unsaid; it is a change of its own if it says something new, or alone changes."""
    known = dict(before.attributes) if before else {}
    if before is not None and after.files and known != after.attributes:
        return [Change(UPDATE, "manifest", MANIFEST, ("attributes",), known, dict(after.attributes))]
    if others or before == after or (before is None and not after.files):
        return []
    if not after.files:
        return [Change(DELETE, "manifest", MANIFEST, ("not_declared",))]
    if before is None:
        return [Change(CREATE, "manifest", MANIFEST, ("adopted",))]
    return [Change(UPDATE, "manifest", MANIFEST, ("unfinished_run",))]


def apply_tree(tree_plan: TreePlan, lock_timeout: float = 30.0, tree: Optional[Tree] = None) -> None:
    """Do what the plan says, under a lock. A failed run is continued by planning and applying again.

    lock_timeout: seconds to wait for another run. tree: the root, if the caller holds its lock already.
    Refused (`changed_meanwhile`) if another run has changed the tree since it was planned.
    """
    if not tree_plan.plan.changed:
        return
    with nullcontext(tree) if tree else Tree(tree_plan.root, tree_plan.system) as opened:
        if tree is None:
            opened.lock(lock_timeout)
        if read_manifest(opened) != tree_plan.before:
            raise FileError(
                f"{opened.path}: was changed by another run since it was planned; run again", "changed_meanwhile"
            )
        _apply(opened, tree_plan)


def _apply(tree: Tree, tree_plan: TreePlan) -> None:
    before, after = tree_plan.before or Manifest(tree_plan.after.owner), tree_plan.after
    clean(tree, tree_plan.left)
    before = announce(
        tree, replace(before, made_root=after.made_root), {path: after.files[path] for path in tree_plan.writes}
    )
    make_room(tree, before, after, tree_plan.removes)
    write_units(tree, tree_plan.writes, tree_plan.units)
    finish(tree, before, after, tree_plan.removes)


# The steps of an apply, for those who plan a tree in another way. The caller holds the lock.


def clean(tree: Tree, left: Iterable[str]) -> None:
    """Remove what `look_around` found of a crash; a swap that had begun is finished."""
    for path in left:
        if SWAP.match(path):
            recover(tree, path)
        else:
            tree.remove(path)


def announce(
    tree: Tree, before: Manifest, digests: Mapping[str, str], attributes: Optional[Mapping[str, Any]] = None
) -> Manifest:
    """Note the files (path -> sha256) that are going to be created, and return the manifest that says so.

    attributes: what the manifest is to say from now on, where that is something else.
    """
    pending = {path: digest for path, digest in digests.items() if path not in before.files}
    # What a broken run left pending stays known until this run is through.
    kept = before.attributes if attributes is None else attributes
    intent = replace(before, pending={**before.pending, **pending}, attributes=kept)
    if intent == before:
        return before
    tree.write(MANIFEST, intent.to_bytes(), 0o644)
    tree.sync()
    return intent


def make_room(tree: Tree, before: Manifest, after: Manifest, removes: Collection[str]) -> None:
    """Remove what is no longer declared and stands where a file or directory is going to be."""
    _remove(tree, _in_the_way(before, after), removes)


def write_units(tree: Tree, writes: Mapping[str, Write], units: Sequence[Sequence[str]] = ()) -> None:
    """Write files, the units first, in order; those of one that are there change as one."""
    done: set[str] = set()
    for unit in units:
        paths = [path for path in unit if path in writes]
        together = [path for path in paths if len(paths) > 1 and tree.stat(path) is not None]
        if len(together) > 1:
            replace_together(tree, [(path, writes[path]) for path in together])
            done.update(together)
        for path in paths:
            if path not in done:
                tree.write(path, *writes[path])
        done.update(paths)
    for path in sorted(writes):
        if path not in done:
            tree.write(path, *writes[path])


def finish(tree: Tree, before: Manifest, after: Manifest, removes: Collection[str]) -> None:
    """Remove what is no longer declared, and make the manifest final."""
    _remove(tree, _stale(before, after) - _in_the_way(before, after), removes)
    tree.sync()
    if after.files:
        tree.write(MANIFEST, after.to_bytes(), 0o644)
        tree.sync()
        return
    tree.remove(MANIFEST)
    tree.sync()
    if after.made_root:
        tree.remove_root()


def _stale(before: Manifest, after: Manifest) -> set[str]:
    # What is gone already too: a crash may have left its directory empty.
    return {path for path in (*before.files, *before.pending) if path not in after.files}


def _in_the_way(before: Manifest, after: Manifest) -> set[str]:
    directories = {parent for path in after.files for parent in parents(path)}
    stale = _stale(before, after)
    return {path for path in stale if path in directories or any(up in after.files for up in parents(path))}


def _remove(tree: Tree, stale: Iterable[str], removes: Collection[str]) -> None:
    for path in sorted(stale, reverse=True):
        if path in removes:
            tree.remove(path)
        for parent in parents(path):
            if not tree.remove_empty(parent):
                break
