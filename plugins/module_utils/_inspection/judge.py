# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with certificates, keys and revocation lists that lie together. Pure; the clock is an argument.

What is not at hand is held against nobody: that an issuer is unknown is a problem only if trusted certificates were
named. Sources: RFC 5280 (validity, revocation), RFC 9525 (names), RFC 5246, 7.4.2 (the order of a chain).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._inspection.artefacts import Artefact, Problem
from ansible_collections.zerotrust.platform.plugins.module_utils._inspection.inventory import Found, Inventory

#: Bits of a key file's mode that nobody should have: any for everybody, and the group's to write. A group may read.
_OPEN = 0o027


@dataclass(frozen=True)
class RevocationList:
    """signer: whose signature it has, None if that is not at hand."""

    path: str
    crl: Any
    signer: Optional[Found]


@dataclass(frozen=True)
class Inspection:
    """certificates: those that expire first come first. problems: by path."""

    now: datetime
    certificates: tuple[Found, ...]
    crls: tuple[RevocationList, ...]
    problems: tuple[Problem, ...]


def inspect(artefacts: Sequence[Artefact], now: datetime, trusted: Iterable[Artefact] = ()) -> Inspection:
    """Judge what files hold at a moment (aware, UTC). trusted: roots that are at hand and are not judged."""
    inventory = Inventory(artefacts, trusted)
    certificates = inventory.certificates
    crls = [
        RevocationList(artefact.path, crl, _signer(crl, inventory)) for artefact in artefacts for crl in artefact.crls
    ]
    problems = [
        *inventory.problems,
        *(
            Problem(code, one.path, f"certificate {one.name!r} {message}", one.fingerprint)
            for one in certificates
            for code, message in (*_validity(one, now), *_contents(one), *_trust(one, inventory), *_revoked(one, crls))
        ),
        *(
            Problem(code, artefact.path, message, line[0].fingerprint if line else "")
            for artefact, line in inventory.files
            for code, message in (*_mode(artefact), *_chain(artefact, line, inventory.judges_trust))
        ),
        *_mismatches(inventory),
        *(Problem(code, crl.path, message) for crl in crls for code, message in _list(crl, now)),
    ]
    ordered = sorted(problems, key=lambda problem: (problem.path, problem.code, problem.message))
    return Inspection(now, tuple(certificates), tuple(crls), tuple(ordered))


def time_text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


# One certificate


def _validity(one: Found, now: datetime) -> Iterator[tuple[str, str]]:
    if now >= one.facts.not_after:
        yield "expired", f"expired at {time_text(one.facts.not_after)}: renew it"
    if now < one.facts.not_before:
        yield "not_yet_valid", f"is valid from {time_text(one.facts.not_before)} only: is this machine's clock right?"


def _contents(one: Found) -> Iterator[tuple[str, str]]:
    facts = one.facts
    # Nobody checks the signature of a root: it is trusted for its key (RFC 5280, 6.1).
    if facts.weakness and not (one.is_root and one.weakly_signed):
        yield "weak", f"has {facts.weakness}, which clients refuse: issue it anew"
    serves = not facts.is_ca and (not facts.extended or "server_auth" in facts.extended)
    if serves and not one.names:
        yield "no_names", "has no subject alternative names, and clients ignore its common name: issue it anew"
    issuer = one.issuer
    if issuer is not None and facts.not_after > issuer.facts.not_after:
        yield (
            "outlives_issuer",
            f"is valid until {time_text(facts.not_after)}, its issuer {issuer.name!r} only until "
            f"{time_text(issuer.facts.not_after)}",
        )


def _trust(one: Found, inventory: Inventory) -> Iterator[tuple[str, str]]:
    line = one.line()
    if inventory.judges_trust and not any(above.trusted for above in line):
        yield "untrusted", f"leads to no trusted certificate: {line[-1].issuer_subject!r} is where its chain ends"


def _revoked(one: Found, crls: Iterable[RevocationList]) -> Iterator[tuple[str, str]]:
    for found in crls:
        if found.crl.issuer != one.certificate.issuer or found.signer is None or one.issuer is None:
            continue
        entry = found.crl.get_revoked_certificate_by_serial_number(one.certificate.serial_number)
        # Another authority of that name, with another key, has serial numbers of its own.
        if entry is not None and found.signer.spki == one.issuer.spki:
            yield "revoked", f"was revoked at {time_text(entry.revocation_date_utc)}, as {found.path} says: replace it"
            return


