# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""C4: the playbooks register the workloads of the graph, and take them back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.contract.spire.standin import standin
from tests.integration.ansible_run import Run, run_playbook

REPO = Path(__file__).resolve().parents[3]
DOMAIN = "valuecanvas.example.com"


def ok(run: Run) -> Run:
    assert run.status == 0, run.output
    assert "[WARNING]" not in run.output
    return run


def test_c4_from_the_plan_to_the_teardown(tmp_path: Path) -> None:
    build = tmp_path / "build" / "local"
    with standin(tmp_path, DOMAIN) as spire:
        given = {
            "zerotrust_build_dir": str(build),
            "spire_connection": {"command": list(spire.command), "socket_path": spire.socket},
            "spire_platform": "kubernetes",
            "spire_oidc": {"domain": "oidc.example.com"},
        }

        def run(playbook: str, **more: Any) -> Run:
            arguments = ["-e", json.dumps({**given, **more})]
            hosts = REPO / "inventories" / "local" / "hosts.yml"
            return run_playbook(REPO / "playbooks" / f"{playbook}.yml", *arguments, inventory=hosts)

        foreign = spire.entry("theirs.api", "theirs")
        assert spire.create(foreign) == [0]
        planned = ok(run("plan"))
        assert list(spire.entries()) == ["theirs.api"]
        approved = {
            f"{name}_plan_fingerprint": json.loads((build / "plan" / f"{name}.json").read_text("utf-8"))["fingerprint"]
            for name in ("spire", "spire_render")
        }
        assert all(f"-e {name}={value}" in planned.output for name, value in approved.items())

        ok(run("site", **approved))
        names = {
            "frontend",
            "api-service",
            "postgres",
            "flask",
            "fastapi",
            "node.valuecanvas-cluster",
            "node.valuecanvas-cluster.tradingrobotplug",
            "spire.spire-oidc",
        }
        assert set(spire.entries()) == {"theirs.api", *(f"tradingrobotplug.{name}" for name in names)}
        report = json.loads((build / "report.json").read_text(encoding="utf-8"))
        (said,) = (one for one in report["systems"] if one["name"] == "spire")
        assert (said["state"], said["reason"]) == ("applied", f"registered with the server of {DOMAIN}")

        assert ok(run("site", **approved)).changed == 0

        assert spire.delete("tradingrobotplug.flask") == [0]
        verified = run("verify")
        assert verified.status != 0
        assert verified.last["action"] == "zerotrust.platform.spire_sync"
        assert "tradingrobotplug.flask" not in spire.entries(), "verifying repairs nothing"

        ok(run("teardown"))
        assert list(spire.entries()) == ["theirs.api"]
    assert list(build.parent.iterdir()) == []
