# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Issuers outside of the tree, as a playbook has them. What they do is tested in tests/unit/pki and tests/live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.ansible_run import Run, run_tasks

SECRET = "c2VjcmV0LW9mLWFuLW9wZXJhdG9y"


def task(folder: Path, **authority: Any) -> dict[str, Any]:
    certificate = {"name": "api", "issuer": "ca", "dns": ["api.zt.example"]}
    options = {"path": str(folder / "pki"), "authorities": [{"name": "ca", **authority}], "certificates": [certificate]}
    return {"zerotrust.platform.pki": options}


def states(run: Run) -> list[Any]:
    return [[record["state"] for record in result["certificates"]] for result in run.results]


def test_a_request_is_made_once_and_waits(tmp_path: Path) -> None:
    root = tmp_path / "other"
    other = {"path": str(root), "authorities": [{"name": "root", "files": {"certificate": "root.pem"}}]}
    external = task(tmp_path, external={"ca_file": str(root / "root.pem")})
    run = run_tasks(tmp_path, {"zerotrust.platform.pki": other}, external, external)
    assert run.status == 0, run.output
    assert [result["changed"] for result in run.results] == [True, True, False]
    assert states(run) == [["issued"], ["pending"], ["pending"]]
    request = tmp_path / "pki" / "authorities" / "ca" / "requests" / "api.pem"
    assert request.exists()
    # Without white space: ansible-core 2.18 breaks lines at hyphens too.
    assert f"certificate'api'waitsfor'ca':sendit{request}" in "".join(run.output.split())


def test_a_server_that_cannot_be_reached_fails_the_task_and_check_mode_does_not_ask(tmp_path: Path) -> None:
    acme = task(tmp_path, acme={"directory": "https://127.0.0.1:1/dir", "eab": {"kid": "7", "hmac_key": SECRET}})
    run = run_tasks(tmp_path, acme, arguments=["--check", "--diff"])
    assert run.status == 0, run.output
    assert run.changed == 1
    run = run_tasks(tmp_path, acme, arguments=["-vvv"])
    assert run.status != 0
    assert run.last["reason"] == "acme_unreachable"
    assert run.last["msg"].startswith("certificate 'api': https://127.0.0.1:1/dir: the connection was refused")
    assert states(run) == [["failed"]]
    assert run.last["changed"] is False
    assert SECRET not in run.output
