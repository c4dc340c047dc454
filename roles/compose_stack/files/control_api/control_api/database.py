# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine, and the migrations that bring a database up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from control_api.settings import Settings


def make_engine(settings: Settings) -> Engine:
    """No connection is made yet. Raises OSError, ValueError for the files of the settings."""
    url, arguments = settings.database()
    engine = create_engine(url, connect_args=arguments, pool_pre_ping=True, pool_timeout=5, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _readers_beside_a_writer)
    return engine


def _readers_beside_a_writer(connection: Any, record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")


def migrate(engine: Engine) -> None:
    """Bring the schema up to date; does nothing when it is. Several may do so at once. Raises SQLAlchemyError."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Of this transaction; the number is ours: "zt" and "api" in ASCII.
            connection.execute(text("SELECT pg_advisory_xact_lock(8388321849452)"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def answers(engine: Engine) -> bool:
    """Whether the database takes a query now."""
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return False
    return True
