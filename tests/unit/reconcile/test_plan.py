# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan: one order, one fingerprint, nothing shown without bound."""

from __future__ import annotations

import json

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.plan import Change, Plan
from hypothesis import given
from hypothesis import strategies as st

CHANGES = st.lists(
    st.builds(
        Change,
        action=st.sampled_from(["create", "update", "delete"]),
        kind=st.sampled_from(["file", "route"]),
        name=st.text(min_size=1, max_size=3),
        reasons=st.lists(st.text(max_size=3), max_size=2).map(tuple),
        before=st.none() | st.text(max_size=3),
        after=st.none() | st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    ),
    unique_by=lambda change: (change.kind, change.name),
    max_size=6,
)


@given(CHANGES, st.randoms())
def test_order_of_finding_makes_no_difference(changes, random):
    shuffled = list(changes)
    random.shuffle(shuffled)
    one, other = Plan(tuple(changes), 3, ("b", "a")), Plan(tuple(shuffled), 3, ("a", "b", "a"))
    assert one == other
    assert one.fingerprint == other.fingerprint
    actions = [change.action for change in one.changes]
    assert actions == sorted(actions, key=["create", "update", "delete"].index)


@given(CHANGES)
def test_counts_and_data_agree(changes):
    plan = Plan(tuple(changes), unchanged=7)
    data = plan.to_data(-1)
    assert json.loads(json.dumps(data)) == data
    assert sum(plan.counts.values()) == len(changes) + 7
    assert data["changed"] is bool(changes)
    assert len(data["changes"]) == len(changes)


def test_fingerprint_is_stable_across_releases():
    # Somebody may approve a plan today and apply it after an upgrade of the control node.
    plan = Plan((Change("create", "file", "a", ("declared",), None, "text", "d1"),))
    assert plan.fingerprint == "a2b68cafc3ff3b11768a19c4dfe0f8cbd97c5de5f71976bde3e048a0dca23256"
    assert plan.fingerprint == Plan((Change("create", "file", "a", ("declared",), None, "text", "d1"),), 9).fingerprint


@pytest.mark.parametrize(
    "other",
    [
        Change("update", "file", "a", ("declared",), None, "text", "d1"),
        Change("create", "route", "a", ("declared",), None, "text", "d1"),
        Change("create", "file", "b", ("declared",), None, "text", "d1"),
        Change("create", "file", "a", ("edited",), None, "text", "d1"),
        Change("create", "file", "a", ("declared",), "", "text", "d1"),
        Change("create", "file", "a", ("declared",), None, "text2", "d1"),
        Change("create", "file", "a", ("declared",), None, "text", "d2"),
    ],
)
def test_fingerprint_tells_every_difference_apart(other):
    assert (
        Plan((Change("create", "file", "a", ("declared",), None, "text", "d1"),)).fingerprint
        != Plan((other,)).fingerprint
    )


def test_data_is_limited_and_says_so():
    plan = Plan(
        tuple(Change("create", "file", f"{number:03}") for number in range(150)), foreign=tuple(map(str, range(120)))
    )
    data = plan.to_data(limit=10)
    assert [item["name"] for item in data["changes"]] == [f"{number:03}" for number in range(10)]
    assert (data["left_off"], len(data["foreign"]), data["foreign_count"]) == (140, 10, 120)
    assert "digest" not in data["changes"][0]


def test_two_changes_of_one_object_are_a_mistake():
    with pytest.raises(ValueError, match="two changes"):
        Plan((Change("create", "file", "a"), Change("delete", "file", "a")))


def test_an_unknown_action_is_a_mistake():
    with pytest.raises(ValueError, match="replace"):
        Change("replace", "file", "a")
