# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API on SQLite and memory; with CONTROL_API_TEST_DATABASE_URL and CONTROL_API_TEST_REDIS_URL on real servers."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable

import pytest
import redis
from control_api import keys
from control_api.app import create_app
from control_api.database import migrate
from control_api.settings import Settings
from fastapi import FastAPI
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

DATABASE = os.environ.get("CONTROL_API_TEST_DATABASE_URL")
REDIS = os.environ.get("CONTROL_API_TEST_REDIS_URL", "")


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    """A database of the test's own."""
    if not DATABASE:
        yield f"sqlite:///{tmp_path}/api.db"
        return
    name = f"t{uuid.uuid4().hex}"
    server = create_engine(make_url(DATABASE).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(DATABASE).set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture
def made(database_url: str) -> Callable[..., FastAPI]:
    """A function: the application with some settings, its database up to date."""
    if REDIS:
        # The numbers of keys begin anew with each database, and so must what is counted by them.
        with redis.Redis.from_url(REDIS) as server:
            server.flushdb()

    def make(**settings: object) -> FastAPI:
        app = create_app(Settings(**{"database_url": database_url, "redis_url": REDIS, **settings}))
        migrate(app.state.engine)
        return app

    return make


@pytest.fixture
def app(made: Callable[..., FastAPI]) -> FastAPI:
    return made(body_bytes=100_000, limit_optimize=1000, limit_status=1000)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    address = (f"test-{uuid.uuid4()}", 1)
    with TestClient(app, raise_server_exceptions=False, client=address) as client:
        yield client


def key_of(app: FastAPI, owner: str, role: keys.Role, days: int = 1) -> dict[str, str]:
    """The header of a new key."""
    now = datetime.now(timezone.utc)
    with Session(app.state.engine) as session:
        return {"Authorization": "Bearer " + keys.create(session, owner, role, now, now + timedelta(days=days))[1]}


@pytest.fixture
def admin(app: FastAPI) -> dict[str, str]:
    return key_of(app, "root", keys.Role.ADMIN)


@pytest.fixture
def user(app: FastAPI) -> dict[str, str]:
    return key_of(app, "ann", keys.Role.USER)
