# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The published servers, as the lock file has them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stack.mcp.serving import PACKAGE

CACHE = Path(__file__).parents[3] / ".cache" / "stack"


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The packages of package-lock.json, fetched once."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    lock = (PACKAGE / "package-lock.json").read_bytes()
    directory = CACHE / f"node-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not (directory / "done").exists():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PACKAGE / name, directory)
        command = ["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
        fetched = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        if fetched.returncode:
            pytest.skip(f"npm ci: {fetched.stderr.strip()[-300:]}")
        (directory / "done").touch()
    return directory / "node_modules"
