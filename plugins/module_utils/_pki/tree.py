# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A certificate tree on disk: compared with its declaration, planned, issued, written.

    Declaration, directory, now ─▶ plan_pki ─▶ PkiPlan(.plan is shown) ─▶ apply_pki ─▶ records of what there is

Planning only reads. Each request is looked at after its issuer: its files, what `checks` says of them, and whether the
issuer it will have afterwards is the one that signed it. Issuing happens in memory; then the whole tree goes through
`_reconcile.files`, which knows what is ours and survives a crash at any point.

A key and its certificate are a pair for every reader at any moment, as
- a renewed certificate keeps its key, so that one rename is the whole change;
- a first key is written before its certificate;
- where the key changes (another key type, a lost or broken key), both files are replaced as one (`_reconcile.swap`).

An authority keeps its key when it is renewed: what it has signed stays valid, and only files that hold a copy of its
certificate are written anew. Its key is replaced only if another key type is declared.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._durations import duration_text
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import checks, crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.checks import GOOD, MISSING, Facts
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import (
    ALTERNATIVE_NAMES,
    DAY,
    Declaration,
    Request,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import FileState, Tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.files import (
    MANIFEST,
    FileError,
    apply_tree,
    left_by_a_crash,
    look_around,
    owned_manifest,
    plan_tree,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.manifest import Manifest, digest_of
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Change,
    Plan,
)

OWNER = "zerotrust.platform.pki"
KEY_MODE = 0o600
FILE_MODE = 0o644
#: The subject and key identifier by which a certificate names its issuer (RFC 5280, 4.2.1.1 and 6.1).
Identity = tuple[tuple[tuple[str, str], ...], bytes]


@dataclass
class Item:
    """One request, and all that is known of it. Filled while planning, completed while issuing."""

    request: Request
    issuers: Sequence[Item]
    files: Mapping[str, Optional[FileState]]
    facts: Facts
    certificate: Any = None
    key: Any = None
    #: Why a new certificate is issued; and what else is wrong with the files.
    reasons: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    new_key: bool = False
    #: None if it is not known before the new key exists.
    identity: Optional[Identity] = None
    key_pem: bytes = field(default=b"", repr=False)

    @property
    def issues(self) -> bool:
        return bool(self.reasons)


@dataclass
class PkiPlan:
    plan: Plan
    items: list[Item]
    manifest: Manifest
    now: datetime
    adopt: bool
    #: Files of ours that are no longer declared and stay: path -> content, mode.
    kept: Mapping[str, FileState]
    warnings: list[str]


class _Planner:
    def __init__(self, tree: Tree, declaration: Declaration, now: datetime, adopt: bool) -> None:
        self.tree, self.declaration, self.now, self.adopt = tree, declaration, now, adopt
        self.manifest = owned_manifest(tree, OWNER) or Manifest(OWNER)
        self.items: dict[str, Item] = {}
        self.errors: list[tuple[str, str]] = []
        self.warnings: list[str] = []

    def refuse(self, request: Request, reason: str, message: str) -> None:
        self.errors.append((reason, f"{request.kind} {request.name!r}: {message}"))

    # One request

    def look(self, request: Request) -> None:
        issuers = [self.items[above.name] for above in self.declaration.issuers(request) if above.name in self.items]
        files = self._read(request)
        if files is None or len(issuers) < len(self.declaration.issuers(request)):
            return
        item = Item(request, issuers, files, Facts())
        self._examine(item)
        refusals = list(checks.refusals(request, item.facts, self.now))
        for reason, message in refusals:
            self.refuse(request, reason, message)
        if refusals:
            # Whether what it issues can stay is another question, for when this one is answered.
            return
        self.items[request.name] = item
        self._decide(item)
        self._check_ownership(item)

    def _read(self, request: Request) -> Optional[dict[str, Optional[FileState]]]:
        found: dict[str, Optional[FileState]] = {}
        for content, path in request.files.items():
            try:
                state = self.tree.read(path)
            except FileError as error:
                self.refuse(request, error.reason, error.message)
                return None
            if content == "key" and state is not None and state.links > 1:
                message = f"{self.tree.name(path)}: the key has {state.links} hard links: remove the others"
                self.refuse(request, "hard_link", message)
            found[content] = state
        return found

    def _is_as_written(self, request: Request, content: str, state: Optional[FileState]) -> bool:
        path = request.files[content]
        return state is not None and self.manifest.files.get(path) == digest_of(state.content)

    def _examine(self, item: Item) -> None:
        """Read key and certificate. What has the hashes we noted when we wrote it needs no proof of its signature."""
        request, certificate, key = item.request, item.files["certificate"], item.files["key"]
        written = all(self._is_as_written(request, content, item.files[content]) for content in ("key", "certificate"))
        facts = Facts()
        if certificate is not None:
            try:
                item.certificate = crypto.read_certificate(certificate.content)
                facts = crypto.facts_of(item.certificate)
            except ValueError as error:
                item.certificate = None
                facts = Facts(
                    certificate=checks.BAD, problem=f"{self.tree.name(request.files['certificate'])}: {error}"
                )
        if written and item.certificate is not None:
            facts = replace(facts, key=GOOD, key_matches=True)
        else:
            facts, item.key = crypto.with_key(facts, item.certificate, key.content if key else None)
        if facts.certificate == GOOD:
            facts = replace(facts, issued_by=self._issued_by(item, written))
        item.facts = facts

    def _issued_by(self, item: Item, written: bool) -> bool:
        own, issuers = crypto.identifiers(item.certificate)
        named = (crypto.name_of(item.certificate.issuer), issuers)
        if not item.issuers:
            signer = item.certificate
            same = named == (crypto.name_of(item.certificate.subject), own)
        else:
            signer = item.issuers[0].certificate
            same = named == item.issuers[0].identity
        return same and (written or signer is None or crypto.is_signed_by(item.certificate, signer))

    def _decide(self, item: Item) -> None:
        request, facts = item.request, item.facts
        item.reasons = checks.reasons(request, facts, self.now)
        item.new_key = item.issues and checks.needs_new_key(request, facts)
        if not item.new_key:
            own = crypto.identifiers(item.certificate)[0] if item.certificate is not None and not item.issues else None
            item.identity = (request.subject, own or crypto.key_id((item.key or item.certificate).public_key()))
        item.drift = tuple(self._drift(item))
        if item.issues:
            self._check_validity(item)
        elif self.now < facts.not_before:
            self.warnings.append(
                f"{request.kind} {request.name!r} is valid from {facts.not_before:%Y-%m-%dT%H:%M:%SZ} only: "
                "is this machine's clock right?"
            )

    def _drift(self, item: Item) -> list[str]:
        found = []
        for content, path in item.request.files.items():
            state = item.files[content]
            if state is None:
                if content not in ("key", "certificate") and not item.issues:
                    found.append(f"{content}_missing")
                continue
            mode = KEY_MODE if content == "key" else FILE_MODE
            if state.mode != mode:
                found.append(f"{content}_mode")
                if content == "key" and state.mode & 0o077:
                    self.warnings.append(f"{self.tree.name(path)}: the key could be read by others ({state.mode:04o})")
            if content == "key" and state.uid != os.geteuid():
                found.append("key_owner")
            if item.issues or content == "key":
                continue
            wanted = self._expected(item, content)
            if wanted is None:
                found.append("chain_changed")
            elif wanted != state.content:
                found.append(f"{content}_changed")
        return list(dict.fromkeys(found))

    def _expected(self, item: Item, content: str) -> Optional[bytes]:
        """What a file without secrets should hold; None if a certificate in it is yet to be issued."""
        parts = _parts(item, content)
        if any(part.issues for part in parts):
            return None
        return b"".join(crypto.to_pem(part.certificate) for part in parts)

    def _check_validity(self, item: Item) -> None:
        if not item.issuers:
            return
        issuer = item.issuers[0]
        ends = checks.not_after(issuer.request, self.now) if issuer.issues else issuer.facts.not_after
        wanted = checks.not_after(item.request, self.now)
        if wanted > ends:
            self.refuse(
                item.request,
                "outlives_issuer",
                f"it would be valid until {wanted:%Y-%m-%dT%H:%M:%SZ}, its issuer {issuer.request.name!r} only until "
                f"{ends:%Y-%m-%dT%H:%M:%SZ}: shorten valid_for, or renew the issuer earlier (its renew_before)",
            )
        if not issuer.issues and issuer.facts.not_before > self.now:
            self.refuse(
                item.request,
                "ca_not_yet_valid",
                f"its issuer {issuer.request.name!r} is valid from {issuer.facts.not_before:%Y-%m-%dT%H:%M:%SZ} only, "
                f"and it is {self.now:%Y-%m-%dT%H:%M:%SZ} here: is this machine's clock right?",
            )

    def _check_ownership(self, item: Item) -> None:
        for content, path in item.request.files.items():
            state = item.files[content]
            if state is None or self.manifest.owns(path, state.content):
                continue
            if self.adopt:
                item.drift = tuple(dict.fromkeys((*item.drift, "adopted")))
            else:
                self.refuse(
                    item.request,
                    "foreign_file",
                    f"{self.tree.name(path)} is not ours: move it away, or set adopt to take it over",
                )

    # All of them

    def finish(self, purge: bool) -> PkiPlan:
        declared = {path for request in self.declaration.requests for path in request.files.values()}
        if self.errors:
            messages = [message for _reason, message in self.errors]
            more = f" (and {len(messages) - 1} more)" if len(messages) > 1 else ""
            raise PlatformError(messages[0] + more, self.errors[0][0], messages if more else ())
        stale = sorted(path for path in (*self.manifest.files, *self.manifest.pending) if path not in declared)
        kept = {path: state for path in stale for state in [self._stale(path)] if state is not None}
        foreign, left = look_around(self.tree, self.manifest, declared)
        items = list(self.items.values())
        changes = [change for item in items for change in _changes(item)]
        unchanged = len(items) - len(changes)
        if purge:
            changes.extend(Change(DELETE, "file", path, ("not_declared",)) for path in kept)
            kept = {}
        changes.extend(left_by_a_crash(left))
        if not changes and self._manifest_is_behind(items, kept):
            changes.append(Change(UPDATE, "manifest", MANIFEST, ("unfinished_run",)))
        plan = Plan(tuple(changes), unchanged, tuple(foreign))
        return PkiPlan(plan, items, self.manifest, self.now, self.adopt, kept, self.warnings)

    def _stale(self, path: str) -> Optional[FileState]:
        try:
            state = self.tree.read(path)
        except FileError:
            return None
        return state if state is not None and self.manifest.owns(path, state.content) else None

    def _manifest_is_behind(self, items: Sequence[Item], kept: Mapping[str, FileState]) -> bool:
        # Nothing is going to be issued, so each file is there.
        wanted = {
            item.request.files[content]: digest_of(state.content)
            for item in items
            for content, state in item.files.items()
            if state is not None
        }
        wanted.update((path, digest_of(state.content)) for path, state in kept.items())
        return bool(self.manifest.pending) or wanted != self.manifest.files


def _parts(item: Item, content: str) -> list[Item]:
    """Whose certificates a file holds, in its order. A root is not sent (RFC 8446, 4.4.2), so it is in `ca` only."""
    intermediates = [issuer for issuer in item.issuers if issuer.issuers]
    if content == "certificate":
        return [item]
    if content == "fullchain":
        return [item, *intermediates]
    if content == "chain":
        return intermediates
    return [(item, *item.issuers)[-1]]


def _changes(item: Item) -> list[Change]:
    request, facts = item.request, item.facts
    if not item.issues and not item.drift:
        return []
    action = CREATE if facts.certificate == MISSING else UPDATE
    before = None
    if facts.certificate != MISSING:
        before = {"serial": facts.serial, "not_after": _time(facts.not_after), **_shown(request, facts)}
    after = {**_shown(request, request), "valid_for": duration_text(request.valid_for)}
    if not item.issues:
        after = before or {}
    return [Change(action, request.kind, request.name, (*item.reasons, *item.drift), before, after)]


def _shown(request: Request, what: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"subject": _subject(what.subject), "key_type": what.key_type, "files": dict(request.files)}
    shown.update((kind, list(getattr(what, kind))) for kind in ALTERNATIVE_NAMES if getattr(what, kind))
    if what is request:
        shown.update(issuer=request.issuer, profile=request.profile)
    return shown


_SHORT = {
    "country": "C",
    "state": "ST",
    "locality": "L",
    "organization": "O",
    "organizational_unit": "OU",
    "common_name": "CN",
}


def _subject(subject: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{_SHORT.get(attribute, attribute)}={value}" for attribute, value in subject)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def plan_pki(
    tree: Tree, declaration: Declaration, now: datetime, *, adopt: bool = False, purge: bool = False
) -> PkiPlan:
    """What has to be done so that the tree is as declared at a moment (aware, UTC). Reads only.

    adopt: take over files that are there and not ours. purge: remove files of ours that are no longer declared.
    """
    planner = _Planner(tree, declaration, now, adopt)
    for request in declaration.requests:
        planner.look(request)
    return planner.finish(purge)


def apply_pki(tree: Tree, pki_plan: PkiPlan) -> list[dict[str, Any]]:
    """Issue what has to be issued and write the tree, whose lock the caller holds since before it was planned."""
    if (owned_manifest(tree, OWNER) or Manifest(OWNER)) != pki_plan.manifest:
        raise FileError(f"{tree.path}: was changed by another run since it was planned; run again", "changed_meanwhile")
    for item in pki_plan.items:
        if item.issues:
            _issue(item, pki_plan.now)
    desired: dict[str, bytes] = {path: state.content for path, state in pki_plan.kept.items()}
    modes = {path: state.mode for path, state in pki_plan.kept.items()}
    units: list[tuple[str, ...]] = []
    for item in pki_plan.items:
        files = item.request.files
        for content, path in files.items():
            desired[path] = _content(item, content)
            modes[path] = KEY_MODE if content == "key" else FILE_MODE
        if item.new_key:
            # `ca` belongs to the issuer, so it does not have to change in the same moment.
            units.append(tuple(path for content, path in files.items() if content != "ca"))
        units.extend((path,) for path in files.values())
    tree_plan = plan_tree(tree.path, desired, OWNER, modes=modes, adopt=pki_plan.adopt, units=units, tree=tree)
    apply_tree(tree_plan, tree=tree)
    return records(pki_plan)


def _content(item: Item, content: str) -> bytes:
    if content == "key":
        state = item.files["key"]
        return item.key_pem if item.key_pem or state is None else state.content
    return b"".join(crypto.to_pem(part.certificate) for part in _parts(item, content))


def _private_key(item: Item) -> Any:
    # Keys are read when they are needed: most runs sign nothing.
    if item.key is None:
        state = item.files["key"]
        item.key = crypto.read_key(state.content)[1] if state is not None else None
    return item.key


def _issue(item: Item, now: datetime) -> None:
    request = item.request
    if item.new_key:
        item.key = crypto.new_key(request.key_type)
        item.key_pem = crypto.key_to_pem(item.key)
    public_key = _private_key(item).public_key()
    # Not the identifier of an old certificate, which may be of another kind.
    item.identity = (request.subject, crypto.key_id(public_key))
    signer = item.issuers[0] if item.issuers else item
    subject, key_id = signer.identity or item.identity
    not_before = checks.not_before(now)
    if item.issuers:
        not_before = max(not_before, signer.facts.not_before)
    validity = (not_before, checks.not_after(request, now))
    item.certificate = crypto.issue(request, public_key, subject, _private_key(signer), key_id, validity)
    item.facts = replace(crypto.facts_of(item.certificate), key=GOOD, key_matches=True, issued_by=True)


def records(pki_plan: PkiPlan) -> list[dict[str, Any]]:
    """What there is, for people and monitoring; never a key. What is not issued yet has null for what it will have."""
    return [_record(item, pki_plan.now) for item in pki_plan.items]


def _record(item: Item, now: datetime) -> dict[str, Any]:
    request, facts = item.request, item.facts
    there = item.certificate is not None
    return {
        "name": request.name,
        "kind": request.kind,
        "issuer": request.issuer,
        "subject": _subject(request.subject),
        "profile": request.profile,
        "names": [name for kind in ALTERNATIVE_NAMES for name in getattr(request, kind)],
        "files": dict(request.files),
        "serial": facts.serial if there else None,
        "not_before": _time(facts.not_before) if there else None,
        "not_after": _time(facts.not_after) if there else None,
        "days_left": int((facts.not_after - now.replace(microsecond=0)).total_seconds() // DAY) if there else None,
        "fingerprint_sha256": crypto.fingerprint(item.certificate) if there else None,
    }
