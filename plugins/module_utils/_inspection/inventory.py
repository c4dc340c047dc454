# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All certificates at hand: which is where, who issued which, whose key is there.

A certificate is one thing, however many files hold it. Who issued it is found by name and signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._inspection.artefacts import Artefact, Problem, spki
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.checks import Facts
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.facts import facts_of
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import ALTERNATIVE_NAMES


@dataclass(eq=False)
class Found:
    """A certificate; one object each.

    places: (path, position in the file), those where it comes first before the others; none if it was only trusted.
    issuer: who signed it, None if that is not at hand; itself if it is self-signed.
    key: a path of its private key, empty if that is not at hand.
    """

    certificate: Any
    facts: Facts
    fingerprint: str
    trusted: bool = False
    places: list[tuple[str, int]] = field(default_factory=list)
    issuer: Optional[Found] = None
    key: str = ""

    @property
    def path(self) -> str:
        return self.places[0][0] if self.places else ""

    @property
    def names(self) -> list[str]:
        return [name for kind in ALTERNATIVE_NAMES for name in getattr(self.facts, kind)]

    @property
    def subject(self) -> str:
        """RFC 4514, the common name first."""
        return str(self.certificate.subject.rfc4514_string())

    @property
    def issuer_subject(self) -> str:
        return str(self.certificate.issuer.rfc4514_string())

    @property
    def name(self) -> str:
        """What people call it: its common name, else its first name, else its subject."""
        common_name = dict(self.facts.subject).get("common_name")
        return common_name or next(iter(self.names), "") or self.subject or self.facts.serial

    @property
    def is_root(self) -> bool:
        return self.issuer is self

    @property
    def weakly_signed(self) -> bool:
        return "signature" in self.facts.weakness

    @property
    def spki(self) -> bytes:
        return spki(self.certificate.public_key())

    def line(self) -> list[Found]:
        """The certificate and the authorities above it, as far as they are at hand."""
        line = [self]
        while line[-1].issuer is not None and line[-1].issuer not in line:
            line.append(line[-1].issuer)
        return line


class Inventory:
    """files: each artefact with its certificates. problems: of what could not be read."""

    def __init__(self, artefacts: Sequence[Artefact], trusted: Iterable[Artefact] = ()) -> None:
        self._found: dict[str, Found] = {}
        self._by_subject: dict[bytes, list[Found]] = {}
        self.problems: list[Problem] = []
        for artefact in trusted:
            for one in self._enter(artefact):
                one.trusted = True
        self.files = [(artefact, self._enter(artefact)) for artefact in artefacts]
        for artefact, line in self.files:
            for position, one in enumerate(line):
                one.places.append((artefact.path, position))
        for one in self._found.values():
            one.places.sort(key=lambda place: (place[1] > 0, place))
            one.issuer = self._issuer(one)
        self._find_keys(artefacts)

    @property
    def certificates(self) -> list[Found]:
        """Those that lie in a file, and are not trusted only; those that expire first come first."""
        own = (one for one in self._found.values() if one.places)
        return sorted(own, key=lambda one: (one.facts.not_after, one.path, one.fingerprint))

    @property
    def judges_trust(self) -> bool:
        return any(one.trusted for one in self._found.values())

    def named(self, subject: Any) -> list[Found]:
        """The certificates of a subject (a `cryptography` name)."""
        return self._by_subject.get(subject.public_bytes(), [])

    def _enter(self, artefact: Artefact) -> list[Found]:
        self.problems.extend(artefact.problems)
        line = []
        for certificate in artefact.certificates:
            fingerprint = crypto.fingerprint(certificate)
            if fingerprint not in self._found:
                try:
                    found = Found(certificate, facts_of(certificate), fingerprint)
                except ValueError:
                    what = f"an extension of the certificate with the serial {certificate.serial_number:x}"
                    self.problems.append(Problem("bad_certificate", artefact.path, f"{what} cannot be decoded"))
                    continue
                self._found[fingerprint] = found
                self._by_subject.setdefault(certificate.subject.public_bytes(), []).append(found)
            line.append(self._found[fingerprint])
        return line

    def _issuer(self, one: Found) -> Optional[Found]:
        named = self.named(one.certificate.issuer)
        signers = [other for other in named if crypto.is_signed_by(one.certificate, other.certificate)]
        if not signers and one.weakly_signed:
            # Signatures of such a kind are not checked any more: key identifiers have to do.
            issuers = crypto.identifiers(one.certificate)[1]
            signers = [other for other in named if issuers in (None, crypto.identifiers(other.certificate)[0])]
        if one in signers:
            return one
        # An authority that was renewed with its key is there twice, and the one that lasts longer counts.
        return max(signers, key=lambda other: other.facts.not_after, default=None)

    def _find_keys(self, artefacts: Iterable[Artefact]) -> None:
        paths: dict[bytes, list[str]] = {}
        for artefact in artefacts:
            for key in artefact.keys:
                paths.setdefault(key, []).append(artefact.path)
        for one in self._found.values():
            folders = {PurePath(path).parent for path, _position in one.places}
            keys = paths.get(one.spki, [])
            one.key = min(keys, key=lambda path: (PurePath(path).parent not in folders, path), default="")
