# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request and all that is known of it: filled by `planning`, completed by an issuer, shown by `records`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional, Protocol

from ansible_collections.zerotrust.platform.plugins.module_utils._pki.checks import Facts
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.crypto import Signer
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.ledger import Ledger
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Request
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.outputs import Issued
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree

#: The subject and key identifier by which a certificate names its issuer (RFC 5280, 4.2.1.1 and 6.1).
Identity = tuple[tuple[tuple[str, str], ...], bytes]


@dataclass(frozen=True)
class Seen:
    """A file as it lay on disk when it was looked at. digest: sha256 of its content, in hexadecimal."""

    digest: str
    mode: int
    uid: int


class Store(Protocol):
    """Where an issuer writes what it keeps for itself: at once, and known to the tree's manifest."""

    tree: Tree

    def keep(self, path: str, content: bytes, mode: int) -> None:
        """Write one of the paths that the issuer `keeps`."""

    def drop(self, path: str) -> None:
        """Remove one of them, if it is there."""


class Issuer(Protocol):
    """An issuer of certificates.

    decides: the reasons of `checks` that are its own business, such as how long a certificate is valid. They cause
    nothing then.
    local: whether it issues in this process and at once. What is not is issued one by one, and written before the next.
    keeps: the paths in the tree of what it keeps for itself, or looks for there.
    """

    decides: frozenset[str]
    local: bool
    keeps: frozenset[str]

    def look(self, item: Item, tree: Tree, written: bool) -> bool:
        """Whether the item's certificate is one of this issuer's. It is asked only where there is one.

        It sets `item.outside`, if that applies. written: both files are byte by byte what we wrote: what was proved
        before writing need not be proved again.
        """

    def prepare(self, item: Item, tree: Tree, now: datetime) -> None:
        """Asked while planning, for what has reasons to be issued. Reads only. A PlatformError refuses the run.

        An issuer that has to be waited for takes the reasons away and sets `item.pending`, and `item.asks` if it has
        anything to write. `item.coming` is the certificate that is going to be issued, if it is there already.
        """

    def issue(self, item: Item, store: Store, now: datetime) -> None:
        """Issue the certificate, with a key that is new if `item.new_key`. A PlatformError if that fails.

        It sets key (if one of the item's outputs needs it), certificate, facts, and `item.outside` if that applies; for
        what is pending nothing of that.
        """

    def done(self, item: Item, store: Store) -> None:
        """Told when the files of what it has issued are written: what `needless` names can go."""

    def needless(self, item: Item) -> frozenset[str]:
        """The paths of what it keeps for an item that waits for nothing any more."""


@dataclass
class Item:
    """
    issuer: who issues it.
    issuers: the authorities above it in this tree, its own first; none for a root and for what is issued elsewhere.
    seen: content (`key`, `certificate`, ..) -> its file, None where there is none.
    certificate, key: of `cryptography`; the key is read where it is needed, as most runs need none.
    reasons, drift: why a new certificate is issued; and what else is wrong with its files.
    rewrites: the contents that have to be written though no certificate is issued.
    identity: what its certificates name as their issuer; None while the key is yet to be made.
    outside: the chain and the roots of what is issued outside of this tree, as far as they are known.
    pending: what it waits for, if its issuer has been asked, or is going to be, and has not answered; a sentence. asks:
    why it is asked in this run. coming: see `Issuer.prepare`. failed: why it was not issued, though it was to be: a
    reason code.
    settled: whether it is as we wrote it, and stays so. remembered, chain_digest: see `remembering`.
    ledger: what an authority remembers. signer: the authority itself, ready to sign.
    beside: other generations of a root that are trusted beside it.
    """

    request: Request
    issuers: Sequence[Item]
    seen: Mapping[str, Optional[Seen]]
    issuer: Issuer
    facts: Facts = field(default_factory=Facts)
    certificate: Any = None
    key: Any = field(default=None, repr=False)
    key_pem: bytes = field(default=b"", repr=False)
    passphrase: Optional[bytes] = field(default=None, repr=False)
    reasons: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    rewrites: tuple[str, ...] = ()
    new_key: bool = False
    identity: Optional[Identity] = None
    outside: tuple[tuple[Any, ...], tuple[Any, ...]] = ((), ())
    pending: str = ""
    asks: tuple[str, ...] = ()
    coming: Any = None
    failed: str = ""
    settled: bool = False
    remembered: bool = False
    chain_digest: str = ""
    ledger: Optional[Ledger] = None
    beside: Sequence[Item] = ()
    signer: Optional[Signer] = field(default=None, repr=False)

    @property
    def issues(self) -> bool:
        return bool(self.reasons)

    def waits(self, holds: Sequence[str]) -> bool:
        """Whether one of these certificates (`Output.holds`) is yet to be issued."""
        roots = 1 if self.issuers and self.issuers[-1].issuer.local else 0
        above = len(self.issuers) - roots
        top = [one for root in self.issuers[above:] for one in (root, *root.beside)]
        parts = {"certificate": (self,), "chain": self.issuers[:above], "roots": top}
        return any(one.issues for part in holds for one in parts[part])

    @property
    def writes(self) -> tuple[str, ...]:
        """The contents that are going to be written, in the order in which they are."""
        files = self.request.files
        if self.issues:
            return tuple(content for content in files if content != "key" or self.new_key or "key" in self.rewrites)
        return tuple(content for content in files if content in self.rewrites)

    @property
    def issued(self) -> Issued:
        """What its files are made of."""
        above = tuple(item.certificate for item in self.issuers)
        top = self.issuers[-1] if self.issuers else self
        if top.issuer.local:
            chain, roots = above[:-1], (*above[-1:], *(one.certificate for one in top.beside))
        else:
            chain, roots = (*above, *top.outside[0]), top.outside[1]
        return Issued(self.request, self.certificate, chain, roots, self.key, self.key_pem)
