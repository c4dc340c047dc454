# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Issues certificates and makes their files, on all cores. Nobody sees them before they are put in place.

items ─▶ key, Issuer.issue, outputs ─▶ files beside their places (`_reconcile.staging`)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, Optional, Protocol, Union

from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto, issuing, outputs, processes
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.facts import facts_of_issued
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Item, Store
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.planning import PkiPlan
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Write
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.staging import Staged, Staging, discard

#: What a new key costs, in milliseconds; everything else is about one.
_COSTS = {"rsa-2048": 60, "rsa-3072": 200, "rsa-4096": 500}
#: How many milliseconds are worth a process.
_WORTH = 150


class Books(Store, Protocol):
    """sources: path -> `outputs.source`, of all files in the tree that have one."""

    sources: dict[str, str]


class _Made(NamedTuple):
    """What became of an item. certificate: DER, None if none was issued. keys: as in `facts_of_issued`."""

    number: int
    staged: list[Staged]
    sources: dict[str, str]
    certificate: Optional[bytes]
    keys: tuple[Optional[bytes], Optional[bytes]]


def contents(item: Item, store: Books, plan: PkiPlan) -> dict[str, Write]:
    """Issue an item, if it has to be, and make its files: path -> what is to be written."""
    if item.issues or item.asks:
        item.issuer.issue(item, store, plan.now)
    elif any(outputs.OUTPUTS[content].needs_key for content in item.writes):
        issuing.read_key(item, store.tree)
    found, issued = {}, replace(item.issued, run=plan.around.run)
    for content in item.writes:
        path, output = item.request.files[content], outputs.OUTPUTS[content]
        access = outputs.access(item.request, content)
        found[path] = Write(output.render(issued), access.mode, access.uid, access.gid)
        if output.needs_key and content != "key":
            store.sources[path] = outputs.source(content, issued)
    if item.issuer.local and not item.request.is_authority:
        # Nothing else needs it, and there are thousands.
        item.key, item.key_pem = None, b""
    return found


def make(items: Sequence[Item], store: Books, plan: PkiPlan) -> list[Staged]:
    """Issue items and make their files beside their places, durably. If that fails, nothing of it is left."""
    shares = _shares(items)
    if len(shares) > 1:
        return _together(items, shares, store, plan)
    staging = Staging(store.tree)
    try:
        for item in items:
            for path, write in contents(item, store, plan).items():
                staging.add(path, write)
        staging.flush()
    except BaseException:
        staging.discard()
        raise
    return staging.staged


def _shares(items: Sequence[Item]) -> list[list[int]]:
    """The numbers of the items that each process works on; one share if there is nothing to win."""
    costs = [_COSTS.get(item.request.key_type, 1) if item.new_key else 1 for item in items]
    total, done = sum(costs), 0
    count = max(1, min(processes.cores(), total // _WORTH))
    if not all(item.issuer.local and not item.request.is_authority for item in items):
        count = 1
    shares: list[list[int]] = [[] for _share in range(count)]
    for number, cost in enumerate(costs):
        # Neighbours stay together: a process gets its own copy of the memory that it works on.
        shares[done * count // total].append(number)
        done += cost
    return shares


def _together(items: Sequence[Item], shares: Sequence[Sequence[int]], store: Books, plan: PkiPlan) -> list[Staged]:
    for item in items:
        if item.issues and item.issuers:
            # Before there are several of us: a passphrase costs a while.
            issuing.signer_of(item.issuers[0], store.tree, item.request.crl_url)

    def work(share: Sequence[int]) -> Iterator[Union[_Made, frozenset[str]]]:
        store.tree.forked()
        staging = Staging(store.tree)
        try:
            for number in share:
                item = items[number]
                before = store.sources
                store.sources = {}
                staged = [staging.add(*one) for one in contents(item, store, plan).items()]
                certificate = crypto.to_der(item.certificate) if item.issues else None
                yield _Made(number, staged, store.sources, certificate, (item.facts.key_id, item.facts.issuer_key_id))
                store.sources, item.certificate = before, None
            staging.flush()
            yield store.tree.unsynced()
        except BaseException:
            staging.discard()
            raise

    results, failures = processes.spread(shares, work)
    made = [one for one in results if isinstance(one, _Made)]
    if failures:
        for one in made:
            discard(store.tree, one.staged)
        raise failures[0]
    for result in results:
        if isinstance(result, _Made):
            _take(items[result.number], result, store, plan)
        else:
            store.tree.owes(result)
    # In the order of the items, whoever was faster.
    return [staged for one in sorted(made) for staged in one.staged]


def _take(item: Item, made: _Made, store: Books, plan: PkiPlan) -> None:
    """Have in this process what another one has issued."""
    store.sources.update(made.sources)
    if made.certificate is not None:
        item.certificate = crypto.from_der(made.certificate)
        item.facts = facts_of_issued(item.request, item.certificate, made.keys)
        issuing.enter(item, plan.now)
