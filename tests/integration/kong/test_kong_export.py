# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module kong_export, run by real ansible-playbook against a node in a process of its own."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from tests.contract.kong.standin import standin_process
from tests.integration.ansible_run import run_tasks
from tests.integration.kong.test_kong_info import info
from tests.integration.kong.test_kong_sync import KONG, ok, sync


def export(url: str, dest: Path, **options: Any) -> dict[str, Any]:
    return {"zerotrust.platform.kong_export": {"connection": {"url": url}, "dest": str(dest), **options}}


def test_export_and_take_over(tmp_path: Path) -> None:
    """Check mode, first run, second run, with secrets, and back to the node."""
    src, dest, secret = tmp_path / "kong.yml", tmp_path / "out" / "export.yml", tmp_path / "secret.yml"
    src.write_text(KONG)
    with standin_process(mode="postgres") as node:
        made = run_tasks(tmp_path, sync(node.url, src=str(src)))
        assert made.status == 0, made.output
        check = ok(run_tasks(tmp_path, export(node.url, dest), arguments=["--check", "--diff", "-vvv"]))
        assert (check["changed"], dest.exists()) == (True, False)
        whole = {"secrets": True, "select_tags": ["team-a"]}
        run = run_tasks(
            tmp_path,
            export(node.url, dest),
            export(node.url, dest),
            export(node.url, secret, **whole),
            export(node.url, secret, **whole),
            sync(node.url, src=str(secret)),
            arguments=["--diff", "-vvv"],
        )
        assert "HUSH" not in run.output
        first, second, third, fourth, again = run.results
        assert first["plan"] == check["plan"]
        assert first["entities"] == {
            "count": 5,
            "kinds": {"consumer": 1, "key-auth": 1, "plugin": 1, "route": 1, "service": 1},
        }
        assert first["environment"] == ["DECK_KEY_AUTH_API_USER_1_KEY"]
        assert [result["changed"] for result in (first, second, third, fourth)] == [True, False, True, False]
        assert (dest.stat().st_mode & 0o777, secret.stat().st_mode & 0o777) == (0o644, 0o600)
        assert "HUSH" not in dest.read_text()
        assert "- key: HUSH-1\n" in secret.read_text()
        assert third["diff"][0]["after"] == "*** (secret, not shown)\n"
        assert (again["changed"], again["plan"]["counts"]["unchanged"]) == (False, 5)
        # As the guide takes a gateway over: the file of all owners has no tags.
        given = {"environment": {first["environment"][0]: "HUSH-1"}}
        chosen = {"src": str(dest), "adopt": True, "select_tags": ["team-b"]}
        run = run_tasks(
            tmp_path,
            {**info(node.url, **chosen), **given, "register": "kong"},
            {**sync(node.url, **chosen, purge=False, plan_fingerprint="{{ kong.plan.fingerprint }}"), **given},
            {**info(node.url, src=str(dest), select_tags=["team-b"]), **given},
        )
        look, taken, after = run.results
        assert {tuple(change["reasons"]) for change in look["plan"]["changes"]} == {("adopted", "tags")}
        assert (taken["plan"], taken["outcome"]["counts"]["applied"]) == (look["plan"], 5)
        assert after["in_sync"]


def test_a_file_that_became_readable_is_closed_and_not_shown(tmp_path: Path) -> None:
    src, dest = tmp_path / "kong.yml", tmp_path / "secret.yml"
    src.write_text(KONG)
    with standin_process(mode="dbless") as node:
        task = export(node.url, dest, secrets=True)
        run = run_tasks(tmp_path, sync(node.url, src=str(src)), task)
        assert run.status == 0, run.output
        dest.chmod(0o644)
        closed = ok(run_tasks(tmp_path, task, arguments=["--diff", "-vvv"]))
        assert [change["reasons"] for change in closed["plan"]["changes"]] == [["mode"]]
        assert dest.stat().st_mode & 0o777 == 0o600
        # A file without secrets in the place of one with them does not show what was there.
        opened = ok(run_tasks(tmp_path, export(node.url, dest), arguments=["--diff", "-vvv"]))
        assert (opened["changed"], dest.stat().st_mode & 0o777) == (True, 0o644)


def test_the_examples_of_the_documentation_run(tmp_path: Path) -> None:
    src = tmp_path / "kong.yml"
    src.write_text('_format_version: "3.0"\nservices: [{name: s, host: h, tags: [more]}]\n')
    with standin_process(mode="dbless") as node:
        examples = "".join(
            import_module(f"ansible_collections.zerotrust.platform.plugins.modules.{name}").EXAMPLES
            for name in ("kong_export", "kong_info")
        )
        for text, here in {"http://127.0.0.1:8001": node.url, "backup/": "", "kong.yml": str(src)}.items():
            examples = examples.replace(text, here)
        run = run_tasks(tmp_path, sync(node.url, src=str(src)), *yaml.safe_load(examples))
    assert run.status == 0, run.output
    assert len(run.results) == 7


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    device, missing = Path("/dev/null"), Path("/proc/nowhere/kong.yml")
    with standin_process(mode="dbless") as node:
        run = run_tasks(tmp_path, {**export(node.url, device), "ignore_errors": True}, export(node.url, missing))
    first, second = (result["msg"] for result in run.results)
    assert first == "/dev/null: is a FIFO, socket or device where a file should be; remove it"
    assert second.startswith("/proc/nowhere")
    assert "Traceback" not in run.output
