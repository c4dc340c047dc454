# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module kong_info, run by real ansible-playbook against nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.contract.kong.standin import standin
from tests.integration.ansible_run import run_tasks
from tests.integration.kong.test_kong_sync import KONG, sync


def info(url: str, **options: Any) -> dict[str, Any]:
    return {"zerotrust.platform.kong_info": {"connection": {"url": url}, **options}, "ignore_errors": True}


def test_a_node_before_and_after_a_sync(tmp_path: Path) -> None:
    src = tmp_path / "kong.yml"
    src.write_text(KONG)
    plan = tmp_path / "plan.json"
    with standin() as node:
        asked = info(node.url, src=str(src), plan_file=str(plan), fail_on=["drift"])
        run = run_tasks(
            tmp_path,
            info(node.url),
            info(node.url, state={"_format_version": "3.0", "consumers": [{"username": "HUSH-0"}]}),
            asked,
            sync(node.url, src=str(src)),
            asked,
            arguments=["-vvv"],
        )
        assert (run.changed, run.output.count("...ignoring")) == (1, 1)
        empty, inline, before, made, after = run.results
        assert empty["node"] == {
            "version": "3.9.1",
            "edition": "community",
            "mode": "database",
            "configuration_hash": None,
        }
        assert (empty["entities"]["count"], empty["findings"], "plan" in empty) == (0, [], False)
        assert inline["plan"]["counts"]["create"] == 1
        assert before["in_sync"] is False
        assert before["msg"] == "The node is not as declared: 5 to create, 0 unchanged."
        assert before["plan"] == made["plan"]
        assert (after["in_sync"], after["changed"]) == (True, False)
        assert after["msg"] == "Kong 3.9.1 (community, database); 5 entities, 5 ours; 0 findings; as declared."
        assert json.loads(plan.read_text())["changed"] is False
        assert "HUSH-1" not in run.output


def test_k19_findings_fail_where_they_are_asked_to(tmp_path: Path) -> None:
    with standin(mode="dbless") as node:
        assert node.standin is not None
        node.standin.node.configuration["admin_listen"] = ["0.0.0.0:8001"]
        run = run_tasks(tmp_path, info(node.url), info(node.url, fail_on=["admin_api_public", "untrusted_lua"]))
    reported, failed = run.results
    codes = ["admin_api_public", "admin_api_without_authentication", "admin_api_without_tls"]
    assert [finding["code"] for finding in reported["findings"]] == codes
    assert reported["node"]["configuration_hash"] == "0" * 32
    assert (run.output.count("...ignoring"), failed["findings"]) == (1, reported["findings"])
    assert failed["msg"] == "The Admin API listens on 0.0.0.0:8001, where any network may reach it."


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    run = run_tasks(
        tmp_path,
        info("http://127.0.0.1:1"),
        info("http://127.0.0.1:1", fail_on=["nothing"]),
        info("http://127.0.0.1:1", fail_on=["drift"]),
    )
    assert [result["msg"].split(" (")[0] for result in run.results] == [
        "http://127.0.0.1:1: no connection",
        "value of fail_on must be one or more of: drift, admin_api_public, admin_api_without_authentication, "
        "admin_api_without_tls, default_certificate, admin_gui_public, database_without_tls, untrusted_lua, "
        "every_address_trusted, anonymous_reports. Got no match for: nothing",
        "plan_file and drift in fail_on need a declaration: set src or state",
    ]
