# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renewal for years: the playbook renew, the role's timer and metrics, handlers of a play."""

from __future__ import annotations

import configparser
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.ansible_run import run_playbook, run_tasks
from tests.integration.pki.test_pki import contents, ok, role

COMMAND = ["/bin/echo", 'a "quoted" word', "100%", "$HOME", "back\\slash", "--inventory=/srv/my hosts.yml"]


def variables(folder: Path, **others: Any) -> dict[str, Any]:
    return {
        "pki_timer": "present",
        "pki_timer_unit_directory": str(folder / "units"),
        "pki_timer_start": False,
        "pki_timer_command": COMMAND,
        "pki_timer_environment": {"ANSIBLE_CONFIG": "/srv/my project/ansible.cfg"},
        "pki_metrics_file": str(folder / "metrics" / "certificates.prom"),
        "pki_authorities": [{"name": "root"}],
        "pki_certificates": [{"name": "api", "issuer": "root", "dns": ["api.zt"], "files": {"pkcs12": "api.p12"}}],
        "pki_keystore_passphrase": "correct horse",
        **others,
    }


def unit(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path, encoding="utf-8")
    return {section: dict(parser[section]) for section in parser.sections()}


def test_a3_the_role_makes_a_timer_and_metrics_and_takes_them_away(tmp_path: Path) -> None:
    units, tree, metrics = tmp_path / "units", tmp_path / "pki", tmp_path / "metrics" / "certificates.prom"
    units.mkdir()
    check = ok(run_tasks(tmp_path, role(tree, **variables(tmp_path)), arguments=["--check"]))
    assert (check.changed, contents(units), tree.exists(), metrics.exists()) == (2, {}, False, False)
    first = ok(run_tasks(tmp_path, role(tree, **variables(tmp_path))))
    # The metrics know the passphrase of the keystore.
    assert (first.changed, [result["problems"] for result in first.results if "problems" in result]) == (2, [[]])
    assert sorted(contents(units)) == ["zerotrust-pki-renew.service", "zerotrust-pki-renew.timer"]
    assert "zerotrust_certificate_renewal_due_timestamp_seconds{" in metrics.read_text(encoding="utf-8")
    assert ok(run_tasks(tmp_path, role(tree, **variables(tmp_path)))).changed == 0

    timer, service = (unit(units / f"zerotrust-pki-renew.{kind}") for kind in ("timer", "service"))
    assert timer["Timer"] == {"OnCalendar": "daily", "RandomizedDelaySec": "1h", "Persistent": "true"}
    assert timer["Install"] == {"WantedBy": "timers.target"}
    started = shlex.split(service["Service"]["ExecStart"])
    assert [word.replace("%%", "%").replace("$$", "$") for word in started] == COMMAND
    assert shlex.split(service["Service"]["ReadWritePaths"]) == [f"-{tree}", f"-{metrics.parent}"]

    # Untouched is untouched, even where nothing else stays.
    ok(run_tasks(tmp_path, role(tree, pki_state="absent")))
    assert (len(contents(units)), metrics.exists(), tree.exists()) == (2, True, False)
    gone = ok(run_tasks(tmp_path, role(tree, **variables(tmp_path, pki_state="absent"))))
    assert (gone.changed, contents(units), metrics.exists()) == (2, {}, False)
    assert ok(run_tasks(tmp_path, role(tree, **variables(tmp_path, pki_state="absent")))).changed == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units_and_finds_little_that_they_may_do(tmp_path: Path) -> None:
    units = tmp_path / "units"
    units.mkdir()
    ok(run_tasks(tmp_path, role(tmp_path / "pki", **variables(tmp_path, pki_timer_calendar="*-*-* 03:30:00"))))
    service, timer = (str(units / f"zerotrust-pki-renew.{kind}") for kind in ("service", "timer"))
    verify = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", service, timer], capture_output=True, text=True, check=False
    )
    assert (verify.returncode, verify.stdout + verify.stderr) == (0, "")
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=40", service]
    done = subprocess.run(security, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_playbook_renews_and_says_so_even_of_what_could_not_be_renewed(tmp_path: Path, repo: Path) -> None:
    inventory = tmp_path / "inventories" / "mine" / "hosts.yml"
    inventory.parent.mkdir(parents=True)
    metrics = tmp_path / "certificates.prom"
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {"here": {**local, "pki_metrics_file": str(metrics)}}
    inventory.write_text(yaml.safe_dump({"zerotrust": {"hosts": hosts}}), encoding="utf-8")
    playbook = repo / "playbooks" / "renew.yml"
    run = ok(run_playbook(playbook, inventory=inventory))
    assert run.last["msg"][0] == "2 created, 0 unchanged."
    assert run.last["msg"][1].startswith("2 certificates; the first to expire is localhost, at ")
    tree = tmp_path / "build" / "mine" / "pki"
    before = contents(tree)
    assert ok(run_playbook(playbook, inventory=inventory)).changed == 0
    assert contents(tree) == before

    metrics.unlink()
    (tree / "authorities" / "development" / "key.pem").unlink()
    failed = run_playbook(playbook, inventory=inventory)
    assert failed.status != 0
    assert [result["reason"] for result in failed.results if "reason" in result] == ["ca_key_missing"]
    assert "zerotrust_certificate_not_after_timestamp_seconds{" in metrics.read_text(encoding="utf-8")


def test_handlers_of_a_play_hear_of_changes(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "roles": [{"role": "zerotrust.platform.pki", "vars": {"pki_path": str(tmp_path / "pki")}}],
        "handlers": [
            {
                "name": "Reload",
                "listen": "zerotrust.platform.pki changed",
                "ansible.builtin.lineinfile": {"path": str(heard), "line": "changed", "create": True, "mode": "0644"},
            }
        ],
    }
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    ok(run_playbook(playbook))
    assert heard.read_text(encoding="utf-8") == "changed\n"
    heard.unlink()
    ok(run_playbook(playbook))
    assert not heard.exists()
