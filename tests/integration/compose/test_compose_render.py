# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module compose_render in real playbooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.ansible_run import run_tasks

DECLARATION = Path(__file__).parents[3] / "roles/compose_stack/files/stack.yml"


def task(dest: Path, **more: Any) -> dict[str, Any]:
    arguments = {"stack": f"{{{{ lookup('ansible.builtin.file', '{DECLARATION}') }}}}", "dest": str(dest), **more}
    return {"zerotrust.platform.compose_render": arguments}


def test_a_stack_is_rendered_once_and_its_secrets_are_never_shown(tmp_path: Path) -> None:
    dest = tmp_path / "stack"
    checked = run_tasks(tmp_path, task(dest), arguments=["--check", "--diff"])
    assert checked.changed == 1
    assert not dest.exists()
    again = {**task(dest), "check_mode": True}
    rotated = task(dest, rotate=["mcp_memory_token"])
    run = run_tasks(tmp_path, task(dest), again, task(dest), rotated, task(dest), arguments=["--diff"])
    assert run.status == 0, run.output
    assert [result["changed"] for result in run.results] == [True, False, False, True, False]
    assert run.results[3]["rotated"] == ["mcp-memory"]
    secrets = list((dest / "secrets").iterdir())
    assert len(secrets) == 8
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o400}
    assert not any(path.read_text() in run.output for path in secrets)
    gone = run_tasks(tmp_path, task(dest, state="absent"))
    assert gone.changed == 1
    assert not dest.exists()


def test_a_bad_declaration_is_refused_with_all_its_mistakes(tmp_path: Path) -> None:
    run = run_tasks(
        tmp_path, task(tmp_path / "stack", overrides={"services": {"redis": {"calls": ["api"], "port": 1}}})
    )
    assert run.status != 0
    assert len(run.last["errors"]) == 2
    assert not (tmp_path / "stack").exists()
