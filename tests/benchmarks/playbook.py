# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of ``site.yml`` that changes nothing costs beside as many empty tasks.

Both run in turns, so that whatever else the machine does concerns both. The CPU seconds are those of ansible-playbook
and of all the processes it starts.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

RECAP = re.compile(r"^\S+\s+:\s+ok=(\d+)\s+changed=(\d+)\s+unreachable=0\s+failed=0\s", re.MULTILINE)


def playbook_overhead(repo: Path, repeat: int) -> dict[str, Any]:
    inventory, site = repo / "inventories" / "local", repo / "playbooks" / "site.yml"
    _run(repo, inventory, site)
    tasks, changed, _seconds = _run(repo, inventory, site)
    if changed:
        raise SystemExit(f"site.yml changed {changed} things in its second run: there is none that changes nothing")
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "empty.yml")
        # JSON is YAML.
        empty.write_text(json.dumps([_play(tasks)]), encoding="utf-8")
        runs = [(_run(repo, inventory, site)[2], _run(repo, inventory, empty)[2]) for _turn in range(repeat)]
    site_seconds, empty_seconds = (round(median(column), 3) for column in zip(*runs))
    return {
        "tasks": tasks,
        "runs": repeat,
        "site_cpu_seconds": site_seconds,
        "empty_cpu_seconds": empty_seconds,
        "ratio": round(site_seconds / empty_seconds, 3),
    }


def _play(tasks: int) -> dict[str, Any]:
    return {"hosts": "zerotrust", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}] * tasks}


def _run(repo: Path, inventory: Path, playbook: Path) -> tuple[int, int, float]:
    """How many tasks ran, how many changed something, CPU seconds."""
    before = _children()
    command = ["ansible-playbook", "-i", str(inventory), str(playbook)]
    done = subprocess.run(command, check=False, cwd=repo, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seconds = _children() - before
    recap = RECAP.search(done.stdout)
    if done.returncode or not recap:
        raise SystemExit(f"{playbook.name} failed:\n{done.stdout}")
    return int(recap[1]), int(recap[2]), seconds


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
