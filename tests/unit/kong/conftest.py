# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes for kong_sync: fresh stand-ins, and a proxy that fails in front of one.

A module for nodes without a database says so with a fixture `mode` of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.kong.client import Client, certificate
from tests.contract.kong.faults import FaultProxy, fault_proxy
from tests.contract.kong.standin import standin


@pytest.fixture
def mode() -> str:
    return "postgres"


@pytest.fixture
def url(mode: str) -> Iterator[str]:
    """A fresh, empty node."""
    with standin(mode=mode) as node:
        yield node.url


@pytest.fixture
def admin(url: str) -> Iterator[Client]:
    """Somebody else at the same node."""
    with contextlib.closing(Client(url)) as client:
        yield client


@pytest.fixture
def proxy(url: str) -> Iterator[FaultProxy]:
    """A faulty way to the same node."""
    with fault_proxy(url) as found:
        yield found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """PEM files of a server and of a client, each its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    found = {}
    for name in ("127.0.0.1", "client.test"):
        cert, key = certificate(name)
        short = "server" if name == "127.0.0.1" else "client"
        for part, text in (("cert", cert), ("key", key)):
            path = Path(folder, f"{short}-{part}.pem")
            path.write_text(text)
            found[f"{short}_{part}"] = str(path)
    return found
