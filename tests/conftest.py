# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the collection importable under its FQCN, here and in every process a test starts.

`ansible_collections` is found in one of two ways: the checkout itself lies in
`.../ansible_collections/zerotrust/platform` (an installed or exported tree), or `make setup` has linked it into
`.venv/collections`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

REPO = Path(__file__).resolve().parent.parent


def _collections() -> Path:
    if REPO.parts[-3:] == ("ansible_collections", "zerotrust", "platform"):
        return REPO.parents[2]
    collections = REPO / ".venv" / "collections"
    if not (collections / "ansible_collections" / "zerotrust" / "platform" / "galaxy.yml").is_file():
        raise pytest.UsageError("The collection is not importable from this checkout: run `make setup` first.")
    return collections


def _prepend(name: str, value: str) -> None:
    rest = os.environ.get(name)
    os.environ[name] = value if not rest else value + os.pathsep + rest


COLLECTIONS = _collections()
sys.path.insert(0, str(COLLECTIONS))
_prepend("PYTHONPATH", str(COLLECTIONS))
_prepend("PATH", str(Path(sys.executable).parent))
os.environ["ANSIBLE_CONFIG"] = str(REPO / "ansible.cfg")
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
os.environ["ANSIBLE_NOCOLOR"] = "1"

# Machines differ in speed: no deadline. `thorough` is for a night: HYPOTHESIS_PROFILE=thorough make test.
set_hypothesis_home_dir(REPO / ".cache" / "hypothesis")
settings.register_profile("default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=2000)
# On a change's way in the examples are the same each time, so that a red run is about the change. Developers' runs and
# the thorough ones look further.
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


@pytest.fixture(scope="session")
def repo() -> Path:
    """Root of the checkout."""
    return REPO
