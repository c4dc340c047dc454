# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tree keeps for its authorities beside their certificates: ledgers, other generations, revocation lists.

look at an authority ─▶ open: its ledger, what is revoked by now ─▶ roll: its generations
look at a certificate ─▶ is_revoked, note
all are looked at ─▶ publish: the revocation lists that have to be signed; changes
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto, revocation_lists
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.issuing import entry
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Item
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.ledger import (
    Ledger,
    ledger_path,
    moment,
    read_ledger,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Request, Revocation
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.rollover import Look, Rolled, paths, roll
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.manifest import Manifest
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.paths import FileError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import CREATE, DELETE, UPDATE, Change


@dataclass(frozen=True)
class Publication:
    """A revocation list that has to be signed. signers: the authority, and its previous key while that is kept."""

    item: Item
    signers: tuple[Item, ...]
    reasons: tuple[str, ...]


@dataclass
class Books:
    """
    adopt: whether files that are not ours are taken over. refuse: is told (request, reason, sentence).
    rolled: the generations of each authority.
    """

    tree: Tree
    manifest: Manifest
    revocations: tuple[Revocation, ...]
    now: datetime
    adopt: bool
    refuse: Callable[[Request, str, str], None]
    items: dict[str, Item] = field(default_factory=dict)
    rolled: dict[str, Rolled] = field(default_factory=dict)
    publications: list[Publication] = field(default_factory=list)
    _revoked: list[Change] = field(default_factory=list)

    def open(self, item: Item) -> None:
        """Read an authority's ledger, and revoke what is declared. A PlatformError if the ledger cannot be used."""
        name = item.request.name
        path = ledger_path(name)
        state = self.tree.read(path)
        restore = (
            "restore it from a backup; or remove it, and its line in the tree's manifest, to begin with an empty one: "
            "what was revoked is then forgotten"
        )
        if state is not None:
            try:
                item.ledger = read_ledger(state.content)
            except ValueError as error:
                raise PlatformError(f"{self.tree.name(path)}: {error}: {restore}", "ledger_corrupt") from None
            item.ledger.changed = path not in self.manifest.files
        elif path in self.manifest.files:
            raise PlatformError(f"{self.tree.name(path)}: is missing: {restore}", "ledger_missing")
        else:
            item.ledger = Ledger(generation=item.request.generation, changed=True)
        self.items[name] = item
        self._revoke(item, item.ledger)

    def _revoke(self, item: Item, ledger: Ledger) -> None:
        before = {serial for serial, one in ledger.entries.items() if one.revoked}
        for revocation in self.revocations:
            if revocation.issuer in ("", item.request.name):
                ledger.revoke(revocation, self.now, moment(item.facts.not_after))
        for serial, one in ledger.entries.items():
            if one.revoked and serial not in before:
                after = {"serial": serial, "name": one.name or None, "reason": one.reason}
                change = Change(CREATE, "revocation", f"{item.request.name}/{serial}", (one.reason,), None, after)
                self._revoked.append(change)
                if item.request.crl is None:
                    message = "has revoked certificates and publishes no list of them: set its crl"
                    self.refuse(item.request, "no_crl", message)

    def roll(self, item: Item, look: Look) -> list[Item]:
        """Plan an authority's generations; the items of the others."""
        if item.ledger is None:
            return []
        rolled = self.rolled[item.request.name] = roll(item, item.ledger, look, self.now)
        item.beside = tuple(rolled.trusted)
        return rolled.items

    def is_revoked(self, item: Item) -> bool:
        ledger = item.issuers[0].ledger if item.issuers else None
        return ledger is not None and ledger.is_revoked(item.facts.serial)

    def note(self, item: Item) -> None:
        """A good certificate that its ledger does not know was there before it."""
        ledger = item.issuers[0].ledger if item.issuers else None
        if ledger is not None and item.facts.serial not in ledger.entries:
            ledger.add(entry(item, item.facts.not_before))

    def keeps(self) -> frozenset[str]:
        """The paths of all that is kept, whether it is there or not."""
        found: set[str] = set()
        for item in self.items.values():
            crl = item.request.crl
            found.update((ledger_path(item.request.name), *paths(item.request), *(crl.files.values() if crl else ())))
        return frozenset(found)

    def removes(self) -> frozenset[str]:
        return frozenset(
            path for rolled in self.rolled.values() for _reason, files in rolled.removes.values() for path in files
        )

    def publish(self) -> None:
        """Find the lists that have to be signed, when all certificates have been looked at."""
        for name, item in self.items.items():
            policy, ledger = item.request.crl, item.ledger
            if policy is None or ledger is None:
                continue
            signers = (item, *self.rolled[name].signing) if name in self.rolled else (item,)
            contents: dict[str, Optional[bytes]] = {}
            try:
                for content, path in policy.files.items():
                    contents[content] = self._content(item, path)
            except FileError as error:
                self.refuse(item.request, error.reason, error.message)
                continue
            ledger.forget(self.now, self.now - timedelta(seconds=policy.valid_for))
            reasons: tuple[str, ...]
            if any(one.issues for one in signers):
                reasons, number = ("missing" if contents["crl"] is None else "issuer_changed",), 0
            else:
                wanted = [ledger.revoked(_key(one)) for one in signers]
                keys = [one.certificate.public_key() for one in signers]
                reasons, number = revocation_lists.reasons(policy, contents["crl"], wanted, keys, self.now)
            if contents.get("crl_der", b"") is None and not reasons:
                reasons = ("crl_der_missing",)
            if contents["crl"] is not None and policy.files["crl"] not in self.manifest.files:
                reasons = (*reasons, "adopted")
            ledger.crl_number = max(ledger.crl_number, number)
            if reasons:
                self.publications.append(Publication(item, signers, reasons))

    def _content(self, item: Item, path: str) -> Optional[bytes]:
        state = self.tree.read(path)
        if state is None:
            return None
        if not self.manifest.owns(path, state.content) and not self.adopt:
            message = f"{self.tree.name(path)} is not ours: move it away, or set adopt to take it over"
            self.refuse(item.request, "foreign_file", message)
        return state.content

    def changes(self) -> Iterator[Change]:
        yield from self._revoked
        for rolled in self.rolled.values():
            for name, (reason, _files) in rolled.removes.items():
                yield Change(DELETE, "authority", name, (reason,))
        for one in self.publications:
            policy = one.item.request.crl
            action = CREATE if one.reasons == ("missing",) else UPDATE
            files = {"files": dict(policy.files)} if policy is not None else {}
            yield Change(action, "crl", one.item.request.name, one.reasons, None, files)

    def behind(self) -> list[str]:
        """The authorities whose ledger says something new."""
        return [name for name, item in self.items.items() if item.ledger is not None and item.ledger.changed]


def _key(item: Item) -> str:
    """The identifier of an authority's key, as its ledger has it."""
    return (item.facts.key_id or crypto.key_id(item.certificate.public_key())).hex()


def sign(publication: Publication, now: datetime, keys: Mapping[str, object]) -> dict[str, bytes]:
    """path -> content of a list. keys: by the name of its signers."""
    item = publication.item
    policy, ledger = item.request.crl, item.ledger
    if policy is None or ledger is None:
        return {}
    times = revocation_lists.validity(policy, now)
    ledger.crl_number, ledger.changed = ledger.crl_number + 1, True
    signed = [
        revocation_lists.sign(
            ledger.revoked(_key(one)),
            one.certificate,
            keys[one.request.name],
            ledger.crl_number,
            times,
        )
        for one in publication.signers
    ]
    contents = {"crl": b"".join(pem for pem, _der in signed), "crl_der": signed[0][1]}
    return {path: contents[content] for content, path in policy.files.items()}
