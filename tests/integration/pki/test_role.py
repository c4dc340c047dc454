# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's variables over the life of a tree: approved, revoked, retired, held within limits."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.integration.ansible_run import Run, run_tasks
from tests.integration.pki.test_pki import contents, ok, role


def variables(*names: str, **others: Any) -> dict[str, Any]:
    certificates = [{"name": name, "issuer": "root", "dns": [f"{name}.zt"]} for name in names]
    return {"pki_authorities": [{"name": "root", "crl": {}}], "pki_certificates": certificates, **others}


def of_module(run: Run) -> dict[str, Any]:
    (found,) = (result for result in run.results if "plan" in result)
    return found


def reasons(run: Run) -> list[str]:
    """Of a run that has failed."""
    assert run.status != 0, run.output
    return [result["reason"] for result in run.results if "reason" in result]


def test_what_was_approved_is_made_then_revoked_and_retired(tmp_path: Path) -> None:
    tree, plan = tmp_path / "pki", tmp_path / "plan.json"
    first = variables("api", "web")
    ok(run_tasks(tmp_path, role(tree, **first, pki_plan_file=str(plan)), arguments=["--check"]))
    approved = json.loads(plan.read_text(encoding="utf-8"))["fingerprint"]
    other = run_tasks(tmp_path, role(tree, **variables("api"), pki_plan_fingerprint=approved))
    assert reasons(other) == ["plan_changed"]
    assert not tree.exists()
    ok(run_tasks(tmp_path, role(tree, **first, pki_plan_fingerprint=approved)))

    retired = variables("api", pki_purge=True, pki_archive="retired", pki_revoked=[{"name": "web"}])
    refused = run_tasks(tmp_path, role(tree, **retired))
    assert reasons(refused) == ["limit_exceeded"]
    retired["pki_limits"] = {"delete": 40}
    key = contents(tree)["web/key.pem"]
    plan_of = of_module(ok(run_tasks(tmp_path, role(tree, **retired))))["plan"]
    assert plan_of["counts"] == {"create": 1, "update": 1, "delete": 4, "unchanged": 2}
    assert [content for name, content in contents(tree).items() if name.endswith("web/key.pem")] == [key]
    assert not (tree / "web").exists()
    (certificate,) = (tree / "retired").rglob("cert.pem")
    command = ["openssl", "verify", "-crl_check", "-CAfile", tree / "api" / "ca-cert.pem"]
    command += ["-CRLfile", tree / "authorities" / "root" / "crl.pem", certificate]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert "certificate revoked" in done.stdout + done.stderr
    assert ok(run_tasks(tmp_path, role(tree, **retired))).changed == 0
