# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine as a whole, over random states of a system that refuses every write in a wrong order."""

from __future__ import annotations

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.executor import Timing
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.provider import ApplyError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import Settings, SyncError, prepare
from hypothesis import event, given
from hypothesis import strategies as st

from tests.unit.reconcile.toys import BatchedToys, IdempotentToys, Killed, Shop, Toys, WholeToys, reached, situations

FREE = Limits(100, 100, 0, True)
ALL = Settings(purge=True, limits=FREE, concurrency=3)
ALONE = Settings(purge=True, limits=FREE, concurrency=1)
NOW = Timing(sleep=lambda seconds: None, random=lambda: 0.5)
KINDS = pytest.mark.parametrize("kind", [Toys, IdempotentToys, BatchedToys, WholeToys])


def grandparents(step, wanted):
    return [ref for item in wanted if item.ref in step.desired.needs for ref in item.needs]


def fatal():
    return ApplyError("the shop is closed", "closed")


@KINDS
@given(situation=situations())
def test_what_is_planned_is_reached_and_then_nothing_is_left_to_do(kind, situation):
    before, wanted = situation
    shop = Shop(before)
    foreign = shop.foreign()
    sync = prepare(kind(shop), wanted, ALL)
    planned = sorted((change.action, change.kind, change.name) for change in sync.plan.changes)
    vacated = sum("vacated_first" in change.reasons for change in sync.plan.changes)
    event(f"vacated {min(vacated, 1)}")
    result = sync.apply(NOW)
    assert reached(shop, wanted)
    assert shop.foreign() == foreign
    # What check mode shows is what a run writes; an object that gives up a value for a moment is written twice.
    written = list(shop.log)
    for entry in planned:
        written.remove(entry)
    assert len(written) == vacated
    assert set(written) <= {("update", change.kind, change.name) for change in sync.plan.changes}
    assert len(shop.log) == result["outcome"]["counts"]["applied"]
    again = prepare(kind(shop), wanted, ALL)
    assert not again.plan.changed
    assert again.plan.unchanged == len(wanted)


@given(situations())
def test_creates_come_first_and_a_delete_comes_before_them_only_to_free_a_value(situation):
    before, wanted = situation
    shop = Shop(before)
    plan = prepare(Toys(shop), wanted, ALL).planned
    actions = [stage[0].action for stage in plan.stages]
    assert all({step.action for step in stage} == {action} for stage, action in zip(plan.stages, actions))
    held = {claim for item in Toys(shop).read() for claim in item.unique}
    if any(claim in held for item in wanted for claim in item.unique):
        return
    for at, stage in enumerate(plan.stages):
        later = [step for other in plan.stages[at + 1 :] for step in other if step.action == "create"]
        needed = {ref for step in later for ref in (*step.desired.needs, *grandparents(step, wanted))}
        if stage[0].action == "delete":
            assert not later
        elif stage[0].action == "update" and later:
            # Only what a new object needs is brought up to date before it is made.
            assert needed & {step.ref for step in stage}


@given(situations(), st.data())
def test_the_order_of_declaring_and_of_finding_makes_no_difference(situation, data):
    before, wanted = situation
    one = prepare(Toys(Shop(before)), wanted, ALL)
    shop = Shop(before)
    shop.objects = dict(data.draw(st.permutations(list(shop.objects.items()))))
    other = prepare(Toys(shop), data.draw(st.permutations(wanted)), ALL)
    assert one.plan == other.plan
    other.apply(NOW)
    assert reached(shop, wanted)


@pytest.mark.parametrize("kind", [Toys, BatchedToys, WholeToys])
@given(situation=situations(), when=st.sampled_from(["before", "after"]), data=st.data())
def test_a_kill_at_any_write_and_another_run_reach_the_same(kind, situation, when, data):
    before, wanted = situation
    shop = Shop(before)
    foreign = shop.foreign()
    sync = prepare(kind(shop), wanted, ALONE)
    writes = sum(map(len, sync.planned.stages))
    fault = data.draw(st.integers(1, max(writes, 1)))
    sync.provider.faults[fault] = (when, Killed())
    try:
        sync.apply(NOW)
    except Killed:
        event("killed")
    prepare(kind(shop), wanted, ALONE).apply(NOW)
    assert reached(shop, wanted)
    assert shop.foreign() == foreign
    assert not prepare(kind(shop), wanted, ALONE).plan.changed


