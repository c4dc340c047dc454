# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules spire_sync and spire_info, run by real ansible-playbook, the server's command as processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.spire.standin import Spire, standin
from tests.integration.ansible_run import Run, run_tasks


@pytest.fixture(scope="module")
def spire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spire]:
    with standin(tmp_path_factory.mktemp("s")) as found:
        yield found


def task(spire: Spire, module: str = "spire_sync", **options: Any) -> dict[str, Any]:
    connection = {"command": list(spire.command), "socket_path": spire.socket}
    return {f"zerotrust.platform.{module}": {"connection": connection, **options}}


def ok(run: Run) -> dict[str, Any]:
    assert run.status == 0, run.output
    return run.last


def test_check_mode_first_run_second_run_approval_and_removal(spire: Spire, tmp_path: Path) -> None:
    src, plan_file = tmp_path / "entries.json", tmp_path / "plan.json"
    node = spire.entry("shop.node", "p", "k8s_psat:cluster:c", parent="spire/server")
    src.write_text(json.dumps({"entries": [node, spire.entry("shop.a", "a", admin=True)]}))
    options = {"src": str(src), "entry_id_prefix": "shop.", "purge": True}

    run = run_tasks(tmp_path, task(spire, **options, plan_file=str(plan_file)), arguments=["--check", "--diff", "-vvv"])
    check = ok(run)
    assert (check["changed"], check["plan"]["counts"]["create"], spire.entries()) == (True, 2, {})
    assert check["plan"] == json.loads(plan_file.read_text()) | {"changed": True}
    assert "PRIVILEGED: shop.a gets admin: MAY MANAGE THE SERVER" in run.output
    assert '"admin: MAY MANAGE THE SERVER"' in run.output
    fingerprint = check["plan"]["fingerprint"]

    first = ok(run_tasks(tmp_path, task(spire, **options, plan_fingerprint=fingerprint), arguments=["--diff", "-vvv"]))
    assert (first["changed"], first["plan"]) == (True, check["plan"])
    assert (first["outcome"]["counts"]["applied"], first["trust_domain"], first["calls"]) == (2, "example.org", 4)
    second, told = run_tasks(tmp_path, task(spire, **options), task(spire, "spire_info")).results
    assert (second["changed"], second["plan"]["counts"]["unchanged"]) == (False, 2)
    assert told["entries"]["by_owner"] == {"shop": 2}
    assert told["msg"] == "SPIRE 1.15.3-dev-unk: 0 of 0 agents attested, 2 entries."

    src.write_text(json.dumps({"entries": [node]}))
    refused = run_tasks(tmp_path, task(spire, **options, plan_fingerprint=fingerprint))
    assert (refused.last["reason"], len(spire.entries())) == ("plan_changed", 2)
    empty = task(spire, entries=[], entry_id_prefix="shop.", purge=True, limits={"allow_empty": True})
    assert ok(run_tasks(tmp_path, empty))["plan"]["counts"]["delete"] == 2


def test_mistakes_are_one_sentence(spire: Spire, tmp_path: Path) -> None:
    bad = spire.entry("shop.a", "a//b")
    run = run_tasks(tmp_path, task(spire, entries=[bad], entry_id_prefix="shop."))
    assert run.last["msg"].startswith(
        "entries: entries[shop.a].spiffe_id: 'spiffe://example.org/a//b' is not a SPIFFE ID"
    )
    assert "Traceback" not in run.output
    connection = {"command": ["/nowhere/spire-server"]}
    run = run_tasks(tmp_path, {"zerotrust.platform.spire_info": {"connection": connection}})
    assert run.last["reason"] == "no_command"
    assert run.last["msg"].startswith("/nowhere/spire-server: cannot be run (No such file or directory)")
