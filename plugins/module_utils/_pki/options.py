# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options by which a task declares a certificate tree; the fragment `zerotrust.platform.pki` documents them.

`declaration` has the last word on what may be in them, as the same may come from a file: defaults are there as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import (
    ALTERNATIVE_NAMES,
    AUTHORITY_FILES,
    CERTIFICATE_FILES,
    CRL_FILES,
    KEY_TYPES,
    PROFILES,
    SUBJECT_FIELDS,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.policies import REASONS

Option = dict[str, Any]


def _text(**others: Any) -> Option:
    return {"type": "str", **others}


def _words() -> Option:
    return {"type": "list", "elements": "str"}


def _mapping(options: dict[str, Option], **others: Any) -> Option:
    return {"type": "dict", "options": options, **others}


def _mappings(options: dict[str, Option]) -> Option:
    return {"type": "list", "elements": "dict", "options": options}


def _files(names: Iterable[str]) -> Option:
    # The name of a file is no secret, whatever the file holds.
    return _mapping({name: _text(no_log=False) for name in names})


_COMMON: dict[str, Option] = {
    "name": _text(required=True),
    "issuer": _text(),
    "common_name": _text(),
    "subject": _mapping({name: _text() for name in SUBJECT_FIELDS}),
    "key_type": _text(choices=list(KEY_TYPES), no_log=False),
    "valid_for": _text(),
    "renew_before": _text(),
    "backdate": _text(),
    "rotation_policy": _text(choices=["never", "always"]),
    "passphrase": _text(no_log=True),
    "passphrase_file": {"type": "path", "no_log": False},
    "extensions": _mappings(
        {"oid": _text(required=True), "critical": {"type": "bool", "default": False}, "value": _text(required=True)}
    ),
}
_SUBTREES = _mapping({kind: _words() for kind in ALTERNATIVE_NAMES})
_CHALLENGE: dict[str, Option] = {
    "type": _text(choices=["http-01", "dns-01"], default="http-01"),
    "webroot": {"type": "path"},
    "address": _text(),
    "port": {"type": "int", "default": 80},
    "present": _words(),
    "cleanup": _words(),
}
_ACME: dict[str, Option] = {
    "directory": _text(required=True),
    "contact": _words(),
    "terms_agreed": {"type": "bool", "default": False},
    "eab": _mapping({"kid": _text(required=True), "hmac_key": _text(required=True, no_log=True)}),
    "challenge": _mapping(_CHALLENGE),
    "ca_file": {"type": "path"},
    "preferred_chain": _text(),
    "profile": _text(),
    "timeout": _text(),
}
_AUTHORITY: dict[str, Option] = {
    **_COMMON,
    "files": _files((*AUTHORITY_FILES, *CRL_FILES)),
    "path_length": {"type": "int"},
    "name_constraints": _mapping({"permitted": _SUBTREES, "excluded": _SUBTREES}),
    "crl": _mapping({name: _text() for name in ("valid_for", "renew_before", "url")}),
    "generation": {"type": "int"},
    "overlap": _text(),
    "imported": {"type": "bool"},
    "acme": _mapping(_ACME),
    "external": _mapping({"ca_file": {"type": "path", "required": True}, "signed": {"type": "path"}}),
}
_PERMISSION = _mapping({"owner": _text(), "group": _text(), "mode": _text()}, no_log=False)
_CERTIFICATE: dict[str, Option] = {
    **_COMMON,
    "issuer": _text(required=True),
    "files": _files(CERTIFICATE_FILES),
    "profile": _text(choices=list(PROFILES), default=PROFILES[0]),
    "permissions": _mapping(dict.fromkeys(CERTIFICATE_FILES, _PERMISSION)),
    "keystore_passphrase": _text(no_log=True),
    # A name, and no secret.
    "kubernetes_secret": _mapping({"name": _text(), "namespace": _text()}, no_log=False),
    "reload": _words(),
    **{kind: _words() for kind in ALTERNATIVE_NAMES},
}
_REVOCATION: dict[str, Option] = {
    "serial": _text(),
    "issuer": _text(),
    "name": _text(),
    "before": _text(),
    "reason": _text(choices=list(REASONS), default=REASONS[0]),
}
DECLARATION_OPTIONS: dict[str, Option] = {
    "authorities": _mappings(_AUTHORITY),
    "certificates": _mappings(_CERTIFICATE),
    "revoked": _mappings(_REVOCATION),
}