@KINDS
@given(situation=situations(), when=st.sampled_from(["before", "after"]), data=st.data(), adopt=st.booleans())
def test_rollback_returns_to_the_state_before(kind, situation, when, data, adopt):
    before, wanted = situation
    shop = Shop(before)
    if adopt:
        # Some objects of others are as good as ours.
        for held in shop.objects.values():
            if held["owner"] == "us" and data.draw(st.booleans()):
                held["owner"] = "them"
    state = shop.state()
    settings = Settings(purge=True, limits=FREE, on_failure="rollback", concurrency=3, adopt=adopt)
    try:
        sync = prepare(kind(shop), wanted, settings)
    except Exception as error:
        # An object of theirs needs what we would delete, or has the mark that we want.
        assert adopt and error.reason in ("in_use", "foreign_owner")  # noqa: PT017, PT018
        return
    if not sync.plan.changed:
        return
    fault = data.draw(st.integers(1, sum(map(len, sync.planned.stages))))
    sync.provider.faults[fault] = (when, fatal())
    try:
        sync.apply(NOW)
    except SyncError as failed:
        error = failed
    else:
        return
    event("rolled back")
    assert shop.state() == state
    assert error.result["changed"] is False
    assert error.result["outcome"]["counts"]["not_rolled_back"] == 0
    assert "all is as before" in error.message


@given(situations(), st.data())
def test_transient_faults_change_nothing_in_the_end(situation, data):
    before, wanted = situation
    shop = Shop(before)
    faults = data.draw(st.dictionaries(st.integers(1, 12), st.sampled_from(["before", "after"]), max_size=4))
    transient = ApplyError("try again", "busy", transient=True)
    provider = IdempotentToys(shop, {call: (when, transient) for call, when in faults.items()})
    result = prepare(provider, wanted, ALL).apply(NOW)
    assert reached(shop, wanted)
    assert result["outcome"]["counts"]["retries"] == sum(call <= provider.calls for call in faults)


@given(situations(), st.data())
def test_the_account_of_a_failed_run_is_exact(situation, data):
    before, wanted = situation
    shop = Shop(before)
    sync = prepare(Toys(shop), wanted, ALL)
    if not sync.plan.changed:
        return
    total = sum(map(len, sync.planned.stages))
    sync.provider.faults[data.draw(st.integers(1, total))] = ("before", fatal())
    with pytest.raises(SyncError) as caught:
        sync.apply(NOW)
    outcome = caught.value.result["outcome"]
    assert sorted(outcome["applied"]) == sorted(f"{action} {kind} {name!r}" for action, kind, name in shop.log)
    assert [failure["error"] for failure in outcome["failed"]] == ["the shop is closed"]
    assert outcome["counts"]["not_attempted"] == total - 1 - len(shop.log) == len(outcome["not_attempted"])
    assert caught.value.result["changed"] is bool(shop.log)


@pytest.mark.parametrize("policy", ["sync", "upsert_only", "create_only"])
@given(situation=situations(), purge=st.booleans())
def test_a_policy_does_no_more_than_it_says_and_tells_what_it_leaves(policy, situation, purge):
    before, wanted = situation
    shop = Shop(before)
    allowed = {"sync": ["create", "update", *(["delete"] if purge else [])], "upsert_only": ["create", "update"]}
    settings = Settings(policy, purge, limits=FREE)
    everything = prepare(Toys(Shop(before)), wanted, ALL).plan
    try:
        sync = prepare(Toys(shop), wanted, settings)
    except Exception as error:
        assert error.reason == "unique_held"  # noqa: PT017
        return
    sync.apply(NOW)
    assert {entry[0] for entry in shop.log} <= set(allowed.get(policy, ["create"]))
    assert len(sync.plan.changes) + len(sync.plan.withheld) == len(everything.changes)
