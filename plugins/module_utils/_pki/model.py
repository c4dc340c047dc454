# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a certificate tree declares.

An authority and a leaf differ in little, so both are a `Request`. Everything here has been validated and is in its
canonical form: names lower-case, lists sorted and without duplicates, durations in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Optional

from ansible_collections.zerotrust.platform.plugins.module_utils._acme.settings import Settings
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.permissions import Permission

#: How far in the past notBefore lies by default, as clocks differ (seconds).
BACKDATE = 300
DAY = 86_400

KEY_TYPES = ("ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519", "rsa-2048", "rsa-3072", "rsa-4096")
PROFILES = ("server", "client", "mtls", "code_signing")
CA = "ca"

#: option name -> X.520 attribute, in the order they have in a distinguished name.
SUBJECT_FIELDS = ("country", "state", "locality", "organization", "organizational_unit")
#: Names a certificate can be for, in the order of the options.
ALTERNATIVE_NAMES = ("dns", "ips", "uris", "emails")

#: What can be written, in the order in which it is written: who finds a new certificate finds its key as well.
AUTHORITY_FILES = ("key", "certificate")
#: Revocation lists, which go beside an authority's own files.
CRL_FILES = ("crl", "crl_der")
CERTIFICATE_FILES = (
    "key",
    "ca",
    "chain",
    "fullchain",
    "combined",
    "pkcs12",
    "jks",
    "kubernetes_secret",
    "certificate",
)
#: Those that a passphrase protects.
KEYSTORES = ("pkcs12", "jks")


@dataclass(frozen=True)
class Extension:
    """An extension that we know nothing of. value: DER, in hexadecimal."""

    oid: str
    critical: bool
    value: str


@dataclass(frozen=True)
class Constraints:
    """Name constraints (RFC 5280, 4.2.1.10), sorted: (kind as in ALTERNATIVE_NAMES, value); see `constraints`."""

    permitted: tuple[tuple[str, str], ...] = ()
    excluded: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Passphrase:
    """Of a private key. One of both is set. path: of a file that holds it."""

    value: str = field(default="", repr=False)
    path: str = ""


@dataclass(frozen=True)
class RevocationList:
    """What an authority publishes of the certificates that it has revoked.

    valid_for, renew_before: seconds. url: where clients get it, as the certificates say; may be empty.
    files: CRL_FILES -> path relative to the root.
    """

    valid_for: int
    renew_before: int
    files: Mapping[str, str]
    url: str = ""


@dataclass(frozen=True)
class Revocation:
    """Certificates that are not to be trusted any more: by serial number (hexadecimal), or by name.

    issuer: the authority of a serial number. before: those issued until then, None for all.
    reason: as in RFC 5280, 5.3.1, in snake case.
    """

    reason: str
    name: str = ""
    serial: str = ""
    issuer: str = ""
    before: Optional[datetime] = None


@dataclass(frozen=True)
class Request:
    """One certificate that is to exist.

    issuer: name of the authority that signs it; None for a self-signed one.
    subject: (attribute, value) in the order of the distinguished name; the last may be `common_name`.
    profile: server, client, mtls or ca.
    path_length: how many authorities may follow below this one (RFC 5280, 4.2.1.9); None for any number.
    permissions: of its files, by their content, where they are not the usual ones.
    reload: the command that tells a program of its new files; none by default.
    keystore_passphrase: of its KEYSTORES. kubernetes_secret: name and namespace of the manifest, "" for no namespace.
    valid_for, renew_before: seconds.
    files: which content lies where: AUTHORITY_FILES or CERTIFICATE_FILES -> path relative to the root.
    backdate: how far in the past notBefore lies, in seconds.
    new_key_on_renewal: whether each certificate gets a key of its own.
    crl_url: where its issuer's revocation list is. crl: what an authority itself publishes.
    generation, overlap, imported: of authorities; see `rollover`, and `imported`.
    """

    name: str
    issuer: Optional[str]
    subject: tuple[tuple[str, str], ...]
    profile: str
    key_type: str
    valid_for: int
    renew_before: int
    files: Mapping[str, str]
    dns: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    path_length: Optional[int] = None
    permissions: Mapping[str, Permission] = field(default_factory=dict)
    backdate: int = BACKDATE
    new_key_on_renewal: bool = False
    extensions: tuple[Extension, ...] = ()
    passphrase: Optional[Passphrase] = None
    constraints: Optional[Constraints] = None
    crl: Optional[RevocationList] = None
    crl_url: str = ""
    generation: int = 1
    overlap: int = 30 * DAY
    imported: bool = False
    reload: tuple[str, ...] = ()
    keystore_passphrase: str = field(default="", repr=False)
    kubernetes_secret: tuple[str, str] = ("", "")

    @property
    def is_authority(self) -> bool:
        return self.profile == CA

    @property
    def kind(self) -> str:
        return "authority" if self.is_authority else "certificate"


@dataclass(frozen=True)
class External:
    """An authority that people or other programs run.

    ca_file: its roots. signed: the directory where its answers are put, by default one in the tree.
    """

    ca_file: str
    signed: Optional[str] = None


@dataclass(frozen=True)
class Outside:
    """An authority outside of this tree. One of both is set."""

    name: str
    acme: Optional[Settings] = None
    external: Optional[External] = None


@dataclass(frozen=True)
class Declaration:
    """A whole tree. requests: each after its issuer."""

    requests: tuple[Request, ...] = ()
    outside: tuple[Outside, ...] = ()
    revocations: tuple[Revocation, ...] = ()
    _by_name: Mapping[str, Request] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {request.name: request for request in self.requests})

    def issuers(self, request: Request) -> list[Request]:
        """The authorities of this tree above a request, its own issuer first, the root last."""
        found: list[Request] = []
        above = self._by_name.get(request.issuer or "")
        while above is not None:
            found.append(above)
            above = self._by_name.get(above.issuer or "")
        return found
