# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module pki_info, run by real ansible-playbook."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

from tests.integration.ansible_run import run_tasks
from tests.integration.pki.test_pki import ok, pki

PASSPHRASE = "correct horse battery staple"


def info(*paths: Path, **options: Any) -> dict[str, Any]:
    return {"zerotrust.platform.pki_info": {"paths": [str(path) for path in paths], **options}}


def test_a3_days_left_and_metrics_of_what_was_made_here_and_elsewhere(tmp_path: Path) -> None:
    tree, foreign, metrics = tmp_path / "pki", tmp_path / "www.p12", tmp_path / "metrics" / "certificates.prom"
    key, certificate = tmp_path / "k", tmp_path / "c"
    subject = ["-subj", "/CN=www.zt", "-addext", "subjectAltName=DNS:www.zt", "-days", "10"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate]
    subprocess.run([*command, *subject], check=True, capture_output=True)
    export = ["openssl", "pkcs12", "-export", "-inkey", key, "-in", certificate, "-out", foreign]
    subprocess.run([*export, "-passout", f"pass:{PASSPHRASE}"], check=True)
    foreign.chmod(0o600)
    look = info(tree, foreign, passphrases=[PASSPHRASE], metrics_file=str(metrics))
    check = run_tasks(tmp_path, pki(tree, preset="development"), look, arguments=["--check"])
    assert not metrics.exists()
    assert [problem["code"] for problem in ok(check).last["problems"]] == ["missing"]

    run = ok(run_tasks(tmp_path, pki(tree, preset="development"), look, look, arguments=["-vvv", "--diff"]))
    found = run.last
    assert [(one["name"], one["days_left"], one["problems"]) for one in found["certificates"]] == [
        ("www.zt", 9, []),
        ("localhost", 364, []),
        ("zerotrust.platform Development CA", 3649, []),
    ]
    assert found["certificates"][1]["key"] == str(tree / "ssl" / "key.pem")
    assert (found["changed"], found["problems"], found["crls"], found["certificates_left_off"]) == (False, [], [], 0)
    assert found["msg"].startswith("3 certificates; the first to expire is www.zt, at ")
    assert stat.S_IMODE(metrics.stat().st_mode) == 0o644
    assert metrics.read_text(encoding="utf-8").count("\nzerotrust_certificate_not_after_timestamp_seconds{") == 3
    shown = run.output + json.dumps(run.results)
    assert PASSPHRASE not in shown
    assert "PRIVATE KEY" not in shown


def test_at_a_moment_to_come_it_says_what_will_have_expired(tmp_path: Path) -> None:
    tree = tmp_path / "pki"
    run = ok(run_tasks(tmp_path, pki(tree, preset="development"), info(tree, at="2100-01-01T00:00:00Z")))
    assert [problem["code"] for problem in run.last["problems"]] == ["expired", "expired"]
    assert str(tree) in run.last["problems"][0]["text"]


def test_mistakes_in_the_options(tmp_path: Path) -> None:
    tasks = {
        "bad_at": info(tmp_path, at="tomorrow"),
        "bad_renew_before": info(tmp_path, renew_before="30"),
        "bad_metrics_file": info(tmp_path, metrics_file=str(tmp_path / "certificates.txt")),
    }
    run = run_tasks(tmp_path, *({**task, "ignore_errors": True} for task in tasks.values()))
    assert [result["reason"] for result in run.results] == list(tasks)
    assert [("\n" in result["msg"], result.get("changed")) for result in run.results] == [(False, False)] * 3
    assert "Traceback" not in run.output
