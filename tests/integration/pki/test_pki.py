# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module and the role pki, run by real ansible-playbook."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.integration.ansible_run import Run, run_tasks

TREE = {
    "authorities": [{"name": "root"}, {"name": "issuing", "issuer": "root", "valid_for": "1825d"}],
    "certificates": [{"name": "api", "issuer": "issuing", "dns": ["api.zt"]}],
}


def pki(path: Path, **options: Any) -> dict[str, Any]:
    return {"zerotrust.platform.pki": {"path": str(path), **options}}


def role(path: Path, **variables: Any) -> dict[str, Any]:
    include = {"name": "zerotrust.platform.pki"}
    return {"ansible.builtin.include_role": include, "vars": {"pki_path": str(path), **variables}}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def ok(run: Run) -> Run:
    assert run.status == 0, run.output
    return run


def refused(run: Run, reason: str) -> dict[str, Any]:
    """The result of a failed task: one sentence, no traceback."""
    assert run.status != 0, run.output
    assert run.last["reason"] == reason
    assert run.last.get("changed") is False
    assert "\n" not in run.last["msg"]
    assert "Traceback" not in run.output
    return run.last


def secrets(folder: Path) -> list[str]:
    """The first line of each private key."""
    return [path.read_text(encoding="ascii").split("\n")[1] for path in folder.rglob("*key.pem")]


def test_check_first_run_second_run_and_removal(tmp_path: Path) -> None:
    tree = tmp_path / "pki"
    check = ok(run_tasks(tmp_path, pki(tree, **TREE), arguments=["--check"])).last
    assert not tree.exists()
    first = ok(run_tasks(tmp_path, pki(tree, **TREE))).last
    assert (check["changed"], check["plan"]) == (True, first["plan"])
    assert first["plan"]["counts"] == {"create": 3, "update": 0, "delete": 0, "unchanged": 0}
    assert [(item["name"], item["kind"], item["days_left"]) for item in first["certificates"]] == [
        ("root", "authority", 3650),
        ("issuing", "authority", 1825),
        ("api", "certificate", 365),
    ]
    before = contents(tree)
    second = ok(run_tasks(tmp_path, pki(tree, **TREE))).last
    assert not second["changed"]
    assert [item["serial"] for item in second["certificates"]] == [item["serial"] for item in first["certificates"]]
    assert contents(tree) == before

    gone = ok(run_tasks(tmp_path, pki(tree, state="absent"), arguments=["--check"])).last
    assert (gone["changed"], contents(tree)) == (True, before)
    assert ok(run_tasks(tmp_path, pki(tree, state="absent"))).last["plan"] == gone["plan"]
    assert not tree.exists()
    assert not ok(run_tasks(tmp_path, pki(tree, state="absent"))).last["changed"]


def test_a_change_is_shown_with_its_reason(tmp_path: Path) -> None:
    tree = tmp_path / "pki"
    ok(run_tasks(tmp_path, pki(tree, **TREE)))
    changed = {**TREE, "certificates": [{**TREE["certificates"][0], "dns": ["api.zt", "b.zt"]}]}
    before = contents(tree)
    check = ok(run_tasks(tmp_path, pki(tree, **changed), arguments=["--check", "--diff"]))
    assert contents(tree) == before
    (change,) = check.last["plan"]["changes"]
    assert (change["action"], change["name"], change["reasons"]) == ("update", "api", ["dns_changed"])
    assert '+    "b.zt"' in check.output
    assert ok(run_tasks(tmp_path, pki(tree, **changed))).last["plan"] == check.last["plan"]


def test_no_key_reaches_any_output(tmp_path: Path) -> None:
    tree = tmp_path / "pki"
    first = ok(run_tasks(tmp_path, pki(tree, **TREE), arguments=["-vvv", "--diff"]))
    keys = secrets(tree)
    assert len(keys) == 3
    (tree / "api" / "key.pem").write_text("garbage", encoding="ascii")
    second = ok(run_tasks(tmp_path, pki(tree, **TREE), arguments=["-vvv", "--diff"]))
    (tree / "authorities" / "root" / "key.pem").write_bytes((tree / "api" / "key.pem").read_bytes())
    failed = run_tasks(tmp_path, pki(tree, **TREE), arguments=["-vvv", "--diff"])
    refused(failed, "ca_key_mismatch")
    keys += secrets(tree)
    for run in (first, second, failed):
        shown = run.output + json.dumps(run.results)
        assert [key for key in keys if key[:40] in shown] == []
        assert "PRIVATE KEY" not in shown


