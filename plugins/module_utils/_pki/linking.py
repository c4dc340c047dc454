# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only all items of a declaration together can tell: names, issuers, path lengths, validity, files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._durations import duration_text
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import Problem, show, suggestion
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.constraints import violation
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.ledger import OWN_FILES
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import (
    DAY,
    Declaration,
    Outside,
    Request,
    Revocation,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.outside_reading import objections
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.reading import Node, Source
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.requests import Draft
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import parents


@dataclass(frozen=True)
class Found:
    """All items by themselves, and what is wrong with them."""

    problems: list[tuple[Source, Problem]]
    drafts: list[Draft] = field(default_factory=list)
    outside: list[tuple[Outside, Node]] = field(default_factory=list)
    revocations: list[tuple[Revocation, Node]] = field(default_factory=list)
    #: The names of authorities that cannot be read: what names one of them makes no mistake of its own.
    spoiled: set[object] = field(default_factory=set)

    def add(self, draft: Optional[Draft], node: Node) -> None:
        if draft is not None:
            self.drafts.append(draft)
        else:
            self.spoiled.add(node.data.get("name"))


def link(found: Found) -> Declaration:
    """The declaration that they make together, an empty one if anything is wrong."""
    return _Linker(found).link()


class _Linker:
    def __init__(self, found: Found) -> None:
        self.drafts, self.revocations, self.problems = found.drafts, found.revocations, found.problems
        self.by_name = {draft.request.name: draft for draft in found.drafts}
        self.outside = {issuer.name: issuer for issuer, _node in found.outside}
        self.spoiled = found.spoiled
        self.named = [
            *((issuer.name, node) for issuer, node in found.outside),
            *((one.request.name, one.node) for one in found.drafts),
        ]

    def link(self) -> Declaration:
        seen: set[str] = set()
        for name, node in self.named:
            if name in seen:
                node.report("name", "duplicate_name", f"{show(name)} is declared twice")
            seen.add(name)
        if len(seen) == len(self.named):
            for draft in self.drafts:
                self._issuer(draft)
        if self.problems:
            return Declaration()
        children: dict[str, list[Draft]] = {}
        for draft in self.drafts:
            children.setdefault(draft.request.issuer or "", []).append(draft)
        ordered = self._ordered(children)
        self._subjects(ordered)
        self._paths(ordered)
        for revocation, node in self.revocations:
            self._revocation(revocation, node)
        requests = tuple(self._complete(draft, children.get(draft.request.name, [])) for draft in ordered)
        return Declaration(requests, tuple(self.outside.values()), tuple(one for one, _node in self.revocations))

    def _issuer(self, draft: Draft) -> None:
        request, below = draft.request, int(draft.request.is_authority)
        seen = {request.name}
        current = request
        while current.issuer is not None:
            elsewhere = self.outside.get(current.issuer)
            if elsewhere is not None:
                for key, code, message in objections(request, draft.node, elsewhere) if current is request else ():
                    draft.node.report(key, code, message)
                return
            issuer = self.by_name.get(current.issuer)
            if issuer is None and current.issuer in self.spoiled:
                return
            if issuer is None or not issuer.request.is_authority:
                if current is request:
                    known = [one.request.name for one in self.drafts if one.request.is_authority] + [*self.outside]
                    message = (
                        f"{show(request.issuer)} is no declared authority{suggestion(request.issuer or '', known)}"
                    )
                    draft.node.report("issuer", "unknown_issuer", message)
                return
            if issuer.request.name in seen:
                draft.node.report("issuer", "issuer_cycle", f"{show(request.issuer)} is issued by what it issues")
                return
            length = issuer.request.path_length
            if length is not None and request.is_authority and below > length:
                message = f"{show(issuer.request.name)} has path_length {length}: no more authorities can be below it"
                draft.node.report("issuer", "path_length", message)
            if current is request and request.valid_for > issuer.request.valid_for and not issuer.request.imported:
                message = (
                    f"is {duration_text(request.valid_for)}, longer than its issuer {show(request.issuer)} is valid "
                    f"({duration_text(issuer.request.valid_for)}): nothing outlives its issuer"
                )
                draft.node.report("valid_for", "outlives_issuer", message)
            wrong = violation(issuer.request.constraints, request) if issuer.request.constraints else None
            if wrong:
                message = f"{wrong}, those of authority {show(issuer.request.name)}"
                draft.node.report((), "name_constraints", message)
            seen.add(issuer.request.name)
            below += 1
            current = issuer.request

    def _ordered(self, children: Mapping[str, Sequence[Draft]]) -> list[Draft]:
        ordered: list[Draft] = []
        following = [draft for top in ("", *self.outside) for draft in children.get(top, [])]
        while following:
            ordered.extend(following)
            following = [child for draft in following for child in children.get(draft.request.name, [])]
        return ordered

    def _subjects(self, drafts: Iterable[Draft]) -> None:
        seen: dict[tuple[tuple[str, str], ...], str] = {}
        for draft in drafts:
            if draft.request.is_authority:
                other = seen.setdefault(draft.request.subject, draft.request.name)
                if other != draft.request.name:
                    message = f"its subject is that of {show(other)} too: an authority is known by its subject"
                    draft.node.report("common_name", "duplicate_subject", message)

    def _revocation(self, revocation: Revocation, node: Node) -> None:
        draft = self.by_name.get(revocation.issuer or revocation.name)
        if revocation.issuer and (draft is None or not draft.request.is_authority):
            node.report("issuer", "unknown_issuer", f"{show(revocation.issuer)} is no declared authority")
        elif revocation.name and draft is not None and revocation.before is None:
            message = (
                f"{show(revocation.name)} is still declared: say which of its certificates are revoked by before, the "
                'moment until which they were issued, such as "2026-01-31T12:00:00Z"'
            )
            node.report("before", "bad_before", message)

    def _paths(self, drafts: Iterable[Draft]) -> None:
        seen: dict[str, tuple[Draft, str]] = {}
        own = {*self.outside, *(draft.request.name for draft in self.drafts if draft.request.is_authority)}
        for draft in drafts:
            lists = draft.request.crl.files if draft.request.crl is not None else {}
            for content, path in (*draft.request.files.items(), *lists.items()):
                other = seen.setdefault(path, (draft, content))
                if other != (draft, content):
                    message = f"{show(path)} is also the {other[1]} file of {show(other[0].request.name)}"
                    draft.node.report(("files", content), "duplicate_file", message)
                parts = path.split("/")
                if parts[0] == "authorities" and len(parts) > 2 and parts[1] in own and self._is_kept(parts):
                    message = f"{show(path)} lies where {show(parts[1])} keeps its own files"
                    draft.node.report(("files", content), "duplicate_file", message)
        for path, (draft, content) in seen.items():
            for parent in parents(path):
                if parent in seen:
                    message = f"{show(path)} lies below {show(parent)}, which is a file"
                    draft.node.report(("files", content), "duplicate_file", message)

    def _is_kept(self, parts: Sequence[str]) -> bool:
        return parts[1] in self.outside or parts[2] in OWN_FILES

    def _complete(self, draft: Draft, children: Sequence[Draft]) -> Request:
        """The request with a time to renew that leaves room for what it issues."""
        request = draft.request
        if request.issuer in self.outside:
            # A third of a lifetime that somebody else decides (`checks.renewal`). ACME servers do not send their root.
            files = {
                content: path
                for content, path in request.files.items()
                if content != "ca" or not self._is_acme(request)
            }
            return replace(request, renew_before=draft.renew_before or 0, files=files)
        renew_before = draft.renew_before
        third = request.valid_for // 3
        if renew_before is None and not request.is_authority:
            renew_before = min(30 * DAY, third)
        elif renew_before is None:
            # Renewed in time, an authority is never outlived by a certificate of its that is renewed on its last day.
            longest = max((child.request.valid_for for child in children), default=0)
            # A root with a new key signs only after a time in which both are trusted.
            longest += request.overlap if self._rolls_over(request) else 0
            renew_before = max(third, longest) if longest < request.valid_for else third
        issuer = self.by_name.get(request.issuer or "")
        url = issuer.request.crl.url if issuer is not None and issuer.request.crl is not None else ""
        # It is nobody else's yet, and there are thousands: `replace` would be a tenth of a run that changes nothing.
        object.__setattr__(request, "renew_before", renew_before)
        object.__setattr__(request, "crl_url", url)
        return request

    def _rolls_over(self, request: Request) -> bool:
        return request.issuer is None and request.new_key_on_renewal

    def _is_acme(self, request: Request) -> bool:
        return self.outside[request.issuer or ""].acme is not None
