# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the live tests: tools of other projects, and servers that end with the test that started them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.compose_stack import Host, running_host
from tests.live.docker_engine import Engine
from tests.live.go_tools import tool_path
from tests.live.processes import Processes


@pytest.fixture(scope="session")
def tool() -> Callable[..., Path]:
    """`tool("pebble")`, `tool("pebble", "pebble-challtestsrv")`: the path of a program."""
    return tool_path


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path / "logs") as running:
        yield running


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker engine that ends with the tests."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter"))):
        pytest.skip("a Docker engine needs root, iproute2 and util-linux")
    running = Engine()
    try:
        running.start()
        yield running
    finally:
        running.remove()


@pytest.fixture(scope="module")
def open_folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Where other accounts may enter, as the users of containers must; kept if a test failed.

    To pytest's own directories they have no way: each pytest that starts closes the one above them.
    """
    path = Path(tempfile.mkdtemp(prefix="zerotrust-"))
    path.chmod(0o755)
    failed = request.session.testsfailed
    yield path
    if request.session.testsfailed == failed:
        shutil.rmtree(path)


@pytest.fixture(scope="module")
def host(engine: Engine, open_folder: Path) -> Iterator[Host]:
    """An engine on which the role compose_stack can run its stack."""
    yield from running_host(engine, open_folder)


@pytest.fixture
def stack(host: Host) -> Host:
    """The stack, running."""
    host.up()
    return host
