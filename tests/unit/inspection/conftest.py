# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates that nobody of ours has made, good and bad, in a directory of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._inspection.judge import Inspection, inspect
from ansible_collections.zerotrust.platform.plugins.module_utils._inspection.scan import scan
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)


def pem(*things: Any) -> bytes:
    """Certificates, keys and revocation lists, one after the other."""
    return b"".join(
        thing.public_bytes(serialization.Encoding.PEM)
        if hasattr(thing, "public_bytes")
        else thing.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        for thing in things
    )


@dataclass(frozen=True)
class Pair:
    certificate: Any
    key: Any


def make(
    name: str,
    issuer: Optional[Pair] = None,
    *,
    ca: bool = False,
    names: Optional[list[str]] = None,
    days: tuple[int, int] = (-1, 365),
    key: Any = None,
) -> Pair:
    """names: by default its own. days: of its validity, from NOW on."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + days[0] * DAY)
        .not_valid_after(NOW + days[1] * DAY)
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    found = [name] if names is None and not ca else names
    if found:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in found]), False)
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def revocations(issuer: Pair, *revoked: Pair, days: tuple[int, int] = (-1, 7)) -> Any:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW + days[0] * DAY)
        .next_update(NOW + days[1] * DAY)
    )
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number).revocation_date(NOW - DAY)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256())


@dataclass
class Folder:
    """Files, looked into as the module does."""

    path: Path
    now: datetime = NOW

    def write(self, name: str, *things: Any, mode: int = 0o600) -> Path:
        """things: bytes, certificates, keys, revocation lists."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(thing if isinstance(thing, bytes) else pem(thing) for thing in things))
        path.chmod(mode)
        return path

    def look(self, *paths: str, passphrases: tuple[str, ...] = (), trusted: tuple[str, ...] = ()) -> Inspection:
        named = [str(self.path / path) for path in paths or (".",)]
        return inspect(
            scan(named, passphrases), self.now, scan([str(self.path / path) for path in trusted], passphrases)
        )

    def problems(self, *paths: str, **options: Any) -> set[tuple[str, str]]:
        """(file, code)."""
        found = self.look(*paths, **options)
        return {(str(Path(problem.path).relative_to(self.path)), problem.code) for problem in found.problems}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture(scope="session")
def root() -> Pair:
    return make("root", ca=True, days=(-100, 3650))


@pytest.fixture(scope="session")
def issuing(root: Pair) -> Pair:
    return make("issuing", root, ca=True, days=(-50, 1000))


@pytest.fixture(scope="session")
def leaf(issuing: Pair) -> Pair:
    return make("www.zt", issuing)
