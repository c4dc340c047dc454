# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy the checkout's own files (tracked, or new and not ignored) to DIRECTORY/ansible_collections/zerotrust/platform.

ansible-test insists on that path, and a copy keeps what it writes away from the checkout. Prints the new path.

Usage: python tools/export.py DIRECTORY
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent


def main(directory: Path) -> int:
    target = directory.resolve() / "ansible_collections" / "zerotrust" / "platform"
    if target.exists():
        shutil.rmtree(target)
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"],
        cwd=REPO,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listing.stdout.split("\0")):
        source = REPO / name
        # A tracked file may be deleted in the work tree.
        if source.is_symlink() or source.is_file():
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
