# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A `*_sync` module as small as one can be, from its arguments to its answer."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.zerotrust.platform.plugins.doc_fragments import plan as plan_fragment
from ansible_collections.zerotrust.platform.plugins.doc_fragments import sync as sync_fragment
from ansible_collections.zerotrust.platform.plugins.module_utils._ansible import SYNC_OPTIONS, Work, run
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import ApplyError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, prepare

from tests.unit.reconcile.toys import Shop, Toys, desired

try:
    from ansible.module_utils.testing import patch_module_args
except ImportError:

    @contextmanager
    def patch_module_args(args):
        """What ansible-core has from 2.19 on."""
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": args}).encode()
        try:
            yield
        finally:
            basic._ANSIBLE_ARGS = None


DATA = {"in": None, "mark": None, "tags": [], "code": "hush-hush"}


def call(capsys, shop, names, faults=None, **args):
    """(exit status, answer) of the module."""

    def body(module):
        sync = prepare(Toys(shop, faults), [desired("shelf", name, DATA) for name in names], Settings.of(module.params))
        return Work(sync.plan, sync.apply)

    with patch_module_args(args), pytest.raises(SystemExit) as ended:
        run(AnsibleModule(SYNC_OPTIONS, supports_check_mode=True), body)
    text = capsys.readouterr().out
    assert "hush" not in text
    return ended.value.code, json.loads(text)


def test_a_run_in_check_mode_does_nothing_and_says_what_the_real_one_does(capsys):
    shop = Shop()
    status, dry = call(capsys, shop, "ab", _ansible_check_mode=True, _ansible_diff=True)
    assert (status, dry["changed"], shop.log) == (0, True, [])
    status, wet = call(capsys, shop, "ab", plan_fingerprint=dry["plan"]["fingerprint"], _ansible_diff=True)
    assert (status, wet["plan"], wet["diff"]) == (0, dry["plan"], dry["diff"])
    assert wet["outcome"]["counts"]["applied"] == len(shop.log) == 2
    status, again = call(capsys, shop, "ab")
    assert (again["changed"], again["msg"]) == (False, "Nothing to change, 2 as declared.")


def test_a_failed_run_returns_its_account_with_its_plan(capsys):
    shop = Shop()
    closed = {2: ("before", ApplyError("the shop is closed, hush-hush", "closed"))}
    status, answer = call(capsys, shop, "abc", closed, concurrency=1)
    assert status == 1
    assert (answer["failed"], answer["changed"], answer["reason"]) == (True, True, "closed")
    assert answer["msg"].startswith("create shelf 'b': the shop is closed, ***. Of 3 writes 1 were done, 1 failed")
    assert answer["plan"]["counts"]["create"] == 3
    assert answer["outcome"]["not_attempted"] == ["create shelf 'c'"]


def test_a_rolled_back_run_has_changed_nothing(capsys):
    shop = Shop()
    closed = {2: ("after", ApplyError("the answer was lost", "lost"))}
    status, answer = call(capsys, shop, "abc", closed, concurrency=1, on_failure="rollback")
    assert (status, answer["changed"], shop.state()) == (1, False, {})
    assert sorted(answer["outcome"]["rolled_back"]) == ["delete shelf 'a'", "delete shelf 'b'"]


def test_the_limits_are_options(capsys):
    shop = Shop([("shelf", f"s{number}", DATA, "us") for number in range(10)])
    names = [f"s{number}" for number in range(5)]
    status, answer = call(capsys, shop, names, purge=True)
    assert (status, answer["reason"], len(answer["errors"])) == (1, "limit_exceeded", 5)
    status, answer = call(capsys, shop, names, purge=True, limits={"delete": 50})
    assert (status, answer["plan"]["counts"]["delete"]) == (0, 5)
    status, answer = call(capsys, shop, (), purge=True)
    assert answer["reason"] == "empty_desired"
    call(capsys, shop, (), purge=True, limits={"allow_empty": True})
    assert shop.objects == {}


def test_defaults_are_the_same_everywhere():
    documented = {
        **yaml.safe_load(plan_fragment.ModuleDocFragment.DOCUMENTATION)["options"],
        **yaml.safe_load(sync_fragment.ModuleDocFragment.DOCUMENTATION)["options"],
    }

    def facts(options, inner):
        return {
            name: (option["type"], option.get("default"), option.get("choices"), facts(option.get(inner, {}), inner))
            for name, option in options.items()
        }

    assert facts(documented, "suboptions") == facts(SYNC_OPTIONS, "options")
    assert Settings.of({name: option.get("default") for name, option in SYNC_OPTIONS.items()}) == Settings()
    limits = SYNC_OPTIONS["limits"]["options"]
    assert Limits(**{name: option["default"] for name, option in limits.items()}) == Limits()
