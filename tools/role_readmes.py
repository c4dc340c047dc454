# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write each role's README.md from its meta/argument_specs.yml, with aar-doc.

Usage: python tools/role_readmes.py [--check]

With --check nothing is written; READMEs that are not up to date are named, and the exit code is 1.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent


def render(role: Path) -> str:
    """Return what the README of `role` should be."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "README.md"
        subprocess.run(
            [
                str(Path(sys.executable).with_name("aar-doc")),
                "--output-file",
                str(output),
                "--output-template",
                str(REPO / "tools" / "role_readme.md.j2"),
                "--output-mode",
                "replace",
                str(role),
                "markdown",
            ],
            check=True,
        )
        text = output.read_text(encoding="utf-8")
    # Markup that aar-doc leaves as it is: P(name#type), E(variable), RV(value).
    text = re.sub(r"\b(?:P|E|RV)\(([^)#]+)(?:#\w+)?\)", r"`\1`", text)
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def main(check: bool) -> int:
    stale = []
    for specification in sorted(REPO.glob("roles/*/meta/argument_specs.yml")):
        role = specification.parent.parent
        readme = role / "README.md"
        wanted = render(role)
        if not readme.is_file() or readme.read_text(encoding="utf-8") != wanted:
            stale.append(role.name)
            if not check:
                readme.write_text(wanted, encoding="utf-8")
    if check and stale:
        print(f"Not up to date: README.md of {', '.join(stale)}. Run `make role-readmes`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
