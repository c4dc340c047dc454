# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the files of one request hold: functions of its certificate, key and chain, pure but for Java's keystores.

To add a kind of file: a line in `OUTPUTS` here, its name in `model.CERTIFICATE_FILES`, and the module's documentation.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._commands import Run, no_commands
from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto, keystores
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Request
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.permissions import group_id, user_id

KEY_MODE = 0o600
FILE_MODE = 0o644


@dataclass(frozen=True)
class Issued:
    """What there is to make files of.

    chain: the intermediate authorities, its own issuer first.
    roots: what the other side has to trust; several while a root is replaced by another.
    key_pem: what the file `key` holds; b"" unless an output asks for it (`needs_key`). key: the same, decrypted.
    run: runs a command, which a Java keystore needs.
    """

    request: Request
    certificate: Any
    chain: tuple[Any, ...] = ()
    roots: tuple[Any, ...] = ()
    key: Any = field(default=None, repr=False)
    key_pem: bytes = field(default=b"", repr=False)
    run: Run = no_commands

    def certificates(self, holds: Sequence[str]) -> tuple[Any, ...]:
        """Those that a file holds (`Output.holds`), in its order."""
        parts = {"certificate": (self.certificate,), "chain": self.chain, "roots": self.roots}
        return tuple(one for part in holds for one in parts[part])


@dataclass(frozen=True)
class Output:
    """One kind of file.

    holds: the certificates it is made of: some of `certificate`, `chain`, `roots`.
    needs_key: whether it holds the private key: it is secret then, and `render` gets the key. It is not made again to
    be compared, as a PKCS#12 file has random salts and other bytes each time: the manifest keeps its `source`.
    options: what it is made of beside certificates and key; no secret. sealed: whether it has a passphrase.
    """

    render: Callable[[Issued], bytes]
    holds: tuple[str, ...] = ()
    needs_key: bool = False
    options: Callable[[Request], tuple[str, ...]] = lambda _request: ()
    sealed: bool = False


@dataclass(frozen=True)
class Access:
    """Who may do what with a file. uid, gid: None for those of the running process."""

    mode: int
    uid: Optional[int] = None
    gid: Optional[int] = None


def _pem(*certificates: Any) -> bytes:
    return b"".join(crypto.to_pem(certificate) for certificate in certificates)


def _bundle(*holds: str) -> Output:
    return Output(lambda issued: _pem(*issued.certificates(holds)), holds)


def _combined(issued: Issued) -> bytes:
    # Key first, as Postfix wants it (smtpd_tls_chain_files); HAProxy and others take any order.
    return issued.key_pem + _pem(*issued.certificates(_SENT))


def _pkcs12(issued: Issued) -> bytes:
    request = issued.request
    return keystores.pkcs12(request.name, issued.key, issued.certificate, issued.chain, request.keystore_passphrase)


def _jks(issued: Issued) -> bytes:
    return keystores.jks(_pkcs12(issued), issued.request.keystore_passphrase, issued.run)


def _kubernetes_secret(issued: Issued) -> bytes:
    name, namespace = issued.request.kubernetes_secret
    sent, roots = _pem(*issued.certificates(_SENT)), _pem(*issued.roots)
    return keystores.kubernetes_secret(name, namespace, sent, issued.key_pem, roots)


def _alias(request: Request) -> tuple[str, ...]:
    return (request.name,)


#: What a server sends. A root is not sent (RFC 8446, 4.4.2).
_SENT = ("certificate", "chain")

OUTPUTS: Mapping[str, Output] = {
    "key": Output(lambda issued: issued.key_pem, needs_key=True),
    "certificate": _bundle("certificate"),
    "chain": _bundle("chain"),
    "fullchain": _bundle(*_SENT),
    "ca": _bundle("roots"),
    "combined": Output(_combined, _SENT, needs_key=True),
    "pkcs12": Output(_pkcs12, _SENT, needs_key=True, options=_alias, sealed=True),
    "jks": Output(_jks, _SENT, needs_key=True, options=_alias, sealed=True),
    "kubernetes_secret": Output(
        _kubernetes_secret, (*_SENT, "roots"), needs_key=True, options=lambda request: request.kubernetes_secret
    ),
}


_OPEN, _SECRET = Access(FILE_MODE), Access(KEY_MODE)


def access(request: Request, content: str) -> Access:
    """The access that a file of a request has to have."""
    usual = _SECRET if OUTPUTS[content].needs_key else _OPEN
    if not request.permissions:
        return usual
    permission = request.permissions.get(content)
    if permission is None:
        return usual
    uid = user_id(permission.owner) if permission.owner else None
    return Access(permission.mode or usual.mode, uid, group_id(permission.group) if permission.group else None)


def source(content: str, issued: Issued) -> str:
    """A digest of all that a file is made of: sha256 in hexadecimal.

    A certificate says which key it is for, so another key is another source. A passphrase may be a weak one, and the
    manifest can be read by everybody. So it enters through an HMAC with the private key: who can guess at it has that.
    """
    output = OUTPUTS[content]
    fingerprints = (crypto.fingerprint(one) for one in issued.certificates(output.holds))
    parts = [content, *output.options(issued.request), *fingerprints]
    if output.sealed:
        secret = issued.request.keystore_passphrase.encode("utf-8")
        parts.append(hmac.new(issued.key_pem, secret, "sha256").hexdigest())
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()