def test_a2_the_development_preset_in_two_lines(tmp_path: Path) -> None:
    tree = tmp_path / "pki"
    ok(run_tasks(tmp_path, pki(tree, preset="development")))
    command = ["openssl", "verify", "-x509_strict", "-CAfile", tree / "ssl/ca-cert.pem", "-purpose", "sslserver"]
    for name in (["-verify_hostname", "localhost"], ["-verify_ip", "127.0.0.1"], ["-verify_ip", "::1"]):
        subprocess.run([*command, *name, tree / "ssl/cert.pem"], check=True)
    assert stat.S_IMODE((tree / "ssl/key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tree / "authorities/development/key.pem").stat().st_mode) == 0o600


def test_p47_many_certificates_from_a_file(tmp_path: Path) -> None:
    src, tree = tmp_path / "pki.yml", tmp_path / "pki"
    many = [{"name": f"c{number}", "issuer": "issuing", "dns": [f"c{number}.zt"]} for number in range(1200)]
    src.write_text(yaml.safe_dump({**TREE, "certificates": many}), encoding="utf-8")
    plan_file = tmp_path / "plans" / "pki.json"
    run = ok(run_tasks(tmp_path, pki(tree, src=str(src), plan_file=str(plan_file)))).last
    assert run["plan"]["counts"]["create"] == 1202
    assert (len(run["plan"]["changes"]), run["plan"]["left_off"]) == (100, 1102)
    assert (len(run["certificates"]), run["certificates_left_off"]) == (1000, 202)
    whole = json.loads(plan_file.read_text(encoding="utf-8"))
    assert (len(whole["changes"]), whole["fingerprint"]) == (1202, run["plan"]["fingerprint"])
    assert not ok(run_tasks(tmp_path, pki(tree, src=str(src)))).last["changed"]


def test_only_the_approved_plan_is_applied(tmp_path: Path) -> None:
    tree = tmp_path / "pki"
    approved = ok(run_tasks(tmp_path, pki(tree, preset="development"), arguments=["--check"])).last["plan"][
        "fingerprint"
    ]
    other = refused(run_tasks(tmp_path, pki(tree, **TREE, plan_fingerprint=approved)), "plan_changed")
    assert approved in other["msg"]
    assert not tree.exists()
    task = pki(tree, preset="development", plan_fingerprint=approved)
    assert ok(run_tasks(tmp_path, task)).last["changed"]
    # What was approved has been done.
    assert not ok(run_tasks(tmp_path, task)).last["changed"]


def test_p08_all_mistakes_at_once(tmp_path: Path) -> None:
    tree = tmp_path / "pki"
    wrong = [
        {"name": "../../etc/passwd", "issuer": "root", "dns": ["api.zt"]},
        {"name": "api", "issuer": "root", "dns": ["10.0.0.1"]},
    ]
    task = pki(tree, authorities=[{"name": "root"}], certificates=wrong)
    runs = [run_tasks(tmp_path, task, arguments=arguments) for arguments in ([], ["--check"])]
    results = [refused(run, "bad_declaration") for run in runs]
    assert results[0]["errors"] == results[1]["errors"]
    assert [error.split(":")[0] for error in results[0]["errors"]] == ["certificates[0].name", "certificates[1].dns[0]"]
    assert not tree.exists()


def test_p01_p09_p11_a_refusal_changes_nothing_and_is_the_same_every_time(tmp_path: Path) -> None:
    tree = tmp_path / "pki"
    ok(run_tasks(tmp_path, pki(tree, **TREE)))
    key = tree / "api" / "key.pem"
    key.rename(tmp_path / "moved")
    key.symlink_to(tmp_path / "moved")
    before = contents(tree)
    messages = set()
    for arguments in (["--check"], [], []):
        messages.add(refused(run_tasks(tmp_path, pki(tree, **TREE), arguments=arguments), "symlink")["msg"])
        assert contents(tree) == before
    assert len(messages) == 1
    assert str(key) in messages.pop()


def test_something_has_to_be_declared(tmp_path: Path) -> None:
    run = run_tasks(tmp_path, pki(tmp_path / "pki"))
    assert run.status != 0
    assert "preset, src, authorities, certificates" in run.last["msg"]


def test_the_role_makes_what_a_developer_needs_and_removes_it(tmp_path: Path) -> None:
    tree = tmp_path / "pki"
    assert ok(run_tasks(tmp_path, role(tree), arguments=["--check"])).changed == 1
    assert not tree.exists()
    assert ok(run_tasks(tmp_path, role(tree))).changed == 1
    assert (tree / "ssl" / "cert.pem").exists()
    assert ok(run_tasks(tmp_path, role(tree))).changed == 0
    assert ok(run_tasks(tmp_path, role(tree, pki_state="absent"))).changed == 1
    assert not tree.exists()


def test_the_role_takes_a_file_and_variables(tmp_path: Path) -> None:
    src = tmp_path / "pki.json"
    src.write_text(json.dumps({"authorities": TREE["authorities"]}), encoding="utf-8")
    task = role(tmp_path / "pki", pki_src=str(src), pki_certificates=TREE["certificates"])
    (made,) = (result for result in ok(run_tasks(tmp_path, task)).results if "certificates" in result)
    assert [item["name"] for item in made["certificates"]] == ["root", "issuing", "api"]


def test_the_role_refuses_an_unknown_preset(tmp_path: Path) -> None:
    run = run_tasks(tmp_path, role(tmp_path / "pki", pki_preset="production"))
    assert run.status != 0
    assert "pki_preset" in run.output
