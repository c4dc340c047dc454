# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate tree on disk, brought to what its plan says.

    Declaration, directory, now ─▶ plan_pki ─▶ PkiPlan(.plan is shown) ─▶ apply_pki; records_of: what there is
                          planning.py: reads only        each item: key, Issuer.issue, outputs ─▶ its files

A key and its certificate are a pair for every reader at any moment, as
- a renewed certificate keeps its key, so that one rename is the whole change;
- a first key is written before its certificate;
- where the key changes (another key type, a lost or broken key), both files are replaced as one (`_reconcile.swap`).

A crash at any point is repaired by the next run: see `_reconcile.files`, which also knows what is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError, first_of
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import (
    issuing,
    outputs,
    records,
    reloading,
    remembering,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.bookkeeping import sign
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Item
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.ledger import ledger_path
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.making import contents, make
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.planning import OWNER, PkiPlan
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree, Write
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import (
    MANIFEST,
    FileError,
    announce,
    clean,
    finish,
    make_room,
    owned_manifest,
    write_units,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.manifest import Manifest, digest_of
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.staging import Staged, discard


def apply_pki(tree: Tree, pki_plan: PkiPlan) -> None:
    """Issue what has to be issued and write the tree, whose lock the caller holds since before it was planned.

    What an issuer outside of this tree refuses does not keep the others from being issued, nor does a program that does
    not take its new files. It is told at the end, by a PlatformError that names each.
    """
    if (owned_manifest(tree, OWNER) or Manifest(OWNER)) != pki_plan.manifest:
        raise FileError(f"{tree.path}: was changed by another run since it was planned; run again", "changed_meanwhile")
    run = _Run(tree, pki_plan)
    failures = run.issue()
    run.finish()
    failures.extend(run.reload())
    if failures:
        messages = [error.message for error in failures]
        failure = PlatformError(first_of(messages), failures[0].reason, messages if len(messages) > 1 else ())
        failure.result = {"changed": run.changed}
        raise failure


def records_of(pki_plan: PkiPlan, limit: Optional[int] = None) -> list[dict[str, Any]]:
    """The records of authorities and certificates, as they are now: of all, or of those that expire first.

    Those without an end are yet to be issued.
    """
    items = pki_plan.items
    if limit is not None and len(items) > limit:
        first = sorted(items, key=lambda item: item.facts.not_after)[:limit]
        chosen = set(map(id, first))
        items = [item for item in items if id(item) in chosen]
    return [records.record(item, pki_plan.now) for item in items]


def reloads_of(pki_plan: PkiPlan) -> list[dict[str, Any]]:
    """The commands that this plan leads to, if all goes well."""
    names = {*pki_plan.reloads, *(item.request.name for item in pki_plan.items if item.writes)}
    return reloading.shown(reloading.commands(pki_plan.items, names))


#: How many certificates get a new key with one look at the manifest.
_AT_A_TIME = 500


class _Run:
    def __init__(self, tree: Tree, pki_plan: PkiPlan) -> None:
        self.tree, self.plan = tree, pki_plan
        before = pki_plan.manifest
        self.before = replace(before, made_root=before.made_root or tree.made)
        self.files = dict(pki_plan.kept)
        for item in pki_plan.items:
            for content, path in item.request.files.items():
                seen = item.seen[content]
                if seen is not None:
                    self.files[path] = seen.digest
        self.sources = dict(pki_plan.sources)
        self.written_for: dict[str, str] = {}
        self.authorities = [item for item in pki_plan.items if item.request.is_authority]
        #: The names of certificates whose program has to be told of new files.
        self.reloads = set(pki_plan.reloads)
        #: Whether anything that was planned has been done, beside what issuers keep for themselves.
        self.changed = bool(pki_plan.left or pki_plan.removes)

    @property
    def after(self) -> Manifest:
        attributes = {
            "sources": self.sources,
            reloading.ATTRIBUTE: sorted(self.reloads),
            remembering.ATTRIBUTE: self.written_for,
        }
        attributes = {name: value for name, value in attributes.items() if value}
        return replace(self.before, files=self.files, pending={}, attributes=attributes)

    def issue(self) -> list[PlatformError]:
        """Issue and write all; what went wrong outside."""
        clean(self.tree, self.plan.left)
        # Each has a hash as soon as it is made.
        coming = {item.request.files[content]: "" for item in self.plan.items for content in item.writes}
        self.before = announce(self.tree, self.before, coming)
        make_room(self.tree, self.before, replace(self.after, files={**self.files, **coming}), self.plan.removes)
        outside = [item for item in self.plan.items if not item.issuer.local and (item.issues or item.asks)]
        for item in outside:
            # What it issues waits for it, so nothing can be done without it.
            if item.request.is_authority:
                self.write([item])
        waiting = {item.request.name for item in outside}
        local = [item for item in self.plan.items if item.request.name not in waiting]
        for item in local:
            # One after the other, as one signs the next.
            if item.request.is_authority:
                self.write([item])
        self.write([item for item in local if not item.request.is_authority])
        failures = []
        for item in outside:
            if not item.request.is_authority:
                try:
                    self.write([item])
                except FileError:
                    # Not the issuer's refusal: the others could not be written either.
                    raise
                except PlatformError as error:
                    item.failed = error.reason
                    failures.append(PlatformError(f"certificate {item.request.name!r}: {error.message}", error.reason))
        return failures

    def keep(self, path: str, content: bytes, mode: int) -> None:
        digest = digest_of(content)
        self.before = announce(self.tree, self.before, {path: digest})
        self.tree.write(path, content, mode)
        self.tree.sync()
        self.files[path] = digest

    def drop(self, path: str) -> None:
        self.tree.remove(path)
        self.files.pop(path, None)

    def write(self, items: Sequence[Item]) -> None:
        """Issue what has to be issued, and put all files in place."""
        at_work = [item for item in items if item.writes or item.asks]
        self._put(make([item for item in at_work if not _swaps(item)], self, self.plan), at_work)
        swapped = [item for item in at_work if _swaps(item)]
        # Their files are all at hand before the first is written, so they are not too many.
        for first in range(0, len(swapped), _AT_A_TIME):
            self._swap(swapped[first : first + _AT_A_TIME])
        for item in at_work:
            if item.issues:
                item.issuer.done(item, self)

    def _put(self, made: Sequence[Staged], items: Sequence[Item]) -> None:
        try:
            self._announce({one.path: one.digest for one in made}, items)
            for one in made:
                self.tree.put(one.path, one.temporary)
        except BaseException:
            discard(self.tree, made)
            raise

    def _swap(self, items: Sequence[Item]) -> None:
        writes: dict[str, Write] = {}
        for item in items:
            writes.update(contents(item, self, self.plan))
        self._announce({path: digest_of(write.content) for path, write in writes.items()}, items)
        write_units(self.tree, writes, [unit for item in items for unit in _units(item)])

    def _announce(self, digests: Mapping[str, str], items: Sequence[Item]) -> None:
        """What is going to be seen is in the authorities' ledgers and in the manifest before."""
        self._keep_ledgers()
        self.reloads.update(item.request.name for item in items if item.writes and item.request.reload)
        reloads = {reloading.ATTRIBUTE: sorted(self.reloads)} if self.reloads else {}
        self.before = announce(self.tree, self.before, digests, {**self.before.attributes, **reloads})
        self.files.update(digests)
        self.changed = self.changed or bool(digests)

    def _keep_ledgers(self) -> None:
        """Authorities remember what they have signed before anybody sees it."""
        for item in self.authorities:
            if item.ledger is not None and item.ledger.changed:
                self.keep(ledger_path(item.request.name), item.ledger.to_bytes(), outputs.FILE_MODE)
                item.ledger.changed = False

    def finish(self) -> None:
        for item in self.authorities:
            if item.ledger is not None:
                item.ledger.settle()
        lists = {}
        for publication in self.plan.publications:
            keys = {one.request.name: issuing.read_key(one, self.tree) for one in publication.signers}
            lists.update(sign(publication, self.plan.now, keys))
        # The number of a list is used up before it is seen.
        self._keep_ledgers()
        for path, content in lists.items():
            self.keep(path, content, outputs.FILE_MODE)
        for path, copy in self.plan.archives.items():
            state = self.tree.read(path)
            if state is not None:
                self.tree.write(copy, *Write(state.content, state.mode, state.uid, state.gid))
        self.sources = {path: source for path, source in self.sources.items() if path in self.files}
        for item in self.plan.items:
            digest = None if item.pending or item.failed else remembering.digest(item)
            if digest is not None:
                self.written_for[item.request.name] = digest
        finish(self.tree, self.before, self.after, self.plan.removes)

    def reload(self) -> list[PlatformError]:
        """Tell the programs, and note which have been told; what went wrong."""
        told, failures = reloading.run_all(reloading.commands(self.plan.items, self.reloads), self.plan.around.run)
        self.reloads -= told
        if told:
            self.tree.write(MANIFEST, self.after.to_bytes(), 0o644)
            self.tree.sync()
        return failures


def _swaps(item: Item) -> bool:
    """Whether files of it that are there change in one moment."""
    return item.new_key and sum(known is not None for known in item.seen.values()) > 1


def _units(item: Item) -> list[tuple[str, ...]]:
    """Which files change in one moment: those of a new key. `ca` is its issuer's, so it need not."""
    paths = [(content, item.request.files[content]) for content in item.writes]
    together = tuple(path for content, path in paths if content != "ca") if item.new_key else ()
    return [together, *((path,) for _content, path in paths if path not in together)]
