# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a declaration says of the files of one certificate, beside where they lie."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ansible_collections.zerotrust.platform.plugins.module_utils._graph.problems import show
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import keystores
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import CERTIFICATE_FILES, KEYSTORES
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.outputs import OUTPUTS
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.permissions import (
    OPEN,
    SECRET,
    Permission,
    mode_of,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.reading import Node

OUTPUT_OPTIONS = ("permissions", "keystore_passphrase", "kubernetes_secret")
#: Names of Kubernetes' objects (RFC 1123, as its API conventions have it), and of namespaces.
_SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")


def read_permissions(node: Node, files: Mapping[str, str]) -> dict[str, Permission]:
    inner = node.mapping("permissions")
    if inner is None:
        return {}
    inner.only(CERTIFICATE_FILES)
    found = {}
    for content in CERTIFICATE_FILES:
        one = inner.mapping(content)
        if one is not None and content not in files:
            inner.report(content, "no_file", f"is of no use: there is no files.{content}")
        elif one is not None:
            one.only(("owner", "group", "mode"))
            mode = one.text("mode", mode_of(SECRET if OUTPUTS[content].needs_key else OPEN))
            found[content] = Permission(one.text("owner"), one.text("group"), mode)
    return found


def read_passphrase(node: Node, files: Mapping[str, str], default: str) -> str:
    """The passphrase of its keystores, by default the one for all; "" if it has no keystores."""
    stores = [content for content in KEYSTORES if content in files]
    own = node.secret("keystore_passphrase", keystores.passphrase)
    if not stores:
        if own:
            node.report(
                "keystore_passphrase", "no_keystore", f"is of no use without files.{' or files.'.join(KEYSTORES)}"
            )
        return ""
    if not own and not default and node.data.get("keystore_passphrase") is None:
        message = f"is missing: files.{stores[0]} needs a passphrase, here or for all certificates"
        node.report("keystore_passphrase", "missing", message)
    return own or default


def read_kubernetes_secret(node: Node, files: Mapping[str, str], certificate: str) -> tuple[str, str]:
    """Name, by default the certificate's, and namespace."""
    inner = node.mapping("kubernetes_secret") or Node({}, node.source, (*node.path, "kubernetes_secret"), node.problems)
    inner.only(("name", "namespace"))
    name = inner.text("name", _named(_SUBDOMAIN, "an object"))
    namespace = inner.text("namespace", _named(_LABEL, "a namespace")) or ""
    if "kubernetes_secret" not in files:
        if inner.data:
            node.report("kubernetes_secret", "no_manifest", "is of no use without files.kubernetes_secret")
        return "", ""
    if name is None and certificate and not _SUBDOMAIN.match(certificate):
        message = (
            f"is missing: {show(certificate)} is no name of an object in Kubernetes (lower case, digits, '-', '.')"
        )
        inner.report("name", "missing", message)
    return name or certificate, namespace


def _named(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.match(value):
            raise ValueError(f"is no name of {what} in Kubernetes (lower case, digits, '-')")
        return value

    return check
