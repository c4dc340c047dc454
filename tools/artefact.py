# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection's artefact from the checkout's own files and let galaxy-importer judge it.

It is built from an export: what is ignored or lies about in the checkout cannot get in.

Usage: python tools/artefact.py DIRECTORY               build into DIRECTORY, and judge
       python tools/artefact.py --build-only DIRECTORY
       python tools/artefact.py --judge-only FILE
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def build(directory: Path) -> Path:
    """Build the artefact into `directory`; return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        export = subprocess.run(
            [sys.executable, str(REPO / "tools" / "export.py"), scratch], check=True, capture_output=True, text=True
        ).stdout.strip()
        subprocess.run(
            [str(BIN / "ansible-galaxy"), "collection", "build", "--force", "--output-path", str(directory), export],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return max(directory.glob("zerotrust-platform-*.tar.gz"), key=lambda path: path.stat().st_mtime)


def judge(artefact: Path) -> int:
    """Run galaxy-importer, without what needs a container: sanity and lint have their own targets."""
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


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the artefact, and judge it.")
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--judge-only", action="store_true")
    parser.add_argument("path", type=Path)
    arguments = parser.parse_args()
    artefact = arguments.path.resolve()
    if not arguments.judge_only:
        artefact = build(artefact)
        print(artefact)
    return 0 if arguments.build_only else judge(artefact)


if __name__ == "__main__":
    sys.exit(main())
