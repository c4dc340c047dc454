# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of the distribution that are not installed: unpacked below .cache/live, with no change of the system."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.live.go_tools import CACHE


def debian_program(name: str, package: str, path: str) -> str:
    """A program of the machine, or else out of its Debian package; the test is skipped if neither can be had."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found:
        return found
    target = CACHE / "debian" / package
    if not (target / path).is_file():
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            pytest.skip(f"there is no {name} here, and no apt-get to fetch the package {package}")
        _unpack(package, target)
    return str(target / path)


def debian_tree(package: str) -> Path:
    """A package's files, unpacked; the test is skipped if they cannot be had."""
    target = CACHE / "debian" / package
    if not target.is_dir():
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            pytest.skip(f"there is no apt-get to fetch the package {package}")
        _unpack(package, target)
    return target


def _unpack(package: str, target: Path) -> None:
    state = CACHE / "debian" / "apt"
    for folder in (state / "lists" / "partial", state / "archives" / "partial", target.with_suffix(".download")):
        folder.mkdir(parents=True, exist_ok=True)
    own = [f"-oDir::State::lists={state / 'lists'}", f"-oDir::Cache={state}", "-oAPT::Sandbox::User="]
    download = target.with_suffix(".download")
    for command in (["apt-get", *own, "-qq", "update"], ["apt-get", *own, "-qq", "download", package]):
        done = subprocess.run(
            command, cwd=download, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            pytest.skip(
                f"the package {package} cannot be had: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}"
            )
    (archive,) = download.glob(f"{package}_*.deb")
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-x", str(archive), str(partial)], check=True)
    partial.rename(target)
    shutil.rmtree(download)
