# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an ACME server is spoken to. Everything here is valid; `_pki.outside` reads it from a declaration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Optional

Warn = Callable[[str], None]

HTTP_01 = "http-01"
DNS_01 = "dns-01"


@dataclass(frozen=True)
class Binding:
    """An external account binding (RFC 8555, 7.3.4). key: base64url, as operators give it; a secret."""

    kid: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Challenge:
    """How control of a name is shown.

    type: HTTP_01 or DNS_01.
    webroot: the directory a web server serves for the names; None to listen on address and port ourselves.
    present, cleanup: the commands that make and remove a TXT record.
    """

    type: str
    webroot: Optional[str] = None
    address: str = ""
    port: int = 80
    present: tuple[str, ...] = ()
    cleanup: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """
    directory: URL of the server's directory. contact: URLs, as mailto:ops@example.com.
    terms_agreed: whether the person agrees to the server's terms of service.
    ca_file: roots for the directory's TLS, the system's by default.
    preferred_chain: common name of the issuer at the top of the chain to take, if there are several.
    profile: one of the server's own, empty for its default. timeout: seconds for one certificate.
    """

    directory: str
    challenge: Challenge
    contact: tuple[str, ...] = ()
    terms_agreed: bool = False
    binding: Optional[Binding] = None
    ca_file: Optional[str] = None
    preferred_chain: str = ""
    profile: str = ""
    timeout: int = 180
