# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""spire_sync and a real SPIRE server: the contract suite, and the faults that a stand-in only plays."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._spire.local import Local

from tests.contract.spire.syncing import converges, planned, synced
from tests.live.processes import Processes
from tests.live.spire import LiveServer

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def live(tmp_path: Path, processes: Processes, tool: Callable[..., Path]) -> Iterator[LiveServer]:
    server = LiveServer(tool("spire", "spire-server"), tmp_path, processes)
    server.start()
    yield server
    server.hang(False)


def many(live: LiveServer, count: int, **others: Any) -> list[dict[str, Any]]:
    return [live.spire().entry(f"shop.{at}", f"s{at}", **others) for at in range(count)]


def test_the_contract_suite(live: LiveServer) -> None:
    environment = {**os.environ, "SPIRE_SERVER_BIN": str(live.program), "SPIRE_SERVER_SOCKET": live.socket}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "tests/contract/spire", "-k", "real"]
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]


def test_s04_a_server_that_is_killed_in_the_middle_of_a_batch(live: LiveServer) -> None:
    spire = live.spire()
    wanted = many(live, 900)
    sync = planned(spire, wanted)
    threading.Timer(0.3, live.kill).start()
    with pytest.raises(PlatformError) as error:
        sync.apply()
    assert error.value.reason in ("interrupted", "not_running")
    live.start()
    there = len(spire.entries())
    assert there < 901
    counts = converges(spire, wanted)
    assert (counts["create"], counts["unchanged"]) == (901 - there, there)


def test_s04_a_server_that_restarts_is_waited_for(live: LiveServer) -> None:
    spire = live.spire()
    sync = planned(spire, many(live, 3))
    live.kill()
    back = threading.Timer(0.5, live.start)
    back.start()
    sync.apply()
    back.join()
    assert len(spire.entries()) == 4


def test_a_server_that_hangs_costs_one_time_limit(live: LiveServer) -> None:
    spire = live.spire()
    synced(spire, many(live, 3))
    live.hang(True)
    with pytest.raises(PlatformError) as error:
        planned(spire, many(live, 3), way=Local(spire.command, 1.0))
    assert error.value.reason == "timeout"
    live.hang(False)
    assert converges(spire, many(live, 3))["unchanged"] == 4


def test_a_database_that_somebody_else_has_locked(live: LiveServer) -> None:
    spire = live.spire()
    sync = planned(spire, many(live, 3))
    other = sqlite3.connect(live.folder / "data" / "datastore.sqlite3", isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    free = threading.Timer(0.3, other.execute, ["rollback"])
    free.start()
    sync.apply()
    free.join()
    other.close()
    assert len(spire.entries()) == 4
