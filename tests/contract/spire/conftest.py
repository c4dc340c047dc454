# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers for the tests: the stand-in, and a real one where the environment names it.

`SPIRE_SERVER_BIN`: the command `spire-server`; `SPIRE_SERVER_SOCKET`: the API socket of a server that is for tests
alone. Its entries, bundles and relationships are deleted before and after each test.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.spire.standin import Spire, standin

BIN = os.environ.get("SPIRE_SERVER_BIN", "")
SOCKET = os.environ.get("SPIRE_SERVER_SOCKET", "")


def _real() -> Spire:
    found = Spire([BIN], SOCKET, "")
    done = found.run("bundle", "show", "-output", "json")
    assert done.returncode == 0, done.stderr
    return Spire([BIN], SOCKET, json.loads(done.stdout)["trust_domain"])


@pytest.fixture(params=["standin", *(["real"] if BIN and SOCKET else [])])
def spire(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Spire]:
    """A server without entries."""
    if request.param == "standin":
        with standin(tmp_path) as found:
            yield found
        return
    real = _real()
    real.clean_up()
    yield real
    real.clean_up()
