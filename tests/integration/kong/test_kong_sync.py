# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module kong_sync, run by real ansible-playbook against a node in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.kong.standin import standin_process
from tests.integration.ansible_run import Run, run_tasks

KONG = """
_format_version: "3.0"
_info: {select_tags: [team-a]}
services:
- name: api
  url: http://api.test:8080
  routes:
  - {name: api, paths: [/api]}
  plugins:
  - {name: rate-limiting, config: {minute: 100}}
consumers:
- username: api-user
  keyauth_credentials:
  - key: HUSH-1
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with standin_process(mode="postgres") as node:
        yield node.url


def sync(url: str, **options: Any) -> dict[str, Any]:
    return {"zerotrust.platform.kong_sync": {"connection": {"url": url}, "purge": True, **options}}


def ok(run: Run) -> dict[str, Any]:
    assert run.status == 0, run.output
    assert "HUSH" not in run.output
    return run.last


def test_check_mode_first_run_second_run_approval_and_removal(url: str, tmp_path: Path) -> None:
    src = tmp_path / "kong.yml"
    src.write_text(KONG)
    check = ok(run_tasks(tmp_path, sync(url, src=str(src)), arguments=["--check", "--diff", "-vvv"]))
    assert (check["changed"], check["plan"]["counts"]["create"]) == (True, 5)
    fingerprint = check["plan"]["fingerprint"]

    first = ok(run_tasks(tmp_path, sync(url, src=str(src), plan_fingerprint=fingerprint), arguments=["--diff", "-vvv"]))
    assert (first["changed"], first["plan"], first["diff"]) == (True, check["plan"], check["diff"])
    assert first["outcome"]["counts"]["applied"] == 5
    second = ok(run_tasks(tmp_path, sync(url, src=str(src)), arguments=["-vvv"]))
    assert (second["changed"], second["plan"]["counts"]["unchanged"]) == (False, 5)
    assert second["node"]["mode"] == "database"

    src.write_text(KONG.replace("100", "200"))
    changed = ok(run_tasks(tmp_path, sync(url, src=str(src), wait=True), arguments=["--diff", "-vvv"]))
    (difference,) = changed["diff"]
    assert '"minute": 200' in difference["after"]
    assert difference["after_header"] == "plugin rate-limiting (service api) (config.minute)"
    run = run_tasks(tmp_path, sync(url, src=str(src), plan_fingerprint=fingerprint, select_tags=["team-b"]))
    assert run.last["reason"] == "foreign_owner"

    empty = sync(url, state={"_format_version": "3.0"}, select_tags=["team-a"], limits={"allow_empty": True})
    assert ok(run_tasks(tmp_path, empty))["plan"]["counts"]["delete"] == 5


def test_an_inline_state_and_its_secrets(url: str, tmp_path: Path) -> None:
    """K15: neither the invocation nor the log shows them, and names stay readable."""
    state = {
        "_format_version": "3.0",
        "consumers": [{"username": "c", "basicauth_credentials": [{"username": "u-of-c", "password": "HUSH-2"}]}],
    }
    task = sync(url, state=state, select_tags=["inline"])
    first = ok(run_tasks(tmp_path, task, arguments=["--diff", "-vvv"]))
    assert [change["name"] for change in first["plan"]["changes"]] == ["u-of-c", "c"]
    assert not ok(run_tasks(tmp_path, task))["changed"]


def test_mistakes_are_one_sentence(url: str, tmp_path: Path) -> None:
    src = tmp_path / "kong.yml"
    src.write_text(KONG.replace("minute", "minutes"))
    run = run_tasks(tmp_path, sync(url, src=str(src)))
    assert run.last["msg"] == "kong.yml:10: plugin 'rate-limiting (service api)': config.minutes: unknown field"
    assert "Traceback" not in run.output
    src.write_text(KONG)
    run = run_tasks(tmp_path, sync(url, src=str(src), wait=True, probe={"url": "nowhere"}))
    assert run.last["msg"] == "probe.url: 'nowhere' is no http:// or https:// address"
    files = {name: str(tmp_path / name) for name in ("record", "handover")}
    run = run_tasks(tmp_path, sync(url, src=str(src), purge=False, api_keys=files))
    assert run.last["msg"].startswith("api_keys.record: keys are removed when their time has come, which needs purge")
    run = run_tasks(tmp_path, sync("http://127.0.0.1:1", src=str(src)))
    assert run.last["reason"] == "unreachable"
    assert run.last["msg"].startswith("http://127.0.0.1:1: no connection (Connection refused)")
