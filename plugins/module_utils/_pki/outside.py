# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What issuers outside of the tree have in common: the files that they keep in it, and the key that waits.

    authorities/<issuer>/keys/<certificate>.pem      a new key, until its certificate is there and both are put in place
    authorities/<issuer>/issued/<certificate>.json   what was issued: the certificate, its chain, and its root if known

A key is on the disk before anybody is asked to certify it, and a certificate before its files are written. So a crash
loses nothing, and what was issued is not asked for twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.checks import GOOD
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.facts import facts_of
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.issuing import read_key
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Item, Store
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.outputs import FILE_MODE, KEY_MODE
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.taken import read_certificates
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree

#: The reasons of `checks` that are the business of somebody else.
DECIDES = frozenset(
    f"{what}_changed"
    for what in ("subject", "profile", "path_length", "name_constraints", "extensions", "crl_url", "valid_for")
)


class Shelf:
    """The files that one outside issuer keeps."""

    def __init__(self, issuer: str, certificates: Sequence[str]) -> None:
        self.base = f"authorities/{issuer}"
        self.paths = frozenset(
            path for name in certificates for path in (self.waiting_path(name), self.issued_path(name))
        )

    def waiting_path(self, name: str) -> str:
        return f"{self.base}/keys/{name}.pem"

    def issued_path(self, name: str) -> str:
        return f"{self.base}/issued/{name}.json"

    def waiting_key(self, item: Item, tree: Tree) -> Optional[tuple[Any, bytes]]:
        """The key that waits for its certificate, if there is one of the declared type."""
        state = tree.read(self.waiting_path(item.request.name))
        if state is None:
            return None
        found, key = crypto.read_key(state.content, item.passphrase)
        return (key, state.content) if found == GOOD and crypto.key_type_of(key) == item.request.key_type else None

    def public_key(self, item: Item, tree: Tree) -> Optional[Any]:
        """Of the key that is to be certified; None if it is yet to be made."""
        if item.new_key:
            waiting = self.waiting_key(item, tree)
            return waiting[0].public_key() if waiting else None
        return (item.key or item.certificate).public_key()

    def have_key(self, item: Item, store: Store) -> None:
        """Have the key at hand that is to be certified; a new one is on the disk before anybody hears of it."""
        if not item.new_key:
            read_key(item, store.tree)
            return
        waiting = self.waiting_key(item, store.tree)
        if waiting is None:
            key = crypto.new_key(item.request.key_type)
            waiting = key, crypto.key_to_pem(key, item.passphrase)
            store.keep(self.waiting_path(item.request.name), waiting[1], KEY_MODE)
        item.key, item.key_pem = waiting

    def issued(self, name: str, origin: str, tree: Tree) -> list[Any]:
        """What was issued last: the certificate, and those above it; nothing if it was of another origin."""
        state = tree.read(self.issued_path(name))
        try:
            kept = json.loads(state.content) if state is not None else {}
            return read_certificates(kept["certificates"].encode("ascii")) if kept.get("origin") == origin else []
        except (AttributeError, KeyError, ValueError):
            return []

    def put(self, item: Item, origin: str, store: Store, certificates: Sequence[Any]) -> None:
        # Not a PEM file: the root is no part of a chain that somebody might send.
        pem = b"".join(crypto.to_pem(certificate) for certificate in certificates).decode("ascii")
        content = json.dumps({"origin": origin, "certificates": pem}, indent=2) + "\n"
        store.keep(self.issued_path(item.request.name), content.encode("ascii"), FILE_MODE)

    def needless(self, item: Item) -> frozenset[str]:
        return frozenset({self.waiting_path(item.request.name)})


def is_one(certificates: Sequence[Any], certificate: Any) -> bool:
    """Whether the first of some certificates is a certain one."""
    return bool(certificates) and certificates[0] == certificate


def complete(item: Item, certificate: Any, chain: Sequence[Any], roots: Sequence[Any]) -> None:
    """Give an item its certificate."""
    item.certificate, item.outside = certificate, (tuple(chain), tuple(roots))
    item.facts = replace(facts_of(certificate), key=GOOD, key_matches=True, issued_by=True)
    item.identity = (item.facts.subject, crypto.identifiers(certificate)[0] or crypto.key_id(certificate.public_key()))
