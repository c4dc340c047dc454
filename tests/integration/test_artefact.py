# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artefact that users get: built, judged by galaxy-importer, installed elsewhere, and asked for its plugins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ALLOWED = {
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "COPYING",
    "FILES.json",
    "LICENSES",
    "MANIFEST.json",
    "README.md",
    "REUSE.toml",
    "changelogs",
    "docs",
    "extensions",
    "inventories",
    "meta",
    "playbooks",
    "plugins",
    "requirements.txt",
    "roles",
    "tests",
}


@pytest.fixture(scope="module")
def artefact(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("artefact")
    subprocess.run([sys.executable, str(repo / "tools" / "artefact.py"), "--build-only", str(directory)], check=True)
    (path,) = directory.glob("*.tar.gz")
    return path


def away(directory: Path) -> dict[str, str]:
    """An environment that sees the collections below `directory`, and not the checkout."""
    return {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(directory), "PYTHONPATH": ""}


@pytest.fixture(scope="module")
def installed(artefact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collections path that holds nothing but the artefact."""
    directory = tmp_path_factory.mktemp("installed")
    command = ["ansible-galaxy", "collection", "install", "--offline", "--no-deps", "-p", str(directory), str(artefact)]
    subprocess.run(command, check=True, capture_output=True, env=away(directory))
    return directory


def test_artefact_holds_only_what_belongs(artefact: Path) -> None:
    with tarfile.open(artefact) as archive:
        members = archive.getmembers()
    assert {member.name.split("/")[0] for member in members} - ALLOWED == set()
    caches = [member.name for member in members if "__pycache__" in member.name or ".cache" in member.name]
    assert caches == []
    assert sum(member.size for member in members) < 20 * 1024 * 1024


def test_galaxy_importer_accepts_the_artefact(repo: Path, artefact: Path) -> None:
    pytest.importorskip("galaxy_importer", reason="galaxy-importer comes with the newest ansible-core only")
    result = subprocess.run(
        [sys.executable, str(repo / "tools" / "artefact.py"), "--judge-only", str(artefact)],
        capture_output=True,
        text=True,
        # The last test asks ansible-doc, in a tenth of the time.
        env={**os.environ, "GALAXY_IMPORTER_RUN_ANSIBLE_DOC": "false"},
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    complaints = [line for line in result.stdout.splitlines() if line.startswith(("WARNING", "ERROR"))]
    assert complaints == []


def test_installed_collection_documents_all_its_plugins_and_roles(repo: Path, installed: Path) -> None:
    result = subprocess.run(
        ["ansible-doc", "--metadata-dump", "zerotrust.platform"],
        capture_output=True,
        text=True,
        cwd=installed,
        env=away(installed),
        check=False,
    )
    assert result.returncode == 0, result.stderr
    documented = json.loads(result.stdout)["all"]
    modules = {path.stem for path in repo.glob("plugins/modules/*.py")}
    roles = {path.parts[-3] for path in repo.glob("roles/*/meta/argument_specs.yml")}
    assert set(documented.get("module", {})) == {f"zerotrust.platform.{name}" for name in modules}
    assert set(documented.get("role", {})) == {f"zerotrust.platform.{name}" for name in roles}
