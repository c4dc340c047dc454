# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection's artefact from the checkout's own files and let galaxy-importer judge it. Prints its path.

It is built from an export: what is ignored or lies about in the checkout cannot get in.

Usage: python tools/artefact.py DIRECTORY
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent


def build(directory: Path) -> Path:
    """Build the artefact into `directory`; return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        export = subprocess.run(
            [sys.executable, str(REPO / "tools" / "export.py"), scratch], check=True, capture_output=True, text=True
        ).stdout.strip()
        subprocess.run(
            ["ansible-galaxy", "collection", "build", "--force", "--output-path", str(directory), export],
            check=True,
            capture_output=True,
        )
    return max(directory.glob("zerotrust-platform-*.tar.gz"), key=lambda path: path.stat().st_mtime)


def judge(artefact: Path) -> int:
    """Run galaxy-importer, without what needs a container: sanity has its own target."""
    with tempfile.TemporaryDirectory() as scratch:
        environment = {
            **os.environ,
            "GALAXY_IMPORTER_CHECK_REQUIRED_TAGS": "true",
            "GALAXY_IMPORTER_RUN_ANSIBLE_TEST": "false",
            "GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "false",
            "ANSIBLE_LOCAL_TEMP": scratch,
        }
        return subprocess.run(
            [sys.executable, "-m", "galaxy_importer.main", str(artefact)], cwd=scratch, env=environment, check=False
        ).returncode


def main(directory: Path) -> int:
    artefact = build(directory.resolve())
    print(artefact)
    return judge(artefact)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
