# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a file of any origin holds: certificates, private keys, revocation lists; in PEM, DER or PKCS#12.

Tolerant, as it looks at files that somebody else has written: what cannot be read is a `Problem`, and the rest of the
file is read all the same. Private keys are kept as their public halves only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12
except ImportError:  # pragma: no cover - the module says that cryptography is missing before anything is read
    pass

_BEGIN = re.compile(rb"^[ \t\xef\xbb\xbf]*-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?$", re.MULTILINE)
_CERTIFICATES = (b"CERTIFICATE", b"X509 CERTIFICATE")
_JKS = b"\xfe\xed\xfe\xed"


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with a file or a certificate.

    code: does not change between releases. certificate: sha256 of the one it is about, else empty.
    message: one sentence without the path; never a secret.
    """

    code: str
    path: str
    message: str
    certificate: str = ""


@dataclass(frozen=True)
class Artefact:
    """The content of one file, in its order.

    form: pem, der, pkcs12, or empty for what is none of them.
    keys: the public halves of its private keys, as far as they could be read. private: whether it has any at all.
    mode: permission bits; 0 if they are not known.
    """

    path: str
    form: str = ""
    certificates: tuple[Any, ...] = ()
    keys: tuple[bytes, ...] = ()
    crls: tuple[Any, ...] = ()
    private: bool = False
    mode: int = 0
    problems: tuple[Problem, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.certificates or self.private or self.crls or self.problems)


def spki(public_key: Any) -> bytes:
    """What tells public keys apart: the DER of SubjectPublicKeyInfo (RFC 5280, 4.1.2.7)."""
    return bytes(public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


class _Content:
    def __init__(self, path: str) -> None:
        self.path = path
        self.certificates: list[Any] = []
        self.keys: list[bytes] = []
        self.crls: list[Any] = []
        self.private = False
        self.problems: list[Problem] = []

    def problem(self, code: str, message: str) -> None:
        self.problems.append(Problem(code, self.path, message))

    def done(self, form: str, mode: int) -> Artefact:
        return Artefact(
            self.path,
            form,
            tuple(self.certificates),
            tuple(self.keys),
            tuple(self.crls),
            self.private,
            mode,
            tuple(self.problems),
        )


def read_artefact(path: str, content: bytes, passphrases: Sequence[str] = (), mode: int = 0) -> Artefact:
    """What a file holds. path: how it is called. passphrases: tried one after the other on what has one."""
    found = _Content(path)
    tries = [None, *(passphrase.encode("utf-8") for passphrase in passphrases)]
    if _BEGIN.search(content):
        _read_pem(found, content, tries)
        return found.done("pem", mode)
    if content.startswith(_JKS):
        found.problem("unknown_format", "is a Java keystore of the old format: look into it with keytool")
        return found.done("", mode)
    return found.done(_read_der(found, content, tries) if content.startswith(b"\x30") else "", mode)


def _blocks(content: bytes) -> Iterator[tuple[int, bytes, Optional[bytes]]]:
    """(line, label, the whole block or None if it has no end)."""
    starts = list(_BEGIN.finditer(content))
    for start, following in zip(starts, [*starts[1:], None]):
        end_mark = b"-----END " + start.group(1) + b"-----"
        end = content.find(end_mark, start.end(), following.start() if following else len(content))
        line = content.count(b"\n", 0, start.start(1)) + 1
        yield line, start.group(1), content[start.start(1) - 11 : end + len(end_mark)] if end >= 0 else None


def _read_pem(found: _Content, content: bytes, tries: Sequence[Optional[bytes]]) -> None:
    for line, label, block in _blocks(content):
        kind = "revocation list" if label == b"X509 CRL" else label.decode("ascii").lower()
        if block is None:
            found.private = found.private or label.endswith(b"PRIVATE KEY")
            found.problem("bad_pem", f"line {line}: the {kind} has no end: the file was cut")
            continue
        try:
            if label in _CERTIFICATES:
                found.certificates.append(x509.load_pem_x509_certificate(block))
            elif label == b"X509 CRL":
                found.crls.append(x509.load_pem_x509_crl(block))
        except ValueError:
            found.problem("bad_pem", f"line {line}: the {kind} cannot be decoded")
        if label.endswith(b"PRIVATE KEY"):
            found.private = True
            _read_key(found, f"line {line}: the {kind}", block, tries)


def _read_key(found: _Content, what: str, block: bytes, tries: Sequence[Optional[bytes]], der: bool = False) -> bool:
    load = serialization.load_der_private_key if der else serialization.load_pem_private_key
    encrypted = False
    for passphrase in tries:
        try:
            found.keys.append(spki(load(block, passphrase).public_key()))
        except TypeError:
            # It has a passphrase and none was given, or the other way round.
            encrypted = encrypted or passphrase is None
        except UnsupportedAlgorithm:
            found.problem("bad_key", f"{what} is of a kind that is not known")
            return True
        except ValueError:
            continue
        else:
            return True
    # An encrypted key that none of the passphrases opens is as it should be: it may be for others to open.
    if not encrypted and not der:
        found.problem("bad_pem", f"{what} cannot be decoded")
    return encrypted


def _read_der(found: _Content, content: bytes, tries: Sequence[Optional[bytes]]) -> str:
    for load, kept in ((x509.load_der_x509_certificate, found.certificates), (x509.load_der_x509_crl, found.crls)):
        try:
            kept.append(load(content))
        except ValueError:
            continue
        return "der"
    if _read_key(found, "the private key", content, tries, der=True):
        found.private = True
        return "der"
    return "pkcs12" if _read_pkcs12(found, content, tries) else ""


#: The version 3 and the first part of what follows (RFC 7292, 4): a ContentInfo of the type data.
_PKCS12 = re.compile(rb"\x30(?:[\x00-\x7f]|[\x81-\x84].{1,4}?|\x80)\x02\x01\x03\x30", re.DOTALL)


def _read_pkcs12(found: _Content, content: bytes, tries: Sequence[Optional[bytes]]) -> bool:
    if not _PKCS12.match(content):
        return False
    for passphrase in tries:
        for attempt in (passphrase, b"") if passphrase is None else (passphrase,):
            try:
                store: Any = pkcs12.load_pkcs12(content, attempt)
            except (ValueError, UnsupportedAlgorithm):
                continue
            found.private = store.key is not None
            if store.key is not None:
                found.keys.append(spki(store.key.public_key()))
            own = [store.cert] if store.cert is not None else []
            found.certificates.extend(item.certificate for item in (*own, *store.additional_certs))
            return True
    found.private = True
    given = "none of the passphrases" if len(tries) > 1 else "no passphrase"
    found.problem("passphrase", f"is a PKCS#12 file that {given} opens: name the right one in passphrases")
    return True
