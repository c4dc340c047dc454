# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keystores, Kubernetes secrets, permissions and reload commands, by real ansible-playbook."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.integration.ansible_run import run_tasks
from tests.integration.pki.test_pki import contents, ok, pki, secrets

PASSPHRASE = "correct horse battery staple"
JKS = {"jks": "api/store.jks"} if shutil.which("keytool") else {}


def declared(folder: Path, *command: str) -> dict[str, Any]:
    certificate = {
        "name": "api",
        "issuer": "root",
        "dns": ["api.zt"],
        "files": {
            "combined": "api/combined.pem",
            "pkcs12": "api/store.p12",
            "kubernetes_secret": "api/secret.yml",
            **JKS,
        },
        "permissions": {"combined": {"mode": "0640", "group": str(os.getegid())}},
        "kubernetes_secret": {"name": "tradingrobotplug-tls", "namespace": "shop"},
        "reload": list(command),
    }
    return {
        "authorities": [{"name": "root"}],
        "certificates": [certificate],
        "keystore_passphrase": PASSPHRASE,
        "path": str(folder),
    }


def test_a5_a6_keystores_and_secrets_for_consumers_that_are_told(tmp_path: Path) -> None:
    tree, told = tmp_path / "pki", tmp_path / "$told"
    task = pki(**declared(tree, "touch", str(told)))
    check = ok(run_tasks(tmp_path, task, arguments=["--check"])).last
    assert not tree.exists()
    run = ok(run_tasks(tmp_path, task, task, arguments=["-vvv", "--diff"]))
    first, second = run.results
    # No shell and no expansion: the file is called as it is declared.
    assert told.exists()
    assert first["reloads"] == check["reloads"] == [{"command": ["touch", str(told)], "certificates": ["api"]}]
    assert (first["plan"], second["changed"], second["reloads"]) == (check["plan"], False, [])
    assert stat.S_IMODE((tree / "api/combined.pem").stat().st_mode) == 0o640
    for name in ("store.p12", "secret.yml", *(["store.jks"] if JKS else [])):
        assert stat.S_IMODE((tree / "api" / name).stat().st_mode) == 0o600
    command = ["openssl", "pkcs12", "-in", tree / "api/store.p12", "-nodes", "-passin", "env:SECRET"]
    subprocess.run(command, env={**os.environ, "SECRET": PASSPHRASE}, check=True, capture_output=True)
    secret = yaml.safe_load((tree / "api/secret.yml").read_bytes())
    assert secret["metadata"]["name"] == "tradingrobotplug-tls"

    gone = ok(run_tasks(tmp_path, pki(tree, state="absent"), arguments=["--diff", "-vvv"]))
    assert not tree.exists()
    shown = run.output + gone.output + json.dumps([*run.results, *gone.results])
    assert PASSPHRASE not in shown
    assert secret["data"]["tls.key"] not in shown
    assert "PRIVATE KEY" not in shown


def test_a_reload_that_fails_fails_the_task_and_is_owed(tmp_path: Path) -> None:
    tree = tmp_path / "pki"
    failing = pki(**declared(tree, "no-such-command-anywhere", "x"))
    run = run_tasks(tmp_path, failing)
    assert (run.status != 0, run.last["reason"]) == (True, "reload_failed")
    assert "'no-such-command-anywhere x' failed with exit code 127" in run.last["msg"]
    assert "Traceback" not in run.output
    keys, before = secrets(tree), contents(tree)
    good = ok(run_tasks(tmp_path, pki(**declared(tree, "true")))).last
    assert [change["reasons"] for change in good["plan"]["changes"]] == [["reload_pending"]]
    assert (secrets(tree), len(contents(tree))) == (keys, len(before))
    assert not ok(run_tasks(tmp_path, pki(**declared(tree, "true")))).last["changed"]
