# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An ACME server (Let's Encrypt, step-ca, Vault) as an issuer of the tree. The protocol is in `_acme`.

    authorities/<issuer>/key.pem         the account's key
    authorities/<issuer>/account.json    directory, account, contact: what the key is known by, and where

A certificate is this issuer's if it is the one that was issued last, by the directory that is declared.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._acme.settings import Settings, Warn
from ansible_collections.zerotrust.platform.plugins.module_utils._commands import Run
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import checks, crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.checks import GOOD
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.facts import facts_of
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Item, Store
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.outputs import FILE_MODE, KEY_MODE
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.outside import DECIDES, Shelf, complete, is_one
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.signing_requests import names_request
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.taken import (
    check_leaf,
    common_name,
    leaf_of,
    read_certificates,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree

if TYPE_CHECKING:
    from ansible_collections.zerotrust.platform.plugins.module_utils._acme.client import Account


class AcmeIssuer:
    """certificates: the names of those that it issues."""

    decides = DECIDES
    local = False

    def __init__(self, name: str, settings: Settings, certificates: Sequence[str], run: Run, warn: Warn) -> None:
        self.settings, self.run, self.warn = settings, run, warn
        self.shelf = Shelf(name, certificates)
        self.key_path, self.account_path = f"{self.shelf.base}/key.pem", f"{self.shelf.base}/account.json"
        self.keeps = self.shelf.paths | {self.key_path, self.account_path}
        self._account: Optional[Account] = None
        self._failure: Optional[PlatformError] = None

    # Planning

    def look(self, item: Item, tree: Tree, written: bool) -> bool:
        issued = self.shelf.issued(item.request.name, self.settings.directory, tree)
        item.outside = (tuple(issued[1:]), ())
        return is_one(issued, item.certificate)

    def prepare(self, item: Item, tree: Tree, now: datetime) -> None:
        """Check mode contacts nobody."""

    # Issuing

    def issue(self, item: Item, store: Store, now: datetime) -> None:
        self.shelf.have_key(item, store)
        issued = self._unused(item, store.tree, now)
        if not issued:
            issued = self._obtain(item, store)
            # Kept whatever it is: orders are counted, and the next one would be answered with the same.
            self.shelf.put(item, self.settings.directory, store, issued)
        try:
            check_leaf(item.request, issued[0], now)
        except PlatformError as error:
            raise PlatformError(f"the authority has issued a certificate, but {error.message}", error.reason) from error
        complete(item, issued[0], issued[1:], ())

    def done(self, item: Item, store: Store) -> None:
        for path in self.needless(item):
            store.drop(path)

    def needless(self, item: Item) -> frozenset[str]:
        return self.shelf.needless(item)

    def _unused(self, item: Item, tree: Tree, now: datetime) -> list[Any]:
        """What was issued and never came to its place, because of a crash or as it is not what is wanted."""
        issued = self.shelf.issued(item.request.name, self.settings.directory, tree)
        if not issued or leaf_of(issued[:1], item.key.public_key()) is None:
            return []
        facts = replace(facts_of(issued[0]), key=GOOD, key_matches=True, issued_by=True)
        due = set(checks.reasons(item.request, facts, now, self.decides)) - {"usage_missing", "weak"}
        return [] if due or is_one(issued, item.certificate) else issued

    def _obtain(self, item: Item, store: Store) -> list[Any]:
        # A server that does not answer, or knows no account, is not asked again for each certificate.
        if self._failure is not None:
            raise self._failure
        try:
            account = self._account = self._account or self._open(store)
            chains = account.obtain(names_request(item.request, item.key), self.run, self.warn)
        except PlatformError as error:
            if self._account is None or error.reason == "acme_unreachable":
                self._failure = error
            raise
        chain = self._preferred([_read(chain) for chain in chains])
        if leaf_of(chain[:1], item.key.public_key()) is None:
            raise PlatformError("the authority sent a certificate for another key", "acme_bad_response")
        if not all(crypto.is_signed_by(one, above) for one, above in zip(chain, chain[1:])):
            raise PlatformError("the authority sent a chain whose signatures do not hold", "acme_bad_response")
        return chain

    def _preferred(self, chains: Sequence[list[Any]]) -> list[Any]:
        """The first whose last certificate has the preferred issuer, as Certbot chooses."""
        wanted = self.settings.preferred_chain
        if not wanted:
            return chains[0]
        tops = [common_name(chain[-1].issuer) for chain in chains]
        if wanted in tops:
            return chains[tops.index(wanted)]
        self.warn(f"the authority has no chain to {wanted!r}, but to {', '.join(map(repr, tops))}: the first is taken")
        return chains[0]

    def _open(self, store: Store) -> Account:
        # Its library takes a third of a second to load, which a run that has nothing to do need not spend.
        from ansible_collections.zerotrust.platform.plugins.module_utils._acme.client import Account

        state = store.tree.read(self.account_path)
        try:
            known = dict(json.loads(state.content)) if state else {}
        except (ValueError, TypeError):
            # The server knows all of it.
            known = {}
        account = Account(self.settings, self._key(store), known.get("contact"))
        account.open()
        data = {"account": account.url, "contact": self.settings.contact, "directory": self.settings.directory}
        content = (json.dumps(data, indent=2) + "\n").encode("utf-8")
        if state is None or state.content != content:
            store.keep(self.account_path, content, FILE_MODE)
        return account

    def _key(self, store: Store) -> Any:
        state = store.tree.read(self.key_path)
        if state is None:
            # What each server has to know (RFC 8555, 6.2).
            key = crypto.new_key("ecdsa-p256")
            store.keep(self.key_path, crypto.key_to_pem(key), KEY_MODE)
            return key
        found, key = crypto.read_key(state.content)
        if found != GOOD:
            raise PlatformError(
                f"{store.tree.name(self.key_path)}: the account's key cannot be read: restore it from a backup, or "
                "remove it to get another account",
                "bad_key",
            )
        return key


def _read(chain: bytes) -> list[Any]:
    try:
        return read_certificates(chain)
    except ValueError as error:
        raise PlatformError(f"the authority sent a chain that {error}", "acme_bad_response") from error
