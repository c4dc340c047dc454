# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs real ansible-playbook processes and reads their results, for the integration tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import yaml

CALLBACKS = Path(__file__).resolve().parent / "callbacks"
LOCAL = f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n"


@dataclass(frozen=True)
class Run:
    """One run: exit status, the results of its tasks in order, and all that it printed."""

    status: int
    results: Sequence[dict[str, Any]]
    output: str

    @property
    def changed(self) -> int:
        return sum(bool(result.get("changed")) for result in self.results)

    @property
    def last(self) -> dict[str, Any]:
        return self.results[-1]


def run_playbook(playbook: Path, *arguments: str, inventory: Optional[Path] = None) -> Run:
    """Run a playbook, by default on the local machine alone. ``arguments`` go to ansible-playbook."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results.jsonl")
        results.touch()
        if inventory is None:
            inventory = Path(folder, "hosts.ini")
            inventory.write_text(LOCAL, encoding="utf-8")
        done = subprocess.run(
            ["ansible-playbook", "-i", str(inventory), str(playbook), *arguments],
            env={
                **os.environ,
                "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
                "ANSIBLE_CALLBACKS_ENABLED": "results",
                "RESULTS_FILE": str(results),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        lines = results.read_text(encoding="utf-8").splitlines()
        return Run(done.returncode, [json.loads(line) for line in lines], done.stdout)


def run_tasks(folder: Path, *tasks: dict[str, Any], arguments: Sequence[str] = ()) -> Run:
    """Run a few tasks on the local machine."""
    playbook = folder / "playbook.yml"
    play = {"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}
    playbook.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    return run_playbook(playbook, *arguments)
