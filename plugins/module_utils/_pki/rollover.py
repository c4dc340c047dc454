# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an authority gets a new key without a moment in which a verifier refuses a good certificate.

    authorities/<name>/next/        a root's next key and certificate, which sign nothing yet
    authorities/<name>/previous/    the key and certificate before the present ones

Whoever trusts a root has a copy of it. So a root is replaced in three steps, each a run's work like any other, and
`overlap` lies between them, the time that everybody needs to fetch the `ca` files and load them:

    introduced    the next root is made; all `ca` files hold both
    switched      the next root becomes the present one; what it issues is issued anew; all `ca` files still hold both
    retired       the previous root goes

It begins when another key type or subject is declared, a greater `generation`, or when the root has come into its
renewal window and `rotation_policy` is `always`.

An authority that somebody else signs gets its new key at once: what verifiers trust stays the same. Its previous key is
kept for the same time, to sign the revocation list of what it had signed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._pki import checks, crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.checks import GOOD
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.issuing import Given
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Item
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.ledger import NEXT, PREVIOUS, Ledger, moment
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Request

ROLLOVER = "rollover"
GENERATION = "generation_changed"
#: What makes a root another one to those who trust it.
_IDENTITY = frozenset({"key_type_changed", "subject_changed"})
#: Reads what lies there, and decides nothing; None if it was refused.
Look = Callable[[Request], Optional[Item]]


@dataclass
class Rolled:
    """
    items: the other generations, in the order in which they are written, before the present one.
    trusted: those that `ca` files hold beside the present one. signing: those that sign revocation lists beside it.
    removes: generations that go: name -> (reason, its files).
    """

    items: list[Item] = field(default_factory=list)
    trusted: list[Item] = field(default_factory=list)
    signing: list[Item] = field(default_factory=list)
    removes: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)


def generation(request: Request, which: str) -> Request:
    """The request of another generation of the same authority."""
    place = f"authorities/{request.name}/{which}"
    files = {"key": f"{place}/key.pem", "certificate": f"{place}/cert.pem"}
    return replace(request, name=f"{request.name}/{which}", files=files)


def paths(request: Request) -> frozenset[str]:
    return frozenset(path for which in (NEXT, PREVIOUS) for path in generation(request, which).files.values())


def roll(item: Item, ledger: Ledger, look: Look, now: datetime) -> Rolled:
    """Plan the generations of an authority whose reasons are known. May change the item's reasons and the ledger."""
    rolled = Rolled()
    grown = item.request.generation > ledger.generation
    there = _is_good(item)
    if not there:
        ledger.generation = max(ledger.generation, item.request.generation)
    elif item.request.issuer is not None and grown:
        item.reasons, item.new_key = (*item.reasons, GENERATION), True
        ledger.coming_generation = item.request.generation
    if item.request.issuer is not None:
        switches = item.issues and item.new_key and there and item.request.crl is not None
        _previous(item, ledger, look, now, rolled, Given(item) if switches else None)
    elif there:
        _root(item, ledger, look, now, rolled, grown)
    return rolled


def _is_good(item: Optional[Item]) -> bool:
    return item is not None and item.facts.certificate == item.facts.key == GOOD and item.facts.key_matches


def _same_key(one: Item, other: Item) -> bool:
    return crypto.same_public_key(one.certificate.public_key(), other.certificate.public_key())


def _root(item: Item, ledger: Ledger, look: Look, now: datetime, rolled: Rolled, grown: bool) -> None:
    request = item.request
    following = look(generation(request, NEXT))
    if following is not None and _is_good(following) and _same_key(following, item):
        # A run that had put it in place came to no end.
        ledger.coming_generation, grown = request.generation, False
        _remove(following, ROLLOVER, rolled)
        following = None
    causes = tuple(code for code in item.reasons if code in _IDENTITY)
    if request.new_key_on_renewal and "renewal_window" in item.reasons:
        causes = (*causes, "renewal_window")
    if grown:
        causes = (*causes, GENERATION)
    coming: Optional[Item] = None
    if following is not None and _is_good(following) and causes:
        coming = None if checks.reasons(following.request, following.facts, now) else following
    switches = coming is not None and _is_due(item, coming, now)
    _previous(item, ledger, look, now, rolled, Given(item) if switches else None)
    if coming is not None and switches:
        ledger.coming_generation = request.generation
        item.issuer, item.coming, item.new_key = Given(coming), coming.certificate, True
        item.reasons = (ROLLOVER,)
        _remove(coming, ROLLOVER, rolled)
    elif causes and following is not None:
        if coming is None:
            following.reasons = tuple(dict.fromkeys((*causes, *item.reasons)))
            following.new_key = True
        rolled.items.append(following)
        rolled.trusted.append(following)
        item.reasons, item.new_key = (), False
    elif following is not None:
        _remove(following, "not_declared", rolled)


def _is_due(item: Item, coming: Item, now: datetime) -> bool:
    introduced = coming.facts.not_before + timedelta(seconds=coming.request.backdate)
    if now >= introduced + timedelta(seconds=item.request.overlap):
        return True
    # One that is not replaced because of its age is not outlived while it waits.
    return "renewal_window" in item.reasons and not item.request.new_key_on_renewal


def _previous(item: Item, ledger: Ledger, look: Look, now: datetime, rolled: Rolled, leaves: Optional[Given]) -> None:
    previous = look(generation(item.request, PREVIOUS))
    if previous is None:
        return
    if leaves is not None:
        until = now + timedelta(seconds=item.request.overlap)
        ledger.kept_until, ledger.changed = moment(until), True
        previous.issuer, previous.coming, previous.new_key = leaves, item.certificate, True
        previous.reasons = (ROLLOVER,)
    elif not _is_good(previous):
        _remove(previous, "bad_key", rolled)
        return
    elif not ledger.kept_until or moment(now) >= ledger.kept_until:
        ledger.kept_until, ledger.changed = "", ledger.changed or bool(ledger.kept_until)
        _remove(previous, "overlap_ended", rolled)
        return
    rolled.items.append(previous)
    rolled.signing.append(previous)
    if item.request.issuer is None:
        rolled.trusted.append(previous)


def _remove(item: Item, reason: str, rolled: Rolled) -> None:
    files = tuple(item.request.files[content] for content, known in item.seen.items() if known is not None)
    if files:
        rolled.removes[item.request.name] = (reason, files)