# One file


def _mode(artefact: Artefact) -> Iterator[tuple[str, str]]:
    if artefact.private and artefact.mode & _OPEN:
        yield (
            "key_mode",
            f"holds a private key and has mode {artefact.mode:04o}: take the rights of others, as with 0600",
        )


def _leaf(artefact: Artefact, line: Sequence[Found]) -> Optional[Found]:
    """Whose chain a file holds, None if it holds none: a certificate by itself, or authorities to trust."""
    if len(line) == 1:
        # By itself it says nothing of a chain, but for its name.
        return None if line[0].facts.is_ca or "chain" not in PurePath(artefact.path).name.lower() else line[0]
    leaves = [one for one in line if not one.facts.is_ca]
    if line and not line[0].facts.is_ca:
        return line[0]
    return leaves[0] if len(leaves) == 1 and line[0] in leaves[0].line() else None


def _chain(artefact: Artefact, line: Sequence[Found], judges_trust: bool) -> Iterator[tuple[str, str]]:
    """What a server would send that has this file."""
    leaf = _leaf(artefact, line)
    if leaf is None:
        return
    whole = leaf.line()
    wanted = [one for one in whole if one in line]
    others = [one for one in line if one not in whole]
    if others:
        yield "chain_foreign", f"holds {others[0].name!r}, which is not in the chain of {leaf.name!r}: remove it"
    if [one for one in line if one in whole] != wanted:
        right = ", ".join(one.name for one in wanted)
        yield "chain_order", f"has its certificates in the wrong order: {right} is the right one"
    # Keystores hold the root by custom.
    if len(wanted) > 1 and wanted[-1].is_root and artefact.form == "pem":
        yield "root_included", f"holds the root {wanted[-1].name!r}, which is sent in vain: who trusts it has it"
    lacking = [one for one in whole if one not in line and not one.is_root]
    if lacking:
        yield "chain_incomplete", f"lacks the authority {lacking[0].name!r} between it and its root: append it"
    elif whole[-1].issuer is None and judges_trust:
        yield "chain_incomplete", f"lacks {whole[-1].issuer_subject!r}, the issuer of {whole[-1].name!r}"


def _mismatches(inventory: Inventory) -> Iterator[Problem]:
    """Keys that are not their certificate's: in one file, or beside a certificate whose key is nowhere."""
    lonely: dict[PurePath, list[Found]] = {}
    for one in inventory.certificates:
        if not one.facts.is_ca and not one.key:
            for path, position in one.places:
                if position == 0:
                    lonely.setdefault(PurePath(path).parent, []).append(one)
    known = {one.spki for one in inventory.certificates}
    for artefact, line in inventory.files:
        for one in line[:1]:
            if artefact.keys and one.spki not in artefact.keys:
                message = f"holds a private key that is not the one of its certificate {one.name!r}"
                yield Problem("key_mismatch", artefact.path, message, one.fingerprint)
        beside = lonely.get(PurePath(artefact.path).parent, [])
        if artefact.keys and not line and beside and not known.intersection(artefact.keys):
            one = beside[0]
            message = f"is the key of no certificate here, and {one.name!r} beside it ({one.path}) has none"
            yield Problem("key_mismatch", artefact.path, message, one.fingerprint)


# Revocation lists


def _signer(crl: Any, inventory: Inventory) -> Optional[Found]:
    for one in inventory.named(crl.issuer):
        try:
            if crl.is_signature_valid(one.certificate.public_key()):
                return one
        except TypeError:
            # A kind of key that signs nothing.
            continue
    return None


def _list(found: RevocationList, now: datetime) -> Iterator[tuple[str, str]]:
    issuer = str(found.crl.issuer.rfc4514_string())
    until = found.crl.next_update_utc
    if until is not None and now >= until:
        yield (
            "crl_expired",
            f"the revocation list of {issuer!r} should have been replaced by {time_text(until)}: clients that check "
            "it refuse all certificates of this issuer",
        )
    if found.signer is None:
        yield "crl_unverified", f"the revocation list of {issuer!r} has the signature of no certificate at hand"
