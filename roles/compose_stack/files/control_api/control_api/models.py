# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept in the database. The migrations make it; a test compares the two."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Optional

from sqlalchemy import BigInteger, DateTime, Index, Integer, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite numbers only INTEGER keys by itself.
Number = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """A time in UTC, also in SQLite, which forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: Optional[datetime], dialect: Any) -> Optional[datetime]:
        return value.astimezone(timezone.utc) if value else None

    def process_result_value(self, value: Optional[datetime], dialect: Any) -> Optional[datetime]:
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


class Base(DeclarativeBase):
    pass


class ApiKey(Base):
    """sha256: of the key's clear text, in hex; the key itself is not kept. expires, revoked: None for never."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    owner: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(16))
    created: Mapped[datetime] = mapped_column(Moment)
    expires: Mapped[Optional[datetime]] = mapped_column(Moment)
    revoked: Mapped[Optional[datetime]] = mapped_column(Moment)


class Item(Base):
    """What can be chosen: cost and value in the smallest unit of whatever they are counted in."""

    __tablename__ = "items"
    __table_args__ = (Index("ix_items_owner_id", "owner", "id"),)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    owner: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(100))
    category: Mapped[Optional[str]] = mapped_column(String(100))
    cost: Mapped[int] = mapped_column(BigInteger)
    value: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[datetime] = mapped_column(Moment)
