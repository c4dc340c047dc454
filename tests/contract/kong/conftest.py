# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes for the tests: the stand-in, and a real one where the environment names it.

`KONG_ADMIN_URL`: the Admin API of a node with a database; `KONG_DBLESS_URL`: of one without; `KONG_ADMIN_TOKEN`: the
token both ask for, if any; `KONG_PROXY_URL`: the proxy of the first. What a test makes on a node with a database has a
tag of its own and is removed; the configuration of a node without one is put back after each test.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

from tests.contract.kong.client import Client
from tests.contract.kong.standin import Address, standin

REAL = os.environ.get("KONG_ADMIN_URL", "")
REAL_DBLESS = os.environ.get("KONG_DBLESS_URL", "")
TOKEN = os.environ.get("KONG_ADMIN_TOKEN", "")


def _client(url: str, token: str) -> Client:
    return Client(url, {"Kong-Admin-Token": token} if token else {})


@pytest.fixture
def standin_node() -> Iterator[Address]:
    """A fresh, empty stand-in with a database."""
    with standin(mode="postgres") as node:
        yield node


@pytest.fixture(scope="session")
def standin_url() -> Iterator[str]:
    with standin(mode="postgres") as node:
        yield node.url


@pytest.fixture(params=["standin", *(["real"] if REAL else [])])
def kong(request: pytest.FixtureRequest, standin_url: str) -> Iterator[Client]:
    """A client of a node with a database."""
    client = _client(standin_url, "") if request.param == "standin" else _client(REAL, TOKEN)
    with contextlib.closing(client):
        yield client
        client.clean_up()


@pytest.fixture(params=["standin", *(["real"] if REAL_DBLESS else [])])
def dbless(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client of a node without a database, whose configuration is empty."""
    with contextlib.ExitStack() as stack:
        if request.param == "standin":
            client = _client(stack.enter_context(standin(mode="dbless")).url, "")
        else:
            client = _client(REAL_DBLESS, TOKEN)
        stack.enter_context(contextlib.closing(client))
        before = client.ok("GET", "/config")
        client.ok("POST", "/config", {"_format_version": "3.0"})
        yield client
        client.ok("POST", "/config", before)
