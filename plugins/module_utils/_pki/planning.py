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

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError, first_of
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import checks, crypto, reloading, remembering
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.bookkeeping import Books, Publication
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.constraints import violation
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.examining import Examiner, Files, seen
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.issuers import (
    Surroundings,
    outside_issuers,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.issuing import AUTHORITY, IMPORTED
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
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import check_relative_path
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import (
    DELETE,
    UPDATE,
    Change,
    Plan,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits, check_limits

OWNER = "zerotrust.platform.pki"


@dataclass
class PkiPlan:
    """
    plan: what is shown. The rest is for the apply.
    sources: path -> `outputs.source` of what can be compared by that only.
    kept: files of ours that are no longer declared and stay: path -> digest. removes: those that go.
    archives: where copies of some of them are made before: path -> path. left: what a crash has left.
    publications: the revocation lists that are signed. around: as it was given.
    reloads: the certificates whose command an earlier run owes.
    """

    plan: Plan
    items: list[Item]
    manifest: Manifest
    now: datetime
    sources: Mapping[str, str]
    kept: Mapping[str, str]
    removes: frozenset[str]
    archives: Mapping[str, str]
    left: tuple[str, ...]
    reloads: frozenset[str]
    publications: list[Publication]
    around: Surroundings
    warnings: list[str]


def plan_pki(
    tree: Tree,
    declaration: Declaration,
    now: datetime,
    *,
    adopt: bool = False,
    purge: bool = False,
    archive: str = "",
    limits: Optional[Limits] = None,
    around: Optional[Surroundings] = None,
) -> PkiPlan:
    """What has to be done so that the tree is as declared at a moment (aware, UTC). Reads only.

    adopt: take over files that are there and not ours. purge: remove files of ours that are no longer declared, or with
    `archive`, a directory of the tree, move them there.
    limits: how much a declaration may change; nothing that time brings about counts.
    around: what some issuers and some files need.
    """
    around = around or Surroundings()
    outside = outside_issuers(declaration, tree.path, around)
    planner = _Planner(tree, declaration, now, adopt, outside)
    for request in declaration.requests:
        planner.look(request)
    return planner.finish(purge, check_relative_path(archive) if archive else "", limits or Limits(), around)


class _Planner:
    def __init__(
        self, tree: Tree, declaration: Declaration, now: datetime, adopt: bool, outside: Mapping[str, Issuer]
    ) -> None:
        self.tree, self.declaration, self.now = tree, declaration, now
        self.manifest = owned_manifest(tree, OWNER) or Manifest(OWNER)
        self.sources: Mapping[str, str] = self.manifest.attributes.get("sources", {})
        self.outside = outside
        self.items: dict[str, Item] = {}
        #: As they are written: other generations of an authority before it.
        self.order: list[Item] = []
        self.generations: dict[str, Files] = {}
        self.errors: list[tuple[str, str]] = []
        self.warnings: list[str] = []
        written_for = self.manifest.attributes.get(remembering.ATTRIBUTE, {})
        self.examiner = Examiner(
            tree, self.manifest, adopt, self.refuse, self.warnings.append, self.sources, written_for
        )
        self.passphrases = Passphrases(self.warnings.append)
        self.books = Books(tree, self.manifest, declaration.revocations, now, adopt, self.refuse)

    def refuse(self, request: Request, reason: str, message: str) -> None:
        self.errors.append((reason, f"{request.kind} {request.name!r}: {message}"))

    # One request

    def look(self, request: Request) -> None:
        above = self.declaration.issuers(request)
        issuers = [self.items[issuer.name] for issuer in above if issuer.name in self.items]
        files = self.examiner.read(request)
        if files is None or len(issuers) < len(above):
            return
        issuer = IMPORTED if request.imported else self.outside.get(request.issuer or "", AUTHORITY)
        item = Item(request, issuers, {content: seen(state) for content, state in files.items()}, issuer)
        if not self._examine(item, files):
            # Whether what it issues can stay is another question, for when this one is answered.
            return
        self.items[request.name] = item
        try:
            self._decide(item)
        except PlatformError as error:
            self.refuse(request, error.reason, error.message)
            return
        self.order.append(item)
        if item.certificate is not None or item.issues:
            self.examiner.compare(item, files)
        self.examiner.check_ownership(item, files)

    def _examine(self, item: Item, files: Files) -> bool:
        """Find out what there is; whether nothing of it has to be refused."""
        try:
            item.passphrase = self.passphrases.of(item.request)
            self.examiner.examine(item, files)
            if item.request.is_authority:
                self.books.open(item)
        except PlatformError as error:
            self.refuse(item.request, error.reason, error.message)
            return False
        refusals = list(checks.refusals(item.request, item.facts, self.now))
        for reason, message in refusals:
            self.refuse(item.request, reason, message)
        return not refusals

    def _generation(self, request: Request) -> Optional[Item]:
        """Another generation of an authority, as it lies there."""
        files = self.examiner.read(request)
        if files is None:
            return None
        item = Item(request, (), {content: seen(state) for content, state in files.items()}, AUTHORITY)
        item.passphrase = self.passphrases.of(request)
        self.examiner.examine(item, files)
        if item.facts.key in (checks.ENCRYPTED, checks.WRONG):
            for reason, message in checks.refusals(request, item.facts, self.now):
                self.refuse(request, reason, message)
            return None
        self.generations[request.name] = files
        return item

    def _decide(self, item: Item) -> None:
        request, facts = item.request, item.facts
        if self.books.is_revoked(item):
            facts.revoked = True
        item.reasons = checks.reasons(request, facts, self.now, item.issuer.decides)
        item.new_key = item.issues and checks.needs_new_key(request, facts)
        if request.is_authority and not request.imported:
            for other in self.books.roll(item, self._generation):
                self.order.append(other)
                self.examiner.compare(other, self.generations[other.request.name])
                self.examiner.check_ownership(other, self.generations[other.request.name])
        if item.issues:
            item.issuer.prepare(item, self.tree, self.now)
        if item.pending:
            self.warnings.append(f"{request.kind} {request.name!r} waits {item.pending}")
        if item.pending and item.certificate is None:
            return
        if request.is_authority:
            self._identify(item)
        item.settled = item.settled and not item.issues
        if item.issues:
            self._check_issuers(item)
            self._check_validity(item)
            return
        self.books.note(item)
        if self.now < facts.not_before:
            self.warnings.append(
                f"{request.kind} {request.name!r} is valid from {time_text(facts.not_before)} only: "
                "is this machine's clock right?"
            )

    def _identify(self, item: Item) -> None:
        """How certificates name it as their issuer, as far as that is known before it is issued."""
        if item.coming is not None:
            own = crypto.identifiers(item.coming)[0] or crypto.key_id(item.coming.public_key())
            item.identity = (crypto.name_of(item.coming.subject), own)
        elif item.certificate is not None and not item.issues:
            own = item.facts.key_id or crypto.key_id(item.certificate.public_key())
            item.identity = (item.facts.subject, own)
        elif not item.new_key:
            item.identity = (item.request.subject, crypto.key_id((item.key or item.certificate).public_key()))

    def _check_issuers(self, item: Item) -> None:
        """What the certificates above say; `linking` has checked what is declared of them."""
        below = int(item.request.is_authority)
        for issuer in item.issuers:
            facts, name = issuer.facts, issuer.request.name
            if not issuer.issues:
                length = facts.path_length
                if item.request.is_authority and length is not None and below > length:
                    message = (
                        f"the certificate of {name!r} has path length {length}: no more authorities can be below it"
                    )
                    self.refuse(item.request, "path_length", message)
                wrong = violation(facts.constraints, item.request) if facts.constraints is not None else None
                if wrong:
                    self.refuse(item.request, "name_constraints", f"{wrong}, those in the certificate of {name!r}")
            below += 1

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

    def finish(self, purge: bool, archive: str, limits: Limits, around: Surroundings) -> PkiPlan:
        keeps = {path for issuer in self.outside.values() for path in issuer.keeps} | self.books.keeps()
        declared = {path for request in self.declaration.requests for path in request.files.values()}
        if not self.errors:
            self.books.publish()
        if self.errors:
            messages = [message for _reason, message in self.errors]
            raise PlatformError(first_of(messages), self.errors[0][0], messages if len(messages) > 1 else ())
        others = sorted(path for path in (*self.manifest.files, *self.manifest.pending) if path not in declared)
        kept = {path: state.digest for path in others for state in [self._stale(path)] if state is not None}
        foreign, left = look_around(self.tree, self.manifest, declared | keeps)
        foreign = [path for path in foreign if not archive or not f"{archive}/".startswith(path)]
        items = self.order
        owed = self._owed(items)
        for item in items:
            if item.request.name in owed and not item.writes:
                item.drift = (*item.drift, "reload_pending")
        by_item = [changes(item) for item in items]
        found = [change for some in by_item for change in some]
        unchanged = sum(not some for some in by_item)
        settled = [item for item in items if not item.issues and not item.pending]
        archives: Mapping[str, str] = {}
        removes = {path for item in settled for path in item.issuer.needless(item) if path in kept}
        found.extend(Change(DELETE, "temporary", path, ("left_by_a_crash",)) for path in sorted(removes))
        found.extend(self.books.changes())
        removes |= self.books.removes() & kept.keys()
        if purge:
            stale = kept.keys() - keeps
            why = ("not_declared", "archived") if archive else ("not_declared",)
            deletes = [Change(DELETE, "file", path, why) for path in sorted(stale)]
            archives = {path: f"{archive}/{self.now:%Y%m%dT%H%M%SZ}/{path}" for path in stale if archive}
            check_limits(Plan(tuple(deletes)), len(self.manifest.files), len(items), limits)
            found.extend(deletes)
            removes |= stale
        self._check_updates(items, limits)
        kept = {path: digest for path, digest in kept.items() if path not in removes}
        found.extend(left_by_a_crash(left))
        if not found:
            found.extend(Change(UPDATE, "ledger", name, ("certificates_found",)) for name in self.books.behind())
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
            archives,
            tuple(left),
            owed,
            self.books.publications,
            around,
            self.warnings,
        )

    def _check_updates(self, items: Sequence[Item], limits: Limits) -> None:
        """Hold what a declaration changes against the limits. What time brings about has to be done in any case."""
        there = [item for item in items if item.facts.certificate == checks.GOOD]
        by_declaration = [change for item in there if _is_declared_anew(item) for change in changes(item)]
        check_limits(Plan(tuple(by_declaration)), len(there), len(items), limits)

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


def _is_declared_anew(item: Item) -> bool:
    """Whether it is issued again because something else is declared."""
    # An issuer with a new key is another matter than another issuer.
    ledger = item.issuers[0].ledger if item.issuers else None
    moved = "issuer_changed" in item.reasons and (ledger is None or item.facts.serial not in ledger.entries)
    return moved or not checks.DECLARED.isdisjoint(item.reasons)
