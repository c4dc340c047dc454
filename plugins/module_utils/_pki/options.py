# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the items that the module `pki` takes. They are documented there, and read by `requests`."""

from __future__ import annotations

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

Options = dict[str, dict[str, Any]]

_WORDS = {"type": "list", "elements": "str"}
# What is said of a file with a key is no secret.
_PERMISSION = {
    "type": "dict",
    "options": {name: {"type": "str"} for name in ("owner", "group", "mode")},
    "no_log": False,
}


_ACME = {
    "directory": {"type": "str", "required": True},
    "contact": _WORDS,
    "terms_agreed": {"type": "bool", "default": False},
    "eab": {
        "type": "dict",
        "options": {
            "kid": {"type": "str", "required": True},
            "hmac_key": {"type": "str", "required": True, "no_log": True},
        },
    },
    "challenge": {
        "type": "dict",
        "options": {
            "type": {"type": "str", "choices": ["http-01", "dns-01"], "default": "http-01"},
            "webroot": {"type": "path"},
            "address": {"type": "str"},
            "port": {"type": "int", "default": 80},
            "present": _WORDS,
            "cleanup": _WORDS,
        },
    },
    "ca_file": {"type": "path"},
    "preferred_chain": {"type": "str"},
    "profile": {"type": "str"},
    "timeout": {"type": "str"},
}
_EXTERNAL = {"ca_file": {"type": "path", "required": True}, "signed": {"type": "path"}}

_SUBTREES = {"type": "dict", "options": dict.fromkeys(ALTERNATIVE_NAMES, _WORDS)}
_CRL = {name: {"type": "str"} for name in ("valid_for", "renew_before", "url")}


def _item(files: tuple[str, ...], **others: dict[str, Any]) -> Options:
    return {
        "name": {"type": "str", "required": True},
        "issuer": {"type": "str"},
        "common_name": {"type": "str"},
        "subject": {"type": "dict", "options": {name: {"type": "str"} for name in SUBJECT_FIELDS}},
        "key_type": {"type": "str", "choices": list(KEY_TYPES), "no_log": False},
        "valid_for": {"type": "str"},
        "renew_before": {"type": "str"},
        "backdate": {"type": "str"},
        "rotation_policy": {"type": "str", "choices": ["never", "always"]},
        "passphrase": {"type": "str", "no_log": True},
        # The name of a file is no secret.
        "passphrase_file": {"type": "path", "no_log": False},
        "files": {"type": "dict", "options": {name: {"type": "str", "no_log": False} for name in files}},
        "extensions": {
            "type": "list",
            "elements": "dict",
            "options": {
                "oid": {"type": "str", "required": True},
                "critical": {"type": "bool", "default": False},
                "value": {"type": "str", "required": True},
            },
        },
        **others,
    }


AUTHORITY_OPTIONS = _item(
    (*AUTHORITY_FILES, *CRL_FILES),
    path_length={"type": "int"},
    name_constraints={"type": "dict", "options": {"permitted": _SUBTREES, "excluded": _SUBTREES}},
    crl={"type": "dict", "options": _CRL},
    generation={"type": "int"},
    overlap={"type": "str"},
    imported={"type": "bool"},
    acme={"type": "dict", "options": _ACME},
    external={"type": "dict", "options": _EXTERNAL},
)
CERTIFICATE_OPTIONS = _item(
    CERTIFICATE_FILES,
    issuer={"type": "str", "required": True},
    profile={"type": "str", "choices": list(PROFILES), "default": PROFILES[0]},
    permissions={"type": "dict", "options": dict.fromkeys(CERTIFICATE_FILES, _PERMISSION)},
    keystore_passphrase={"type": "str", "no_log": True},
    # A name, and no secret.
    kubernetes_secret={
        "type": "dict",
        "options": {"name": {"type": "str"}, "namespace": {"type": "str"}},
        "no_log": False,
    },
    reload=_WORDS,
    **dict.fromkeys(ALTERNATIVE_NAMES, _WORDS),
)
REVOCATION_OPTIONS: Options = {
    "serial": {"type": "str"},
    "issuer": {"type": "str"},
    "name": {"type": "str"},
    "before": {"type": "str"},
    "reason": {"type": "str", "choices": list(REASONS), "default": REASONS[0]},
}
