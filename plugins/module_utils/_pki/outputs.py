# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the files of one request hold: pure functions of its certificate, key and chain.

To add a kind of file: a line in `OUTPUTS` here, its name in `model.CERTIFICATE_FILES`, and the module's documentation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._pki import crypto
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.model import Request
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.permissions import group_id, user_id

KEY_MODE = 0o600
FILE_MODE = 0o644


@dataclass(frozen=True)
class Issued:
    """What there is to make files of.

    chain: the intermediate authorities, its own issuer first. A root is not sent (RFC 8446, 4.4.2).
    roots: what the other side has to trust; several while a root is replaced by another.
    key_pem: what the file `key` holds; b"" unless an output asks for it (`needs_key`). key: the same, decrypted.
    """

    request: Request
    certificate: Any
    chain: tuple[Any, ...] = ()
    roots: tuple[Any, ...] = ()
    key: Any = field(default=None, repr=False)
    key_pem: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Output:
    """One kind of file.

    needs_key: whether it holds the private key: it is secret then, and `render` gets the key.
    repeatable: whether the same `Issued` makes the same bytes. What is not (a PKCS#12 file has random salts), and what
    needs the key, is compared by `source`, which the manifest keeps.
    """

    render: Callable[[Issued], bytes]
    needs_key: bool = False
    repeatable: bool = True

    @property
    def by_source(self) -> bool:
        return self.needs_key or not self.repeatable


@dataclass(frozen=True)
class Access:
    """Who may do what with a file. uid, gid: None for those of the running process."""

    mode: int
    uid: Optional[int] = None
    gid: Optional[int] = None


def _pem(*certificates: Any) -> bytes:
    return b"".join(crypto.to_pem(certificate) for certificate in certificates)


OUTPUTS: Mapping[str, Output] = {
    "key": Output(lambda issued: issued.key_pem, needs_key=True),
    "certificate": Output(lambda issued: _pem(issued.certificate)),
    "chain": Output(lambda issued: _pem(*issued.chain)),
    "fullchain": Output(lambda issued: _pem(issued.certificate, *issued.chain)),
    "ca": Output(lambda issued: _pem(*issued.roots)),
}


def access(request: Request, content: str) -> Access:
    """The access that a file of a request has to have."""
    mode = KEY_MODE if OUTPUTS[content].needs_key else FILE_MODE
    permission = request.permissions.get(content)
    if permission is None:
        return Access(mode)
    uid = user_id(permission.owner) if permission.owner else None
    return Access(permission.mode or mode, uid, group_id(permission.group) if permission.group else None)


def source(content: str, issued: Issued) -> str:
    """A digest of all that a file is made of, without the key: sha256 in hexadecimal.

    A certificate says which key it is for, so another key is another source.
    """
    certificates = (issued.certificate, *issued.chain, *issued.roots)
    parts = [content, *(crypto.fingerprint(certificate) for certificate in certificates)]
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()
