# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Crashes, a full disk and concurrent runs: key and certificate are a pair at any moment."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._pki.tree import apply_pki
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.atomic import Tree

from tests.unit.pki.trees import api, data, reasons
from tests.unit.reconcile.faults import Crash, crash_at, fail_at

NEW = data(api(key_type="ecdsa-p384"), api(name="web"))


def test_p16_p17_a_crash_at_any_call_of_a_first_run(pki):
    crashes = 0
    for number in range(1, 400, 3):
        pki.root = pki.root.parent / str(number)
        try:
            pki.run(data(), crash_at(number))
        except Crash:
            crashes += 1
        else:
            break
        if pki.path("api/cert.pem").exists():
            assert pki.is_pair("api")
        pki.run(data())
        assert pki.is_pair("api")
        assert not list(pki.root.rglob(".zerotrust-tmp*"))
        assert not pki.run(data()).plan.changed
    assert crashes > 30


def test_p16_p17_a_crash_at_any_call_leaves_a_pair_while_the_key_changes(pki):
    """The declared key type changes, so key and certificate are replaced, and a new certificate is made beside it."""
    crashes, pairs = 0, set()
    for number in range(1, 500, 3):
        pki.root = pki.root.parent / str(number)
        pki.run(data())
        try:
            pki.run(NEW, crash_at(number))
        except Crash:
            crashes += 1
        else:
            break
        assert pki.is_pair("api")
        full = pki.path("api/fullchain.pem").read_bytes()
        assert full.startswith(pki.path("api/cert.pem").read_bytes())
        pairs.add(pki.key("api/key.pem").curve.name)
        planned = pki.plan(NEW).plan
        assert reasons(pki.run(NEW)) == {change.name: change.reasons for change in planned.changes}
        assert pki.is_pair("api")
        assert not list(pki.root.rglob(".zerotrust-tmp*"))
        assert not list(pki.root.rglob(".zerotrust-swap*"))
        assert not pki.run(NEW).plan.changed
    assert crashes > 35
    assert pairs == {"secp256r1", "secp384r1"}


def test_p16_killed_at_any_write(pki, repo):
    """The same with a real SIGKILL, at some calls."""
    code = (
        "import sys, json; from pathlib import Path\n"
        "from tests.unit.pki.conftest import Pki; from tests.unit.reconcile.faults import kill_at\n"
        "Pki(Path(sys.argv[1])).run(json.loads(sys.argv[3]), kill_at(int(sys.argv[2])))\n"
    )
    killed = 0
    for number in range(45, 400, 37):
        pki.root = pki.root.parent / str(number)
        pki.run(data())
        command = [sys.executable, "-c", code, str(pki.root), str(number), json.dumps(NEW)]
        done = subprocess.run(command, cwd=repo, check=False, capture_output=True, text=True)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        killed += 1
        assert pki.is_pair("api")
        pki.run(NEW)
        assert pki.is_pair("api")
        assert not pki.run(NEW).plan.changed
    assert killed > 4


def test_p18_concurrent_runs_make_one_tree(pki):
    plans = []
    threads = [threading.Thread(target=lambda: plans.append(pki.run(data()).plan)) for _run in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(plan.counts["create"] for plan in plans) == [0, 0, 0, 3]
    assert pki.is_pair("api")


def test_a_plan_that_is_overtaken_is_not_applied(pki):
    pki.run(data())
    with Tree(str(pki.root)) as tree:
        plan = pki.plan(data(api(dns=["one.zt"])))
        pki.run(data(api(dns=["other.zt"])))
        with pytest.raises(PlatformError) as caught:
            apply_pki(tree, plan)
    assert caught.value.reason == "changed_meanwhile"
    assert not pki.run(data(api(dns=["other.zt"]))).plan.changed


def test_p14_a_full_disk_leaves_the_old_pair(pki):
    pki.run(data())
    before = pki.contents()
    for occurrence in range(1, 8):
        with pytest.raises(PlatformError) as caught:
            pki.run(NEW, fail_at("write", 28, occurrence))
        assert caught.value.reason == "no_space"
        assert pki.is_pair("api")
        assert not list(pki.root.rglob(".zerotrust-tmp*"))
    assert pki.contents()["authorities/root/key.pem"] == before["authorities/root/key.pem"]
    pki.run(NEW)
    assert pki.is_pair("api")
    assert pki.is_pair("web")
