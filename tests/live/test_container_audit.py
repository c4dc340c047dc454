# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""container_audit and a real Docker engine."""

from __future__ import annotations

import pytest

from tests.live.docker_engine import Engine


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    return engine.image("zt-base:1")


def test_a_container_runs_on_the_engine_of_the_tests(engine: Engine, image: str) -> None:
    assert engine.cli("run", "--rm", "zt-base:1", "id", "-u").strip() == "0"
    assert "Docker Compose version v2" in engine.cli("compose", "version")
    assert engine.cli("run", "--rm", "zt-base:1", "sh", "-c", "apt-get -qq update && echo reached").strip() == "reached"
