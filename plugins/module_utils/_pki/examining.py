# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request's files: what they hold, and what is wrong with them beside the certificate itself. Reads only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._pki import checks, crypto, remembering
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.checks import GOOD, Facts
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.facts import facts_of, facts_of_issued, with_key
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Item, Seen
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Request
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.outputs import OUTPUTS, Issued, access, source
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.permissions import refusals
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import FileState, Tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.manifest import Manifest, digest_of
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import FileError

Files = Mapping[str, Optional[FileState]]
_PROVED = {"key": GOOD, "key_matches": True}


@dataclass(frozen=True)
class Examiner:
    """
    sources: path -> `outputs.source`, as the manifest has them. written_for: see `remembering`.
    adopt: whether files that are not ours are taken over.
    refuse: is told (request, reason, sentence) what a person has to decide. warn: what a person should know.
    """

    tree: Tree
    manifest: Manifest
    adopt: bool
    refuse: Callable[[Request, str, str], None]
    warn: Callable[[str], None]
    sources: Mapping[str, str] = field(default_factory=dict)
    written_for: Mapping[str, str] = field(default_factory=dict)

    def read(self, request: Request) -> Optional[Files]:
        found: dict[str, Optional[FileState]] = {}
        for content, permission in request.permissions.items():
            for reason, message in refusals(permission):
                self.refuse(request, reason, f"permissions.{content}: {message}")
        for content, path in request.files.items():
            try:
                state = self.tree.read(path)
            except FileError as error:
                self.refuse(request, error.reason, error.message)
                return None
            if OUTPUTS[content].needs_key and state is not None and state.links > 1:
                message = f"{self.tree.name(path)}: holds a key and has {state.links} hard links: remove the others"
                self.refuse(request, "hard_link", message)
            found[content] = state
        return found

    def _is_as_written(self, item: Item, content: str) -> bool:
        known = item.seen[content]
        return known is not None and self.manifest.files.get(item.request.files[content]) == known.digest

    def examine(self, item: Item, files: Files) -> None:
        """Read key and certificate. What has the hashes we noted when we wrote it needs no proof of its signature."""
        certificate, key = files["certificate"], files["key"]
        written = self._is_as_written(item, "key") and self._is_as_written(item, "certificate")
        # That a passphrase is the right one is found out now, and not in a year when the key is needed.
        plain = item.passphrase is None and key is not None and not crypto.is_encrypted(key.content)
        facts = Facts()
        if certificate is not None:
            try:
                item.certificate = crypto.read_certificate(certificate.content)
                if written and plain and self._is_remembered(item):
                    return
                facts = facts_of(item.certificate, **(_PROVED if written and plain else {}))
            except ValueError as error:
                item.certificate = None
                name = self.tree.name(item.request.files["certificate"])
                facts = Facts(certificate=checks.BAD, problem=f"{name}: {error}")
        if facts.key != GOOD:
            facts, item.key = with_key(facts, item.certificate, key.content if key else None, item.passphrase)
        item.facts, item.settled = facts, written
        if facts.certificate == GOOD:
            facts.issued_by = item.issuer.look(item, self.tree, written)
        if key is not None and any(OUTPUTS[content].sealed for content in item.request.files):
            # Their passphrases are compared by means of the key.
            item.key_pem = key.content

    def _is_remembered(self, item: Item) -> bool:
        noted = self.written_for.get(item.request.name)
        if noted is None or any(one.issues for issuer in item.issuers for one in (issuer, *issuer.beside)):
            return False
        if noted != remembering.digest(item) or not all(self._is_as_written(item, one) for one in item.request.files):
            return False
        above = item.issuers[0].identity
        item.facts = facts_of_issued(item.request, item.certificate, (None, above[1] if above else None))
        item.settled = item.remembered = True
        return True

    def compare(self, item: Item, files: Files) -> None:
        """Find what else is wrong with its files."""
        drift: list[str] = []
        rewrites = []
        issued = item.issued
        above = any(one.issues for issuer in item.issuers for one in (issuer, *issuer.beside))
        for content, path in item.request.files.items():
            found = list(self._drift(item, content, files[content]))
            if content != "key" and files[content] is not None and not item.issues and not item.remembered:
                if above and item.waits(OUTPUTS[content].holds):
                    found.append("chain_changed")
                elif not self._is_current(item, content, path, files[content], issued):
                    found.append(f"{content}_changed")
            if found:
                drift.extend(found)
                rewrites.append(content)
        item.drift, item.rewrites = tuple(dict.fromkeys(drift)), tuple(rewrites)
        if "jks" in item.writes and shutil.which("keytool") is None:
            self.refuse(
                item.request,
                "missing_tool",
                "files.jks needs keytool of a Java runtime, which is not on this machine: install one, or declare "
                "files.pkcs12, which Java 8 and later read as well",
            )

    def _drift(self, item: Item, content: str, state: Optional[FileState]) -> Iterator[str]:
        if state is None:
            if content not in ("key", "certificate") and not item.issues:
                yield f"{content}_missing"
            return
        wanted = access(item.request, content)
        if state.mode != wanted.mode:
            yield f"{content}_mode"
            if OUTPUTS[content].needs_key and state.mode & ~wanted.mode & 0o077:
                self.warn(f"{self._name(item, content)}: the key could be read by others ({state.mode:04o})")
        uid = os.geteuid() if wanted.uid is None and OUTPUTS[content].needs_key else wanted.uid
        if uid is not None and state.uid != uid:
            yield f"{content}_owner"
        if wanted.gid is not None and state.gid != wanted.gid:
            yield f"{content}_group"
        if content == "key" and item.passphrase is not None and not crypto.is_encrypted(state.content):
            yield "key_not_encrypted"
            self.warn(f"{self._name(item, content)}: the key lay there in clear until now; copies of it still do")

    def _name(self, item: Item, content: str) -> str:
        return self.tree.name(item.request.files[content])

    def _is_current(self, item: Item, content: str, path: str, state: Optional[FileState], issued: Issued) -> bool:
        if OUTPUTS[content].needs_key:
            return self._is_as_written(item, content) and self.sources.get(path) == source(content, issued)
        return state is not None and OUTPUTS[content].render(issued) == state.content

    def check_ownership(self, item: Item, files: Files) -> None:
        for content, path in item.request.files.items():
            state = files[content]
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


def seen(state: Optional[FileState]) -> Optional[Seen]:
    return None if state is None else Seen(digest_of(state.content), state.mode, state.uid)
