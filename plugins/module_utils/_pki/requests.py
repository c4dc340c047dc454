# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a declaration says of one authority or certificate, by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._durations import duration, duration_text
from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import show
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import names
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import (
    ALTERNATIVE_NAMES,
    AUTHORITY_FILES,
    BACKDATE,
    CA,
    CERTIFICATE_FILES,
    CRL_FILES,
    DAY,
    KEY_TYPES,
    PROFILES,
    SUBJECT_FIELDS,
    Request,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.outputs_reading import (
    OUTPUT_OPTIONS,
    read_kubernetes_secret,
    read_passphrase,
    read_permissions,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.policies import (
    backdate,
    read_constraints,
    read_crl,
    read_extensions,
    read_key_passphrase,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.reading import Node
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import FileError, check_relative_path

_COMMON = (
    *("name", "issuer", "common_name", "subject", "key_type", "valid_for", "renew_before", "backdate", "files"),
    *("rotation_policy", "extensions", "passphrase", "passphrase_file"),
)
_AUTHORITY = (
    *_COMMON,
    *("path_length", "name_constraints", "crl", "generation", "overlap", "imported", "acme", "external"),
)
_CERTIFICATE = (*_COMMON, "profile", *ALTERNATIVE_NAMES, *OUTPUT_OPTIONS, "reload")
#: Profiles whose certificates may be known by their subject alone.
_KNOWN_BY_SUBJECT = ("client", "code_signing")
_LONGEST = 100 * 365 * DAY
#: Upper bounds of RFC 5280, appendix A.1, in characters.
_LENGTHS = {"country": 2, "state": 128, "locality": 128}


@dataclass(frozen=True)
class Draft:
    """A request before it is known who issues what. renew_before: as declared."""

    request: Request
    node: Node
    renew_before: Optional[int]


def read_authority(node: Node) -> Optional[Draft]:
    before = len(node.problems)
    node.only(_AUTHORITY)
    name = _name(node)
    common_name = node.text("common_name", _attribute(64)) or name
    files = _files(node, AUTHORITY_FILES, name, CRL_FILES)
    return _draft(
        node,
        before,
        name,
        common_name,
        CA,
        files,
        path_length=node.whole("path_length", 0, 16),
        constraints=read_constraints(node),
        crl=read_crl(node, files, name),
        generation=node.whole("generation", 1, 1_000_000) or 1,
        overlap=node.text("overlap", duration) or 30 * DAY,
        imported=node.flag("imported"),
    )


def read_certificate(node: Node, keystore_passphrase: str = "") -> Optional[Draft]:
    """keystore_passphrase: where it has none of its own."""
    before = len(node.problems)
    node.only(_CERTIFICATE)
    name = _name(node)
    if node.data.get("issuer") is None:
        node.report((), "missing", "has no issuer: name the authority that signs it")
    readers = {"dns": names.dns, "ips": names.ip, "uris": names.uri, "emails": names.email}
    found = {kind: node.texts(kind, readers[kind]) for kind in ALTERNATIVE_NAMES}
    profile = node.choice("profile", PROFILES, "server")
    common_name = node.text("common_name", _attribute(64))
    files = _files(node, CERTIFICATE_FILES, name)
    if node.data.get("passphrase") is not None or node.data.get("passphrase_file") is not None:
        for content in ("combined", "kubernetes_secret"):
            if content in files:
                message = "holds the key in clear, which passphrase is to prevent: leave out one of them"
                node.report(("files", content), "clear_key", message)
    # A name that is wrong is no name that is missing.
    if len(node.problems) == before:
        _identity(node, profile, found, common_name)
    common_name = common_name or next((dns for dns in found["dns"] if len(dns) <= 64), None)
    outputs = {
        "permissions": read_permissions(node, files),
        "keystore_passphrase": read_passphrase(node, files, keystore_passphrase),
        "kubernetes_secret": read_kubernetes_secret(node, files, name),
    }
    reload = node.words("reload")
    return _draft(node, before, name, common_name, profile, files, reload=reload, **outputs, **found)


def _draft(
    node: Node,
    before: int,
    name: str,
    common_name: Optional[str],
    profile: str,
    files: Mapping[str, str],
    **others: object,
) -> Optional[Draft]:
    subject = _subject(node)
    valid_for = node.text("valid_for", duration) or (3650 if profile == CA else 365) * DAY
    renew_before = node.text("renew_before", duration)
    key_type = node.choice("key_type", KEY_TYPES, KEY_TYPES[0])
    issuer = node.text("issuer")
    new_key = node.choice("rotation_policy", ("never", "always"), "never") == "always"
    earlier = node.text("backdate", backdate)
    others.update(extensions=read_extensions(node), passphrase=read_key_passphrase(node), new_key_on_renewal=new_key)
    others.update(backdate=BACKDATE if earlier is None else earlier)
    if valid_for > _LONGEST:
        node.report("valid_for", "bad_valid_for", "is more than 100 years")
    if renew_before is not None and renew_before >= valid_for:
        message = f"is {duration_text(renew_before)}, which must be less than valid_for ({duration_text(valid_for)})"
        node.report("renew_before", "bad_renew_before", message)
    if len(node.problems) > before:
        return None
    if common_name:
        subject = (*subject, ("common_name", common_name))
    request = Request(name, issuer, subject, profile, key_type, valid_for, 0, files, **others)  # type: ignore[arg-type]
    return Draft(request, node, renew_before)


def _name(node: Node) -> str:
    if node.data.get("name") is None:
        node.report((), "missing", "has no name")
    return node.text("name", names.item_name) or ""


def _subject(node: Node) -> tuple[tuple[str, str], ...]:
    inner = node.mapping("subject")
    if inner is None:
        return ()
    inner.only(SUBJECT_FIELDS)
    found = []
    for attribute in SUBJECT_FIELDS:
        check = _country if attribute == "country" else _attribute(_LENGTHS.get(attribute, 64))
        value = inner.text(attribute, check)
        if value is not None:
            found.append((attribute, value))
    return tuple(found)


def _files(node: Node, known: Sequence[str], name: str, more: Sequence[str] = ()) -> dict[str, str]:
    defaults = _default_files(known, name)
    inner = node.mapping("files")
    if inner is None:
        return defaults if node.data.get("files") is None else {}
    inner.only((*known, *more))
    found = {}
    for content in (*known, *more):
        value = inner.text(content)
        if value is None:
            if content in ("key", "certificate"):
                found[content] = defaults[content]
            continue
        try:
            found[content] = check_relative_path(value)
        except FileError as error:
            inner.report(content, error.reason, error.message)
    return found


def _default_files(known: Sequence[str], name: str) -> dict[str, str]:
    if known is AUTHORITY_FILES:
        return {"key": f"authorities/{name}/key.pem", "certificate": f"authorities/{name}/cert.pem"}
    return {
        "key": f"{name}/key.pem",
        "ca": f"{name}/ca-cert.pem",
        "fullchain": f"{name}/fullchain.pem",
        "certificate": f"{name}/cert.pem",
    }


def _identity(node: Node, profile: str, found: Mapping[str, tuple[str, ...]], common_name: Optional[str]) -> None:
    named = profile in _KNOWN_BY_SUBJECT
    if not any(found.values()) and not (named and common_name):
        message = "has no names: give it dns, ips, uris or emails (clients ignore the common name of a server)"
        node.report((), "no_names", message if not named else "has no names: give it a common_name")
    elif common_name and not named and common_name.lower() not in (*found["dns"], *found["ips"]):
        message = f"{show(common_name)} is none of its dns or ips, and clients ignore it here: add it there"
        node.report("common_name", "bad_common_name", message)
    spiffe = [value for value in found["uris"] if value.startswith("spiffe:")]
    if spiffe and len(found["uris"]) > 1:
        message = f"{show(spiffe[0])} is a SPIFFE ID, which must be the only URI of a certificate (X.509-SVID, 2)"
        node.report("uris", "bad_uris", message)


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
