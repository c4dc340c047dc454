# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""API keys: drawn, kept as a digest, found again, revoked.

A key is 256 random bits in RFC 4648's URL-safe base64. It cannot be guessed, so its SHA-256 needs neither salt nor
slowness (NIST SP 800-63B, section 5.1.2.2, asks for them only below 112 bits).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Optional

from sqlalchemy import Engine, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from control_api.models import ApiKey

#: The owner of the key that the file of CONTROL_API_ADMIN_KEY_SHA256_FILE declares.
DECLARED = "declared-admin"


class Role(str, Enum):
    ADMIN = "admin"
    USER = "user"


@dataclass(frozen=True)
class Principal:
    """Who asks. key: the number of the API key."""

    key: int
    owner: str
    role: Role


def draw() -> str:
    """A new key, 43 characters."""
    return secrets.token_urlsafe(32)


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def find(engine: Engine, key: str, now: datetime) -> Optional[Principal]:
    """Whose key this is, None if nobody's now. Found by digest, so that how long it takes tells nothing of the key."""
    wanted = digest(key)
    with Session(engine) as session:
        row = session.scalar(select(ApiKey).where(ApiKey.sha256 == wanted))
        if row is None or not hmac.compare_digest(row.sha256, wanted) or not is_valid(row, now):
            return None
        return Principal(row.id, row.owner, Role(row.role))


def is_valid(row: ApiKey, now: datetime) -> bool:
    return row.revoked is None and (row.expires is None or row.expires > now)


def create(session: Session, owner: str, role: Role, now: datetime, expires: Optional[datetime]) -> tuple[ApiKey, str]:
    """A new key's record and clear text, which is not to be had again."""
    clear = draw()
    row = ApiKey(sha256=digest(clear), owner=owner, role=role.value, created=now, expires=expires)
    session.add(row)
    session.commit()
    return row, clear


def listed(session: Session, after: int, limit: int) -> Sequence[ApiKey]:
    return session.scalars(select(ApiKey).where(ApiKey.id > after).order_by(ApiKey.id).limit(limit)).all()


def revoke(session: Session, number: int, now: datetime) -> bool:
    """Whether there is such a key. One that is revoked keeps its time."""
    row = session.get(ApiKey, number)
    if row is None:
        return False
    row.revoked = row.revoked or now
    session.commit()
    return True


def declare_admin(engine: Engine, sha256: str) -> None:
    """The one key of this hash is the declared administrator's; another that was declared before is revoked.

    Raises ValueError for what is no SHA-256.
    """
    if len(sha256) != 64 or not all(character in "0123456789abcdef" for character in sha256):
        raise ValueError("the administrator's key: a SHA-256 of 64 lower-case hexadecimal digits is expected")
    now = datetime.now(timezone.utc)
    with Session(engine) as session:
        session.execute(
            update(ApiKey)
            .where(ApiKey.owner == DECLARED, ApiKey.sha256 != sha256, ApiKey.revoked.is_(None))
            .values(revoked=now)
        )
        if session.scalar(select(ApiKey.id).where(ApiKey.sha256 == sha256)) is None:
            session.add(ApiKey(sha256=sha256, owner=DECLARED, role=Role.ADMIN.value, created=now))
        try:
            session.commit()
        except IntegrityError:
            # Another process of ours has just written the same.
            session.rollback()
