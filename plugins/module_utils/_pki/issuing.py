# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The authorities of this tree as issuers, and the keys that they sign with. Others are in `issuers`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import checks, crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.facts import facts_of_issued
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Issuer, Item, Store
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.ledger import Entry, moment
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree


class Authority:
    """The authorities of this tree. A root signs itself."""

    #: `profile_changed` compares more.
    decides: frozenset[str] = frozenset({"usage_missing"})
    local = True
    keeps: frozenset[str] = frozenset()

    def look(self, item: Item, tree: Tree, written: bool) -> bool:
        facts, above = item.facts, item.issuers[0] if item.issuers else None
        if above is not None and above.settled and written:
            # The run that wrote both had it issued by the other. Names are slow to compare.
            return above.identity is not None and facts.issuer_key_id == above.identity[1]
        named = (crypto.name_of(item.certificate.issuer), facts.issuer_key_id)
        signer = item.certificate if above is None else above.certificate
        same = named == ((facts.subject, facts.key_id) if above is None else above.identity)
        return same and (written or signer is None or crypto.is_signed_by(item.certificate, signer))

    def prepare(self, item: Item, tree: Tree, now: datetime) -> None:
        above = next((issuer for issuer in item.issuers if issuer.pending and issuer.certificate is None), None)
        if above is not None:
            item.reasons, item.pending = (), f"for its issuer {above.request.name!r}, which waits itself"

    def issue(self, item: Item, store: Store, now: datetime) -> None:
        if item.new_key:
            make_key(item)
        read_key(item, store.tree)
        request, public_key = item.request, item.key.public_key()
        # Not the identifier of an old certificate, which may be of another kind.
        item.identity = (request.subject, crypto.key_id(public_key))
        not_before = checks.not_before(request, now)
        if item.issuers:
            signer = signer_of(item.issuers[0], store.tree, request.crl_url)
            not_before = max(not_before, item.issuers[0].facts.not_before)
        else:
            signer = crypto.Signer(crypto.distinguished_name(request.subject), item.key, item.identity[1])
        ledger = item.issuers[0].ledger if item.issuers else None
        serial = crypto.new_serial(ledger.entries if ledger is not None else ())
        validity = (not_before, checks.not_after(request, now))
        item.certificate = crypto.issue(request, public_key, item.identity[1], signer, validity, serial)
        item.facts = facts_of_issued(request, item.certificate, (item.identity[1], signer.key_id))
        enter(item, now)

    def done(self, item: Item, store: Store) -> None:
        """Nothing was kept."""

    def needless(self, item: Item) -> frozenset[str]:
        return frozenset()


class Given:
    """Puts in place what is there already: another generation of an authority."""

    decides: frozenset[str] = frozenset()
    local = True
    keeps: frozenset[str] = frozenset()

    def __init__(self, other: Item) -> None:
        # As it is now: the item itself may get another certificate before this is asked for.
        self._other = replace(other)

    def look(self, item: Item, tree: Tree, written: bool) -> bool:
        return True

    def prepare(self, item: Item, tree: Tree, now: datetime) -> None:
        """It is at hand."""

    def issue(self, item: Item, store: Store, now: datetime) -> None:
        read_key(self._other, store.tree)
        item.key, item.key_pem = self._other.key, self._other.key_pem
        item.certificate, item.facts = self._other.certificate, self._other.facts

    def done(self, item: Item, store: Store) -> None:
        """Nothing was kept."""

    def needless(self, item: Item) -> frozenset[str]:
        return frozenset()


class Imported(Authority):
    """An authority that somebody else has made: it is taken as it is, and never made anew."""

    decides = frozenset({"usage_missing", "issuer_changed", "renewal_window", *checks.DECLARED})

    def look(self, item: Item, tree: Tree, written: bool) -> bool:
        return True

    def prepare(self, item: Item, tree: Tree, now: datetime) -> None:
        raise PlatformError(
            f"it is imported, and has to be issued anew ({', '.join(item.reasons)}): put its certificate and its key "
            "where files says",
            "ca_imported",
        )


AUTHORITY: Issuer = Authority()
IMPORTED: Issuer = Imported()


def signer_of(authority: Item, tree: Tree, crl_url: str) -> crypto.Signer:
    """An authority that signs with its key. A PlatformError if that is not its certificate's."""
    if authority.signer is None:
        key = read_key(authority, tree)
        if not crypto.same_public_key(key.public_key(), authority.certificate.public_key()):
            message = f"the key of authority {authority.request.name!r} is not its certificate's: run again"
            raise PlatformError(message, "ca_key_mismatch")
        own = authority.facts.key_id or crypto.key_id(key.public_key())
        authority.signer = crypto.Signer(authority.certificate.subject, key, own, crl_url)
    return authority.signer


def enter(item: Item, now: datetime) -> None:
    """Have its issuer remember a certificate that was issued now."""
    ledger = item.issuers[0].ledger if item.issuers else None
    if ledger is not None:
        ledger.add(entry(item, now))


def entry(item: Item, issued: datetime) -> Entry:
    """A certificate as its issuer's ledger has it."""
    facts = item.facts
    key = (facts.issuer_key_id or b"").hex()
    return Entry(facts.serial, item.request.name, moment(issued), moment(facts.not_after), key)


def read_key(item: Item, tree: Tree) -> Any:
    """Have the item's key at hand. Keys are read when they are needed: most runs sign nothing."""
    if item.key is None or not item.key_pem:
        state = tree.read(item.request.files["key"])
        if state is not None:
            item.key = crypto.read_key(state.content, item.passphrase)[1]
            # One that lies there in clear though it has a passphrase is never written like that again.
            plain = item.passphrase is not None and not crypto.is_encrypted(state.content)
            item.key_pem = crypto.key_to_pem(item.key, item.passphrase) if plain else state.content
    return item.key


def make_key(item: Item) -> None:
    item.key = crypto.new_key(item.request.key_type)
    item.key_pem = crypto.key_to_pem(item.key, item.passphrase)
