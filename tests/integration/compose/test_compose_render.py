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


def test_what_images_are_built_of_comes_with_the_rest(tmp_path: Path) -> None:
    source = tmp_path / "files" / "api"
    for name, content in (
        ("Dockerfile", b"FROM a\r\n"),
        ("api/main.py", "é".encode()),
        ("api/__pycache__/m.pyc", b"\xff"),
    ):
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    dest = tmp_path / "stack"
    with_files = task(dest, files="{{ lookup('zerotrust.platform.text_files', 'api') }}")
    run = run_tasks(tmp_path, with_files, with_files)
    assert [result["changed"] for result in run.results] == [True, False], run.output
    made = {str(path.relative_to(dest)) for path in (dest / "api").rglob("*") if path.is_file()}
    assert made == {"api/Dockerfile", "api/api/main.py"}
    assert (dest / "api" / "Dockerfile").read_bytes() == b"FROM a\r\n"
    (source / "api" / "main.py").unlink()
    assert run_tasks(tmp_path, with_files).changed == 1
    assert not (dest / "api" / "api").exists()


def test_files_that_cannot_be_are_refused(tmp_path: Path) -> None:
    name = "docker-compose.production-hardened.yml"
    run = run_tasks(tmp_path, task(tmp_path / "stack", files={name: "", "a": 1, "b": ["x"]}))
    assert run.last["reason"] == "bad_files"
    assert len(run.last["errors"]) == 3
    assert repr(name) in run.last["msg"]
    run = run_tasks(tmp_path, task(tmp_path / "stack", files={"secrets/redis_password": "known"}))
    assert "'secrets/redis_password' is what the module makes itself" in run.last["msg"]
    run = run_tasks(tmp_path, task(tmp_path / "stack", files={"../a": "x"}))
    assert "'../a'" in run.last["msg"]
    assert not (tmp_path / "stack").exists()
    (tmp_path / "files" / "image").mkdir(parents=True)
    (tmp_path / "files" / "image" / "logo").write_bytes(b"\xff")
    for directory, said in (("image", "logo cannot be read as text"), ("nowhere", "'nowhere' is no directory")):
        run = run_tasks(
            tmp_path, task(tmp_path / "s", files=f"{{{{ lookup('zerotrust.platform.text_files', '{directory}') }}}}")
        )
        assert run.status != 0
        assert said in run.last["msg"]
