# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An authority that people or other programs run: a signing request goes out, a certificate comes in.

    authorities/<issuer>/requests/<certificate>.pem    what is to be sent; it changes only with what is declared
    <signed>/<certificate>.pem (.crt, .cer, .der, .p7b, .p7c)    where its answer is looked for

Nothing of the answer is believed: key, names, uses and the chain up to the root in `ca_file` have to be right.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path as File
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.item import Item, Store
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.outputs import FILE_MODE
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.outside import DECIDES, Shelf, complete, is_one
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.signing_requests import is_for, signing_request
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.taken import (
    chain_to,
    check_constraints,
    check_leaf,
    leaf_of,
    read_certificates,
)
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree

SUFFIXES = (".pem", ".crt", ".cer", ".der", ".p7b", ".p7c")


class ExternalIssuer:
    """ca_file: its roots, and intermediates that it does not send along. signed: a directory, perhaps in the tree."""

    decides = DECIDES
    local = False

    def __init__(self, name: str, ca_file: str, signed: Optional[str], certificates: Sequence[str]) -> None:
        self.name, self.ca_file = name, ca_file
        self.shelf = Shelf(name, certificates)
        self.signed = signed or f"{self.shelf.base}/signed"
        answers = {f"{self.signed}/{one}{suffix}" for one in certificates for suffix in SUFFIXES}
        requests = {self.request_path(one) for one in certificates}
        self.keeps = self.shelf.paths | requests | (answers if not signed else set())
        self._trusted: list[Any] = []
        self._taken: dict[str, list[Any]] = {}

    def request_path(self, name: str) -> str:
        return f"{self.shelf.base}/requests/{name}.pem"

    # Planning

    def look(self, item: Item, tree: Tree, written: bool) -> bool:
        issued = self.shelf.issued(item.request.name, self.name, tree)
        item.outside = (tuple(issued[1:-1]), tuple(issued[-1:]))
        return is_one(issued, item.certificate) and issued[-1] in self._trust()

    def prepare(self, item: Item, tree: Tree, now: datetime) -> None:
        public_key = self.shelf.public_key(item, tree)
        answer = self._answer(item, tree)
        if answer is not None:
            path, certificates = answer
            try:
                self._taken[item.request.name] = self._checked(item, certificates, public_key, now)
            except PlatformError as error:
                raise PlatformError(f"{path} is not what was asked for: {error.message}", error.reason) from error
            item.coming = self._taken[item.request.name][0]
            return
        path = self.request_path(item.request.name)
        request = tree.read(path)
        if public_key is None or request is None:
            item.asks = item.reasons
        elif not is_for(request.content, item.request, public_key):
            item.asks = ("request_changed",)
        item.reasons = ()
        item.pending = (
            f"for {self.name!r}: send it {tree.name(path)} and put its answer to "
            f"{self._place(tree)}/{item.request.name}.pem"
        )

    def _place(self, tree: Tree) -> str:
        return tree.name(self.signed) if not File(self.signed).is_absolute() else self.signed

    def _answer(self, item: Item, tree: Tree) -> Optional[tuple[str, list[Any]]]:
        """(path, certificates) of an answer that has not been taken yet."""
        place = self._place(tree)
        with Tree(place) as directory:
            found = [(name, directory.read(name)) for name in (item.request.name + suffix for suffix in SUFFIXES)]
        there = [(f"{place}/{name}", state.content) for name, state in found if state is not None]
        if len(there) > 1:
            names = " and ".join(path for path, _content in there)
            raise PlatformError(f"{names} are both its answer: remove the older one", "two_answers")
        for path, content in there:
            try:
                certificates = read_certificates(content)
            except ValueError as error:
                raise PlatformError(f"{path} {error}", "bad_certificate") from error
            # What was taken may stay where it lies.
            return None if item.certificate in certificates else (path, certificates)
        return None

    def _checked(self, item: Item, certificates: Sequence[Any], public_key: Any, now: datetime) -> list[Any]:
        """Certificate, intermediate authorities, root."""
        leaf = leaf_of(certificates, public_key) if public_key is not None else None
        if leaf is None:
            raise PlatformError(
                "it is for another key: was it made for another request, or an older one?", "key_mismatch"
            )
        check_leaf(item.request, leaf, now)
        chain, root = chain_to(leaf, [*certificates, *self._trust()], self._roots(), now)
        check_constraints(item.request, [*chain, root])
        return [leaf, *chain, root]

    def _trust(self) -> list[Any]:
        if not self._trusted:
            try:
                self._trusted = read_certificates(File(self.ca_file).read_bytes())
            except OSError as error:
                raise PlatformError(
                    f"ca_file of {self.name!r}: {self.ca_file}: cannot be read: {error.strerror or error}",
                    "unreadable_ca_file",
                ) from error
            except ValueError as error:
                raise PlatformError(f"ca_file of {self.name!r}: {self.ca_file} {error}", "bad_ca_file") from error
        return self._trusted

    def _roots(self) -> list[Any]:
        roots = [one for one in self._trust() if one.subject == one.issuer]
        if not roots:
            raise PlatformError(
                f"ca_file of {self.name!r}: {self.ca_file} holds no root, which is a certificate that signs itself",
                "bad_ca_file",
            )
        return roots

    # Issuing

    def issue(self, item: Item, store: Store, now: datetime) -> None:
        self.shelf.have_key(item, store)
        if item.pending:
            content = signing_request(item.request, item.key)
            store.keep(self.request_path(item.request.name), content, FILE_MODE)
            return
        taken = self._taken[item.request.name]
        self.shelf.put(item, self.name, store, taken)
        complete(item, taken[0], taken[1:-1], taken[-1:])

    def done(self, item: Item, store: Store) -> None:
        for path in self.needless(item):
            store.drop(path)

    def needless(self, item: Item) -> frozenset[str]:
        return self.shelf.needless(item)
