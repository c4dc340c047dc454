# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a declaration: plain data in, a `Declaration` or every mistake out.

    {authorities: [..], certificates: [..]}  from the module's options, a file, a preset
        ─▶ each item by itself ─▶ all together (names, issuers, path lengths, validity, files) ─▶ Declaration

Mistakes are `Problem`s with the path of the value, and its line and column where it came from a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._durations import duration, duration_text
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import (
    Path,
    Place,
    Problem,
    show,
    suggestion,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import names
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import (
    ALTERNATIVE_NAMES,
    AUTHORITY_FILES,
    CA,
    CERTIFICATE_FILES,
    DAY,
    KEY_TYPES,
    PROFILES,
    SUBJECT_FIELDS,
    Declaration,
    Request,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import (
    FileError,
    check_relative_path,
    parents,
)

_COMMON = ("name", "issuer", "common_name", "subject", "key_type", "valid_for", "renew_before", "files")
_AUTHORITY = (*_COMMON, "path_length")
_CERTIFICATE = (*_COMMON, "profile", *ALTERNATIVE_NAMES)
_LONGEST = 100 * 365 * DAY
#: Upper bounds of RFC 5280, appendix A.1, in characters.
_LENGTHS = {"country": 2, "state": 128, "locality": 128}

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


@dataclass(frozen=True)
class Source:
    """Data of one origin. name: how messages call it. place: where a path stands in it."""

    data: Any
    name: str = ""
    place: Callable[[Path], Optional[Place]] = lambda _path: None


@dataclass(frozen=True)
class _Draft:
    """A request before it is known who issues what."""

    request: Request
    path: Path
    source: Source
    renew_before: Optional[int]


class _Reader:
    def __init__(self) -> None:
        self.problems: list[tuple[Source, Problem]] = []
        self.drafts: list[_Draft] = []

    def report(self, source: Source, path: Path, code: str, message: str) -> None:
        self.problems.append((source, Problem(path, code, message, source.place(path))))

    def read(self, source: Source) -> None:
        if not isinstance(source.data, Mapping):
            self.report(source, (), "bad_type", f"{show(source.data)} is no mapping with authorities and certificates")
            return
        self._unknown(source, (), source.data, ("authorities", "certificates"))
        for section in ("authorities", "certificates"):
            items = source.data.get(section) or []
            if not isinstance(items, Sequence) or isinstance(items, (str, bytes)):
                self.report(source, (section,), "bad_type", f"{show(items)} is no list")
                continue
            for number, item in enumerate(items):
                self._item(source, (section, number), item, section == "authorities")

    def _unknown(self, source: Source, path: Path, data: Mapping[Any, Any], known: Sequence[str]) -> None:
        for key in data:
            if key not in known:
                hint = suggestion(str(key), known) or f": known are {', '.join(known)}"
                self.report(source, (*path, str(key)), "unknown_key", f"is not known{hint}")

    def _item(self, source: Source, path: Path, item: Any, authority: bool) -> None:
        if not isinstance(item, Mapping):
            self.report(source, path, "bad_type", f"{show(item)} is no mapping")
            return
        before = len(self.problems)
        self._unknown(source, path, item, _AUTHORITY if authority else _CERTIFICATE)
        name = self._text(source, path, item, "name", names.item_name)
        if item.get("name") is None:
            self.report(source, path, "missing", "has no name")
        issuer = self._text(source, path, item, "issuer", str)
        if issuer is None and not authority:
            self.report(source, path, "missing", "has no issuer: name the authority that signs it")
        found = {kind: self._names(source, path, item, kind) for kind in ALTERNATIVE_NAMES}
        profile = CA if authority else self._choice(source, path, item, "profile", PROFILES, "server")
        common_name = self._text(source, path, item, "common_name", _attribute(64))
        subject = self._subject(source, path, item)
        valid_for = self._text(source, path, item, "valid_for", duration) or (3650 if authority else 365) * DAY
        renew_before = self._text(source, path, item, "renew_before", duration)
        key_type = self._choice(source, path, item, "key_type", KEY_TYPES, KEY_TYPES[0])
        files = self._files(source, path, item, AUTHORITY_FILES if authority else CERTIFICATE_FILES, name or "")
        path_length = self._path_length(source, path, item)
        self._times(source, path, valid_for, renew_before)
        if authority:
            common_name = common_name or name
        else:
            # A name that is wrong is no name that is missing.
            if len(self.problems) == before:
                self._identity(source, path, profile, found, common_name)
            common_name = common_name or next((dns for dns in found["dns"] if len(dns) <= 64), None)
        if len(self.problems) > before:
            return
        if common_name:
            subject = (*subject, ("common_name", common_name))
        request = Request(
            name or "", issuer, subject, profile, key_type, valid_for, 0, files, path_length=path_length, **found
        )
        self.drafts.append(_Draft(request, path, source, renew_before))

    # One value each

    def _text(
        self, source: Source, path: Path, item: Mapping[Any, Any], key: str, canonical: Callable[[str], Any]
    ) -> Any:
        value = item.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.report(source, (*path, key), "bad_type", f"{show(value)} is no text{_quote_hint(value)}")
            return None
        try:
            return canonical(value)
        except ValueError as error:
            self.report(source, (*path, key), f"bad_{key}", f"{show(value)} {error}")
            return None

    def _choice(
        self, source: Source, path: Path, item: Mapping[Any, Any], key: str, choices: Sequence[str], default: str
    ) -> str:
        value = item.get(key)
        if value is None:
            return default
        if value not in choices:
            hint = suggestion(str(value), choices)
            self.report(source, (*path, key), f"bad_{key}", f"{show(value)} is none of {', '.join(choices)}{hint}")
            return default
        return str(value)

    def _names(self, source: Source, path: Path, item: Mapping[Any, Any], kind: str) -> tuple[str, ...]:
        values = item.get(kind)
        if values is None:
            return ()
        if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
            self.report(source, (*path, kind), "bad_type", f"{show(values)} is no list")
            return ()
        canonical = {"dns": names.dns, "ips": names.ip, "uris": names.uri, "emails": names.email}[kind]
        found: set[str] = set()
        for number, value in enumerate(values):
            if not isinstance(value, str):
                hint = _quote_hint(value)
                self.report(source, (*path, kind, number), "bad_type", f"{show(value)} is no text{hint}")
                continue
            try:
                found.add(canonical(value))
            except ValueError as error:
                self.report(source, (*path, kind, number), f"bad_{kind}", f"{show(value)} {error}")
        # The order of names means nothing (RFC 5280), so it must not cause a new certificate.
        return tuple(sorted(found))

    def _subject(self, source: Source, path: Path, item: Mapping[Any, Any]) -> tuple[tuple[str, str], ...]:
        data = item.get("subject")
        if data is None:
            return ()
        path = (*path, "subject")
        if not isinstance(data, Mapping):
            self.report(source, path, "bad_type", f"{show(data)} is no mapping")
            return ()
        self._unknown(source, path, data, SUBJECT_FIELDS)
        found = []
        for attribute in SUBJECT_FIELDS:
            check = _country if attribute == "country" else _attribute(_LENGTHS.get(attribute, 64))
            value = self._text(source, path, data, attribute, check)
            if value is not None:
                found.append((attribute, value))
        return tuple(found)

    def _files(
        self, source: Source, path: Path, item: Mapping[Any, Any], known: Sequence[str], name: str
    ) -> dict[str, str]:
        data = item.get("files")
        if data is None:
            return _default_files(known, name)
        path = (*path, "files")
        if not isinstance(data, Mapping):
            self.report(source, path, "bad_type", f"{show(data)} is no mapping")
            return {}
        self._unknown(source, path, data, known)
        defaults = _default_files(known, name)
        found = {}
        for content in known:
            value = self._text(source, path, data, content, str)
            if value is None:
                if content in ("key", "certificate"):
                    found[content] = defaults[content]
                continue
            try:
                found[content] = check_relative_path(value)
            except FileError as error:
                self.report(source, (*path, content), error.reason, error.message)
        return found

    def _path_length(self, source: Source, path: Path, item: Mapping[Any, Any]) -> Optional[int]:
        value = item.get("path_length")
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 16):
            return value
        self.report(source, (*path, "path_length"), "bad_path_length", f"{show(value)} is no whole number from 0 to 16")
        return None

    def _times(self, source: Source, path: Path, valid_for: int, renew_before: Optional[int]) -> None:
        if valid_for > _LONGEST:
            self.report(source, (*path, "valid_for"), "bad_valid_for", "is more than 100 years")
        if renew_before is not None and renew_before >= valid_for:
            message = (
                f"is {duration_text(renew_before)}, which must be less than valid_for ({duration_text(valid_for)})"
            )
            self.report(source, (*path, "renew_before"), "bad_renew_before", message)

    def _identity(
        self,
        source: Source,
        path: Path,
        profile: str,
        found: Mapping[str, tuple[str, ...]],
        common_name: Optional[str],
    ) -> None:
        if not any(found.values()) and (profile != "client" or not common_name):
            message = "has no names: give it dns, ips, uris or emails (clients ignore the common name of a server)"
            self.report(source, path, "no_names", message)
        elif common_name and profile != "client" and common_name.lower() not in (*found["dns"], *found["ips"]):
            message = f"{show(common_name)} is none of its dns or ips, and clients ignore it here: add it there"
            self.report(source, (*path, "common_name"), "bad_common_name", message)
        spiffe = [value for value in found["uris"] if value.startswith("spiffe:")]
        if spiffe and len(found["uris"]) > 1:
            message = f"{show(spiffe[0])} is a SPIFFE ID, which must be the only URI of a certificate (X.509-SVID, 2)"
            self.report(source, (*path, "uris"), "bad_uris", message)

    # All together

    def link(self) -> Declaration:
        by_name: dict[str, _Draft] = {}
        for draft in self.drafts:
            other = by_name.setdefault(draft.request.name, draft)
            if other is not draft:
                self._report(draft, "name", "duplicate_name", f"{show(draft.request.name)} is declared twice")
        if not any(problem.code == "duplicate_name" for _source, problem in self.problems):
            for draft in self.drafts:
                self._issuer(draft, by_name)
        if self.problems:
            return Declaration()
        children: dict[str, list[_Draft]] = {}
        for draft in self.drafts:
            children.setdefault(draft.request.issuer or "", []).append(draft)
        ordered = self._ordered(children)
        self._subjects(ordered)
        self._paths(ordered)
        return Declaration(tuple(_complete(draft, children.get(draft.request.name, [])) for draft in ordered))

    def _report(self, draft: _Draft, key: str, code: str, message: str) -> None:
        self.report(draft.source, (*draft.path, key), code, message)

    def _issuer(self, draft: _Draft, by_name: Mapping[str, _Draft]) -> None:
        request, below = draft.request, int(draft.request.is_authority)
        seen = {request.name}
        current = request
        while current.issuer is not None:
            issuer = by_name.get(current.issuer)
            if issuer is None or not issuer.request.is_authority:
                if current is request:
                    known = [name for name, other in by_name.items() if other.request.is_authority]
                    message = (
                        f"{show(request.issuer)} is no declared authority{suggestion(request.issuer or '', known)}"
                    )
                    self._report(draft, "issuer", "unknown_issuer", message)
                return
            if issuer.request.name in seen:
                self._report(draft, "issuer", "issuer_cycle", f"{show(request.issuer)} is issued by what it issues")
                return
            length = issuer.request.path_length
            if length is not None and request.is_authority and below > length:
                message = f"{show(issuer.request.name)} has path_length {length}: no more authorities can be below it"
                self._report(draft, "issuer", "path_length", message)
            if current is request and request.valid_for > issuer.request.valid_for:
                message = (
                    f"is {duration_text(request.valid_for)}, longer than its issuer {show(request.issuer)} is valid "
                    f"({duration_text(issuer.request.valid_for)}): nothing outlives its issuer"
                )
                self._report(draft, "valid_for", "outlives_issuer", message)
            seen.add(issuer.request.name)
            below += 1
            current = issuer.request

    def _ordered(self, children: Mapping[str, Sequence[_Draft]]) -> list[_Draft]:
        ordered: list[_Draft] = []
        following = list(children.get("", []))
        while following:
            ordered.extend(following)
            following = [child for draft in following for child in children.get(draft.request.name, [])]
        return ordered

    def _subjects(self, drafts: Iterable[_Draft]) -> None:
        seen: dict[tuple[tuple[str, str], ...], str] = {}
        for draft in drafts:
            if draft.request.is_authority:
                other = seen.setdefault(draft.request.subject, draft.request.name)
                if other != draft.request.name:
                    message = f"its subject is that of {show(other)} too: an authority is known by its subject"
                    self._report(draft, "common_name", "duplicate_subject", message)

    def _paths(self, drafts: Iterable[_Draft]) -> None:
        seen: dict[str, tuple[_Draft, str]] = {}
        for draft in drafts:
            for content, path in draft.request.files.items():
                other = seen.setdefault(path, (draft, content))
                if other != (draft, content):
                    message = f"{show(path)} is also the {other[1]} file of {show(other[0].request.name)}"
                    self.report(draft.source, (*draft.path, "files", content), "duplicate_file", message)
        for path, (draft, content) in seen.items():
            for parent in parents(path):
                if parent in seen:
                    message = f"{show(path)} lies below {show(parent)}, which is a file"
                    self.report(draft.source, (*draft.path, "files", content), "duplicate_file", message)


def _complete(draft: _Draft, children: Sequence[_Draft]) -> Request:
    """The request with a time to renew that leaves room for what it issues."""
    request = draft.request
    renew_before = draft.renew_before
    if renew_before is None:
        third = request.valid_for // 3
        longest = max((child.request.valid_for for child in children), default=0)
        if not request.is_authority:
            renew_before = min(30 * DAY, third)
        else:
            # Renewed in time, an authority is never outlived by a certificate of its that is renewed on its last day.
            renew_before = max(third, longest) if longest < request.valid_for else third
    return replace(request, renew_before=renew_before)


def _default_files(known: Sequence[str], name: str) -> dict[str, str]:
    if known is AUTHORITY_FILES:
        return {"key": f"authorities/{name}/key.pem", "certificate": f"authorities/{name}/cert.pem"}
    return {
        "key": f"{name}/key.pem",
        "ca": f"{name}/ca-cert.pem",
        "fullchain": f"{name}/fullchain.pem",
        "certificate": f"{name}/cert.pem",
    }


def _attribute(length: int) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not value.strip() or value != value.strip() or not value.isprintable():
            raise ValueError("must be text without control characters or blanks at its ends")
        if len(value) > length:
            raise ValueError(f"is longer than {length} characters (RFC 5280, appendix A.1)")
        return value

    return check


def _country(value: str) -> str:
    if len(value) != 2 or not value.isascii() or not value.isalpha() or not value.isupper():
        raise ValueError("is no country code of two capital letters (ISO 3166)")
    return value


def _quote_hint(value: Any) -> str:
    return ": put it in quotes" if isinstance(value, (int, float)) else ""


def parse(sources: Sequence[Source]) -> Declaration:
    """One declaration of all sources. A PlatformError (`bad_declaration`, or the code of a single mistake) else."""
    reader = _Reader()
    for source in sources:
        reader.read(source)
    declaration = reader.link()
    if reader.problems:
        texts = [problem.text(source.name) for source, problem in reader.problems]
        if len(texts) == 1:
            raise PlatformError(texts[0], reader.problems[0][1].code)
        message = f"the declaration has {len(texts)} mistakes; the first: {texts[0]}"
        raise PlatformError(message, "bad_declaration", texts)
    return declaration
