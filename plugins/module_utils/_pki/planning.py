# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done so that a certificate tree is as declared. Reads only.

Each request is looked at after its issuer: its files, what `checks` says of them, and whether the issuer it will have
afterwards is the one that signed it. What must not be done without a person is refused here, before anything is
written, all refusals at once.

An authority keeps its key when it is renewed: what it has signed stays valid, and only files that hold a copy of its
certificate are written anew. Its key is replaced only if another key type is declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import checks, crypto, reloading
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.examining import Examiner, seen
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.issuers import (
    Surroundings,
    outside_issuers,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.issuing import AUTHORITY
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Issuer, Item, Seen
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Declaration, Request
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.passphrases import Passphrases
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.records import changes, time_text
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import (
    MANIFEST,
    FileError,
    left_by_a_crash,
    look_around,
    owned_manifest,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.manifest import Manifest
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import (
    DELETE,
    UPDATE,
    Change,
    Plan,
)

OWNER = "zerotrust.platform.pki"


@dataclass
class PkiPlan:
    """
    plan: what is shown. The rest is for the apply.
    sources: path -> `outputs.source` of what can be compared by that only.
    kept: files of ours that are no longer declared and stay: path -> digest. removes: those that go.
    left: what a crash has left.
    reloads: the certificates whose command an earlier run owes. around: as it was given.
    """

    plan: Plan
    items: list[Item]
    manifest: Manifest
    now: datetime
    sources: Mapping[str, str]
    kept: Mapping[str, str]
    removes: frozenset[str]
    left: tuple[str, ...]
    reloads: frozenset[str]
    around: Surroundings
    warnings: list[str]


def plan_pki(
    tree: Tree,
    declaration: Declaration,
    now: datetime,
    *,
    adopt: bool = False,
    purge: bool = False,
    around: Optional[Surroundings] = None,
) -> PkiPlan:
    """What has to be done so that the tree is as declared at a moment (aware, UTC). Reads only.

    adopt: take over files that are there and not ours. purge: remove files of ours that are no longer declared.
    around: what some issuers and some files need.
    """
    around = around or Surroundings()
    outside = outside_issuers(declaration, tree.path, around)
    planner = _Planner(tree, declaration, now, adopt, outside)
    for request in declaration.requests:
        planner.look(request)
    return planner.finish(purge, around)


class _Planner:
    def __init__(
        self, tree: Tree, declaration: Declaration, now: datetime, adopt: bool, outside: Mapping[str, Issuer]
    ) -> None:
        self.tree, self.declaration, self.now = tree, declaration, now
        self.manifest = owned_manifest(tree, OWNER) or Manifest(OWNER)
        self.sources: Mapping[str, str] = self.manifest.attributes.get("sources", {})
        self.outside = outside
        self.items: dict[str, Item] = {}
        self.errors: list[tuple[str, str]] = []
        self.warnings: list[str] = []
        self.examiner = Examiner(tree, self.manifest, adopt, self.refuse, self.warnings.append, self.sources)
        self.passphrases = Passphrases(self.warnings.append)

    def refuse(self, request: Request, reason: str, message: str) -> None:
        self.errors.append((reason, f"{request.kind} {request.name!r}: {message}"))

    # One request

    def look(self, request: Request) -> None:
        above = self.declaration.issuers(request)
        issuers = [self.items[issuer.name] for issuer in above if issuer.name in self.items]
        files = self.examiner.read(request)
        if files is None or len(issuers) < len(above):
            return
        found = {content: seen(state) for content, state in files.items()}
        item = Item(request, issuers, found, self.outside.get(request.issuer or "", AUTHORITY))
        try:
            item.passphrase = self.passphrases.of(request)
        except PlatformError as error:
            self.refuse(request, error.reason, error.message)
            return
        self.examiner.examine(item, files)
        refusals = list(checks.refusals(request, item.facts, self.now))
        for reason, message in refusals:
            self.refuse(request, reason, message)
        if refusals:
            # Whether what it issues can stay is another question, for when this one is answered.
            return
        self.items[request.name] = item
        try:
            self._decide(item)
        except PlatformError as error:
            self.refuse(request, error.reason, error.message)
            return
        if item.certificate is not None or item.issues:
            self.examiner.compare(item, files)
        self.examiner.check_ownership(item, files)

    def _decide(self, item: Item) -> None:
        request, facts = item.request, item.facts
        item.reasons = checks.reasons(request, facts, self.now, item.issuer.decides)
        if item.issues:
            item.new_key = checks.needs_new_key(request, facts)
            item.issuer.prepare(item, self.tree, self.now)
        if item.pending:
            self.warnings.append(f"{request.kind} {request.name!r} waits {item.pending}")
        if item.pending and item.certificate is None:
            return
        if item.certificate is not None and not item.issues:
            own = crypto.identifiers(item.certificate)[0] or crypto.key_id(item.certificate.public_key())
            item.identity = (crypto.name_of(item.certificate.subject), own)
        elif not item.new_key:
            item.identity = (request.subject, crypto.key_id((item.key or item.certificate).public_key()))
        if item.issues:
            self._check_validity(item)
        elif self.now < facts.not_before:
            self.warnings.append(
                f"{request.kind} {request.name!r} is valid from {time_text(facts.not_before)} only: "
                "is this machine's clock right?"
            )

    def _check_validity(self, item: Item) -> None:
        if not item.issuers:
            return
        issuer = item.issuers[0]
        ends = issuer.facts.not_after
        if issuer.issues:
            coming = issuer.coming
            ends = checks.not_after(issuer.request, self.now) if coming is None else coming.not_valid_after_utc
        wanted = checks.not_after(item.request, self.now)
        if wanted > ends:
            self.refuse(
                item.request,
                "outlives_issuer",
                f"it would be valid until {time_text(wanted)}, its issuer {issuer.request.name!r} only until "
                f"{time_text(ends)}: shorten valid_for, or renew the issuer earlier (its renew_before)",
            )
        if not issuer.issues and issuer.facts.not_before > self.now:
            self.refuse(
                item.request,
                "ca_not_yet_valid",
                f"its issuer {issuer.request.name!r} is valid from {time_text(issuer.facts.not_before)} only, "
                f"and it is {time_text(self.now)} here: is this machine's clock right?",
            )

    # All of them

    def finish(self, purge: bool, around: Surroundings) -> PkiPlan:
        keeps = {path for issuer in self.outside.values() for path in issuer.keeps}
        declared = {path for request in self.declaration.requests for path in request.files.values()}
        if self.errors:
            messages = [message for _reason, message in self.errors]
            more = f" (and {len(messages) - 1} more)" if len(messages) > 1 else ""
            raise PlatformError(messages[0] + more, self.errors[0][0], messages if more else ())
        others = sorted(path for path in (*self.manifest.files, *self.manifest.pending) if path not in declared)
        kept = {path: state.digest for path in others for state in [self._stale(path)] if state is not None}
        foreign, left = look_around(self.tree, self.manifest, declared | keeps)
        items = list(self.items.values())
        owed = self._owed(items)
        for item in items:
            if item.request.name in owed and not item.writes:
                item.drift = (*item.drift, "reload_pending")
        by_item = [changes(item) for item in items]
        found = [change for some in by_item for change in some]
        unchanged = sum(not some for some in by_item)
        settled = [item for item in items if not item.issues and not item.pending]
        removes = {path for item in settled for path in item.issuer.needless(item) if path in kept}
        found.extend(Change(DELETE, "temporary", path, ("left_by_a_crash",)) for path in sorted(removes))
        if purge:
            stale = kept.keys() - keeps
            found.extend(Change(DELETE, "file", path, ("not_declared",)) for path in sorted(stale))
            removes |= stale
        kept = {path: digest for path, digest in kept.items() if path not in removes}
        found.extend(left_by_a_crash(left))
        if not found and self._manifest_is_behind(items, kept):
            found.append(Change(UPDATE, "manifest", MANIFEST, ("unfinished_run",)))
        plan = Plan(tuple(found), unchanged, tuple(foreign))
        return PkiPlan(
            plan,
            items,
            self.manifest,
            self.now,
            self.sources,
            kept,
            frozenset(removes),
            tuple(left),
            owed,
            around,
            self.warnings,
        )

    def _owed(self, items: Sequence[Item]) -> frozenset[str]:
        """The certificates whose program was not told of the files that an earlier run has written."""
        names = self.manifest.attributes.get(reloading.ATTRIBUTE, ())
        return frozenset(item.request.name for item in items if item.request.reload and item.request.name in names)

    def _stale(self, path: str) -> Optional[Seen]:
        try:
            state = self.tree.read(path)
        except FileError:
            return None
        return seen(state) if state is not None and self.manifest.owns(path, state.content) else None

    def _manifest_is_behind(self, items: Sequence[Item], kept: Mapping[str, str]) -> bool:
        # Nothing is going to be issued, so each file is there.
        wanted = {
            item.request.files[content]: seen.digest
            for item in items
            for content, seen in item.seen.items()
            if seen is not None
        }
        wanted.update(kept)
        return bool(self.manifest.pending) or wanted != self.manifest.files
