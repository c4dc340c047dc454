# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.aws.standin import Cloud, Vpc, standin


@pytest.fixture(scope="session")
def running() -> Iterator[Cloud]:
    """One for all tests, each of which makes a VPC of its own."""
    with standin() as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Cloud:
    running.fail()
    running.calls()
    return running


@pytest.fixture
def vpc(cloud: Cloud) -> Vpc:
    return cloud.vpc()
