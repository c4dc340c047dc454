# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a declaration: plain data in, a `Declaration` or every mistake out.

    {authorities: [..], certificates: [..]}  from the module's options, a file, a preset
        ─▶ each item by itself (requests) ─▶ all together (names, issuers, path lengths, validity, files) ─▶ Declaration

Mistakes are `Problem`s with the path of the value, and its line and column where it came from a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._durations import duration_text
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import Problem, show, suggestion
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import (
    DAY,
    Declaration,
    Outside,
    Request,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.outside_reading import (
    is_outside,
    objections,
    read_outside,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.reading import Node, Source
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.requests import (
    Draft,
    read_authority,
    read_certificate,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import parents

__all__ = ["PRESETS", "Source", "parse"]

#: Requirement A2: what a developer needs for TLS on this machine. The authority's key does not lie in `ssl/`, as that
#: directory is what gets copied or mounted to where the server runs.
DEVELOPMENT: Mapping[str, Any] = {
    "authorities": [
        {
            "name": "development",
            "common_name": "zerotrust.platform Development CA",
            "path_length": 0,
            "files": {"certificate": "ssl/ca-cert.pem", "key": "authorities/development/key.pem"},
        }
    ],
    "certificates": [
        {
            "name": "localhost",
            "issuer": "development",
            "dns": ["localhost"],
            "ips": ["127.0.0.1", "::1"],
            "files": {"certificate": "ssl/cert.pem", "key": "ssl/key.pem"},
        }
    ],
}
PRESETS: Mapping[str, Mapping[str, Any]] = {"development": DEVELOPMENT}


def parse(sources: Sequence[Source], keystore_passphrase: str = "") -> Declaration:
    """One declaration of all sources. A PlatformError (`bad_declaration`, or the code of a single mistake) else.

    keystore_passphrase: for certificates with keystores that have none of their own.
    """
    problems: list[tuple[Source, Problem]] = []
    drafts: list[Draft] = []
    outside: list[tuple[Outside, Node]] = []
    for source in sources:
        _read(source, problems, drafts, outside, keystore_passphrase)
    declaration = _Linker(drafts, outside, problems).link()
    if problems:
        texts = [problem.text(source.name) for source, problem in problems]
        if len(texts) == 1:
            raise PlatformError(texts[0], problems[0][1].code)
        message = f"the declaration has {len(texts)} mistakes; the first: {texts[0]}"
        raise PlatformError(message, "bad_declaration", texts)
    return declaration


def _read(
    source: Source,
    problems: list[tuple[Source, Problem]],
    drafts: list[Draft],
    outside: list[tuple[Outside, Node]],
    keystore_passphrase: str,
) -> None:
    if not isinstance(source.data, Mapping):
        message = f"{show(source.data)} is no mapping with authorities and certificates"
        problems.append((source, Problem((), "bad_type", message, source.place(()))))
        return
    node = Node(source.data, source, (), problems)
    node.only(("authorities", "certificates"))
    certificate = partial(read_certificate, keystore_passphrase=keystore_passphrase)
    for section, read in (("authorities", read_authority), ("certificates", certificate)):
        for item in node.mappings(section):
            if section == "authorities" and is_outside(item):
                found = read_outside(item)
                outside.extend([(found, item)] if found is not None else [])
                continue
            draft = read(item)
            drafts.extend([draft] if draft is not None else [])


class _Linker:
    """What only all items together can tell."""

    def __init__(
        self,
        drafts: Sequence[Draft],
        outside: Sequence[tuple[Outside, Node]],
        problems: Sequence[tuple[Source, Problem]],
    ) -> None:
        self.drafts, self.problems = drafts, problems
        self.outside = {issuer.name: issuer for issuer, _node in outside}
        self.named = [
            *((issuer.name, node) for issuer, node in outside),
            *((one.request.name, one.node) for one in drafts),
        ]

    def link(self) -> Declaration:
        by_name = {draft.request.name: draft for draft in self.drafts}
        seen: set[str] = set()
        for name, node in self.named:
            if name in seen:
                node.report("name", "duplicate_name", f"{show(name)} is declared twice")
            seen.add(name)
        if len(seen) == len(self.named):
            for draft in self.drafts:
                self._issuer(draft, by_name)
        if self.problems:
            return Declaration()
        children: dict[str, list[Draft]] = {}
        for draft in self.drafts:
            children.setdefault(draft.request.issuer or "", []).append(draft)
        ordered = self._ordered(children)
        self._subjects(ordered)
        self._paths(ordered)
        requests = tuple(self._complete(draft, children.get(draft.request.name, [])) for draft in ordered)
        return Declaration(requests, tuple(self.outside.values()))

    def _issuer(self, draft: Draft, by_name: Mapping[str, Draft]) -> None:
        request, below = draft.request, int(draft.request.is_authority)
        seen = {request.name}
        current = request
        while current.issuer is not None:
            elsewhere = self.outside.get(current.issuer)
            if elsewhere is not None:
                for key, code, message in objections(request, draft.node, elsewhere) if current is request else ():
                    draft.node.report(key, code, message)
                return
            issuer = by_name.get(current.issuer)
            if issuer is None or not issuer.request.is_authority:
                if current is request:
                    known = [name for name, other in by_name.items() if other.request.is_authority] + [*self.outside]
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
            if current is request and request.valid_for > issuer.request.valid_for:
                message = (
                    f"is {duration_text(request.valid_for)}, longer than its issuer {show(request.issuer)} is valid "
                    f"({duration_text(issuer.request.valid_for)}): nothing outlives its issuer"
                )
                draft.node.report("valid_for", "outlives_issuer", message)
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

    def _paths(self, drafts: Iterable[Draft]) -> None:
        seen: dict[str, tuple[Draft, str]] = {}
        for draft in drafts:
            for content, path in draft.request.files.items():
                other = seen.setdefault(path, (draft, content))
                if other != (draft, content):
                    message = f"{show(path)} is also the {other[1]} file of {show(other[0].request.name)}"
                    draft.node.report(("files", content), "duplicate_file", message)
                for name in self.outside:
                    if path.startswith(f"authorities/{name}/"):
                        message = f"{show(path)} lies where {show(name)} keeps its own files"
                        draft.node.report(("files", content), "duplicate_file", message)
        for path, (draft, content) in seen.items():
            for parent in parents(path):
                if parent in seen:
                    message = f"{show(path)} lies below {show(parent)}, which is a file"
                    draft.node.report(("files", content), "duplicate_file", message)

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
        if renew_before is None:
            third = request.valid_for // 3
            longest = max((child.request.valid_for for child in children), default=0)
            if not request.is_authority:
                renew_before = min(30 * DAY, third)
            else:
                # Renewed in time, an authority is never outlived by a certificate of its that is renewed on its last
                # day.
                renew_before = max(third, longest) if longest < request.valid_for else third
        return replace(request, renew_before=renew_before)

    def _is_acme(self, request: Request) -> bool:
        return self.outside[request.issuer or ""].acme is not None
