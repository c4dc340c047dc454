# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Schemathesis: what the API does is what its OpenAPI says; and the migrations make what the models say."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

import schemathesis
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from control_api import keys
from control_api.app import create_app
from control_api.database import make_engine, migrate
from control_api.models import Base
from control_api.settings import Settings
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from starlette.testclient import TestClient

from tests.stack.control_api.conftest import DATABASE, key_of

WIDE = {f"limit_{name}": 1_000_000 for name in ("default", "key", "optimize", "status", "data", "authentication")}


def _described() -> schemathesis.schemas.BaseSchema:
    """Made when the tests are collected, as each operation is a test: the database is this process' own."""
    folder = Path(tempfile.mkdtemp(prefix="control_api-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    url = DATABASE or f"sqlite:///{folder}/api.db"
    app = create_app(Settings(database_url=url, optimize_seconds=0.2, optimize_jobs=50, **WIDE))
    migrate(app.state.engine)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    schema.config.update(headers=key_of(app, "root", keys.Role.ADMIN))
    return schema


schema = _described()


@schema.parametrize()
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_the_api_is_as_it_is_described(case: schemathesis.Case) -> None:
    case.call_and_validate()


def test_the_migrations_make_what_the_models_say(database_url: str) -> None:
    engine = make_engine(Settings(database_url=database_url))
    migrate(engine)
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_the_description_itself_needs_no_key(app: FastAPI) -> None:
    with TestClient(app) as client:
        assert client.get("/openapi.json").json()["info"]["title"] == "Control API"
