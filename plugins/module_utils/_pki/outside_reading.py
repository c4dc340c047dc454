# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a declaration says of an authority outside of the tree, and what it may be asked for.

    {name, acme: {..}} or {name, external: {..}}  ─▶ Outside

`objections` is what ACME servers and people cannot do for a certificate; it is known before anybody is asked.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Optional
from urllib.parse import urlsplit

from ansible_collections.zerotrust.platform.plugins.module_utils._acme.settings import (
    DNS_01,
    HTTP_01,
    Binding,
    Challenge,
    Settings,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._durations import duration
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import names
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import External, Outside, Request
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.reading import Node

_ACME = (
    "directory",
    "contact",
    "terms_agreed",
    "eab",
    "challenge",
    "ca_file",
    "preferred_chain",
    "profile",
    "timeout",
)
_CHALLENGE = ("type", "webroot", "address", "port", "present", "cleanup")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}\Z")


def is_outside(node: Node) -> bool:
    """Whether an authority's entry is of one outside of the tree."""
    return node.data.get("acme") is not None or node.data.get("external") is not None


def read_outside(node: Node) -> Optional[Outside]:
    # A module's options are all there, those that were not given with None.
    given = replace(node, data={key: value for key, value in node.data.items() if value is not None})
    given.only(("name", "acme", "external"))
    name = given.text("name", names.item_name) or ""
    if not name:
        given.report((), "missing", "has no name")
    acme, external = given.mapping("acme"), given.mapping("external")
    if acme is not None and external is not None:
        given.report("external", "bad_external", "cannot be set beside acme: an authority is one or the other")
    settings = _acme(acme) if acme is not None else None
    people = _external(external) if external is not None else None
    # With mistakes too: what names it as its issuer is right.
    return Outside(name, settings, people) if name else None


def _external(node: Node) -> External:
    node.only(("ca_file", "signed"))
    if node.data.get("ca_file") is None:
        node.report((), "missing", "has no ca_file: the root that its certificates lead to")
    return External(node.text("ca_file") or "", node.text("signed"))


def _acme(node: Node) -> Settings:
    node.only(_ACME)
    if node.data.get("directory") is None:
        node.report((), "missing", "has no directory: the URL of its ACME directory")
    challenge = node.mapping("challenge")
    return Settings(
        directory=node.text("directory", _https) or "",
        challenge=_challenge(challenge) if challenge is not None else Challenge(HTTP_01),
        contact=tuple(f"mailto:{address}" for address in node.texts("contact", names.email)),
        terms_agreed=node.flag("terms_agreed"),
        binding=_binding(node.mapping("eab")),
        ca_file=node.text("ca_file"),
        preferred_chain=node.text("preferred_chain") or "",
        profile=node.text("profile") or "",
        timeout=node.text("timeout", duration) or 180,
    )


def _https(value: str) -> str:
    # RFC 8555, 6.1.
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError("is no URL") from None
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.fragment or not value.isprintable():
        raise ValueError("is no https URL such as https://acme-v02.api.letsencrypt.org/directory")
    return value


def _binding(node: Optional[Node]) -> Optional[Binding]:
    if node is None:
        return None
    node.only(("kid", "hmac_key"))
    for part in ("kid", "hmac_key"):
        if node.data.get(part) is None:
            node.report((), "missing", f"has no {part}: the authority's operator gives it to you")
    key = node.data.get("hmac_key")
    if key is not None and node.source.name:
        message = "must not lie in a file in clear: declare this authority in the task, with the key from a vault"
        node.report("hmac_key", "bad_hmac_key", message)
    elif key is not None and not (isinstance(key, str) and _is_base64url(key)):
        # Never the value itself.
        node.report("hmac_key", "bad_hmac_key", "is not in base64url form, as operators give it")
        return None
    return Binding(node.text("kid") or "", key or "")


def _is_base64url(value: str) -> bool:
    bare = value.rstrip("=")
    try:
        return _BASE64URL.match(value) is not None and bool(base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4)))
    except binascii.Error:
        return False


def _challenge(node: Node) -> Challenge:
    node.only(_CHALLENGE)
    kind = node.choice("type", (HTTP_01, DNS_01), HTTP_01)
    present = node.words("present")
    for key in ("present", "cleanup"):
        if kind == HTTP_01 and node.data.get(key) is not None:
            node.report(key, f"bad_{key}", f"belongs to type {DNS_01}")
    for key in ("webroot", "address"):
        if kind == DNS_01 and node.data.get(key) is not None:
            node.report(key, f"bad_{key}", f"belongs to type {HTTP_01}")
    if kind == DNS_01 and not node.data.get("present"):
        node.report((), "missing", "has no present: the command that makes a TXT record")
    return Challenge(
        kind,
        node.text("webroot"),
        node.text("address") or "",
        node.whole("port", 1, 65535) or 80,
        present,
        node.words("cleanup") or present,
    )


def objections(request: Request, node: Node, issuer: Outside) -> Iterator[tuple[object, str, str]]:
    """(key, code, message) of what an issuer cannot do for a request. node: what the request was read from."""
    if node.data.get("valid_for") is not None:
        yield "valid_for", "bad_valid_for", f"cannot be chosen: {issuer.name!r} decides for how long it issues"
    if issuer.acme is None:
        return
    if request.is_authority:
        yield "issuer", "bad_issuer", f"{issuer.name!r} is an ACME server, and those issue no authorities"
        return
    # RFC 8555, 9.7.7, and RFC 8738.
    for kind in ("uris", "emails"):
        if getattr(request, kind):
            yield kind, f"bad_{kind}", f"cannot be had from {issuer.name!r}: ACME knows dns and ips only"
    if not request.dns and not request.ips:
        yield (), "no_names", f"has no dns or ips, and {issuer.name!r}, an ACME server, issues for nothing else"
    for key in ("subject", "common_name", "extensions"):
        if node.data.get(key) is not None:
            yield key, f"bad_{key}", f"cannot be chosen: {issuer.name!r}, an ACME server, decides that"
    if node.data.get("files") is not None and "ca" in request.files:
        yield (
            ("files", "ca"),
            "bad_files",
            f"cannot be written: {issuer.name!r}, an ACME server, does not send its root",
        )
    if issuer.acme.challenge.type == HTTP_01 and any(name.startswith("*.") for name in request.dns):
        yield "dns", "bad_dns", f"has a wildcard: {issuer.name!r} needs a challenge of type {DNS_01} for it"
    if issuer.acme.challenge.type == DNS_01 and request.ips:
        yield (
            "ips",
            "bad_ips",
            f"cannot be proved with {DNS_01} (RFC 8738, 7): {issuer.name!r} needs {HTTP_01} for them",
        )
