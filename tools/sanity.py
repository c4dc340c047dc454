# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test sanity over the checkout's own files, with PyPI as the only host it needs.

ansible-test makes a virtual environment for each kind of test, below $HOME, and downloads get-pip.py from a host of
the Ansible project to fill them. Here $HOME is .cache/sanity, so that nothing is left outside of the checkout and a
second run installs nothing; and get-pip.py is replaced with the pip that Python brings along.

Usage: python tools/sanity.py [argument of ansible-test sanity ...]
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import ansible_test

REPO = Path(__file__).resolve().parent.parent
HOME = REPO / ".cache" / "sanity"

# quiet_pip.py of ansible-test runs this in a fresh environment with the arguments of `pip install`.
GET_PIP = """\
import ensurepip, pathlib, runpy, sys

wheel = next((pathlib.Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"), None)
sys.path.insert(0, str(wheel))
sys.argv[1:] = ["install"] + [arg for arg in sys.argv[1:] if arg not in ("--no-setuptools", "--no-wheel")]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def prepare_home() -> None:
    source = Path(ansible_test.__path__[0], "_internal", "python_requirements.py").read_text(encoding="utf-8")
    version = re.search(r"pip='([0-9.]+)'", source)
    if version is None:
        sys.exit("tools/sanity.py does not know this ansible-test: it names no pip version in python_requirements.py.")
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"get_pip_{version[1].replace('.', '_')}.py").write_text(GET_PIP, encoding="utf-8")
    # pip's own settings and downloads stay those of the user.
    for name in (".config", ".pip", ".cache"):
        link, real = HOME / name, Path.home() / name
        if real.exists() and not link.is_symlink():
            link.symlink_to(real)


def main(arguments: list[str]) -> int:
    prepare_home()
    export = subprocess.run(
        [sys.executable, str(REPO / "tools" / "export.py"), str(REPO / "build" / "sanity")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    # Otherwise ansible-test asks the repository around it, which ignores build/, and finds no files.
    subprocess.run(["git", "init", "--quiet", export], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment["HOME"] = str(HOME)
    ansible_test_command = str(Path(sys.executable).with_name("ansible-test"))
    return subprocess.run(
        [ansible_test_command, "sanity", *arguments], cwd=export, env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
