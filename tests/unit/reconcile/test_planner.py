# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner: what it refuses and how it says so, the order, and what it shows. Whole runs are in test_engine.py."""

from __future__ import annotations

import json

import pytest
from ansible_collections.zerotrust.platform.plugins.module_utils._errors import PlatformError
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.model import Actual, Desired, Step
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.planner import Rules, plan_sync
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.policy import Limits, policies
from ansible_collections.zerotrust.platform.plugins.module_utils._reconcile.sync import plan_rollback


class Plain(Rules):
    pass


class Vacating(Rules):
    def vacate(self, actual, claims):
        return {**actual.data, "mark": None}


class Kinds(Rules):
    def level(self, kind):
        return {"low": 1, "high": 2}[kind]


def item(cls, name, mark=None, needs=(), kind="thing", **more):
    data = {"mark": mark, "needs": list(needs), **more.pop("data", {})}
    refs = tuple(need if isinstance(need, tuple) else (kind, need) for need in needs)
    return cls(kind, name, data, refs, (("mark", mark),) if mark else (), **more)


def want(name, mark=None, needs=(), **more):
    return item(Desired, name, mark, needs, **more)


def have(name, mark=None, needs=(), **more):
    return item(Actual, name, mark, needs, **more)


def stages(planned):
    return [[f"{step.action} {step.item.name}" for step in stage] for stage in planned.stages]


def refused(desired, actual, rules=None, **options):
    with pytest.raises(PlatformError) as caught:
        plan_sync(desired, actual, rules or Plain(), **options)
    return caught.value


def foreign(name, *args, **more):
    return have(name, *args, owned=False, **more)


@pytest.mark.parametrize(
    ("desired", "actual", "reason", "sentence"),
    [
        (
            [want("a")],
            [foreign("a", "x", owner="team-b")],
            "foreign_owner",
            "thing 'a' is there and belongs to 'team-b'; give it another name, or set adopt to take it over",
        ),
        (
            [want("a")],
            [foreign("a", "x")],
            "foreign_owner",
            "thing 'a' is there and is not ours; give it another name, or set adopt to take it over",
        ),
        (
            [want("a", "red", origin="kong.yml:3")],
            [foreign("b", "red", owner="team-b")],
            "foreign_owner",
            "kong.yml:3: thing 'a' claims mark 'red', which thing 'b' has, and thing 'b' belongs to 'team-b'; "
            "choose another",
        ),
        ([want("a"), want("a", "x", origin="f:2")], [], "duplicate", "f:2: thing 'a' is declared twice"),
        (
            [want("a", "red"), want("b", "red")],
            [],
            "duplicate",
            "thing 'b' and thing 'a' both claim mark 'red'",
        ),
        (
            [],
            [have("a", handle=1), have("a", handle=2)],
            "ambiguous",
            "thing 'a' is there twice (1, 2); remove one of them",
        ),
        (
            [want("a", needs=["b"])],
            [],
            "missing_reference",
            "thing 'a' needs thing 'b', which is nowhere; declare it",
        ),
        (
            [want("a", "new", needs=["b"])],
            [have("a", needs=["b"]), have("b")],
            "missing_reference",
            "thing 'a' needs thing 'b', which is to be deleted as it is not declared",
        ),
        (
            [want("a", needs=["b"])],
            [have("a", needs=["b"]), have("b")],
            "in_use",
            "thing 'b' is to be deleted, but thing 'a' needs it and is to stay; "
            "declare it again, or change what needs it",
        ),
        (
            [],
            [foreign("a", needs=["b"], owner="team-b"), have("b")],
            "in_use",
            "thing 'b' is to be deleted, but thing 'a' needs it and belongs to 'team-b'; "
            "declare it again, or change what needs it",
        ),
        (
            [want("a", needs=["b"]), want("b", needs=["a"])],
            [],
            "circular_reference",
            "thing 'a' → thing 'b' → thing 'a' need each other in a circle; break it",
        ),
        (
            [want("a", "red"), want("b", "green")],
            [have("a", "green"), have("b", "red")],
            "circular_move",
            "thing 'a' → thing 'b' → thing 'a' wait for each other's unique values; give one of them another value "
            "first, and run again",
        ),
    ],
)
def test_a_conflict_is_refused_with_a_sentence(desired, actual, reason, sentence):
    """K02, K10, K11: also foreign owners and duplicates."""
    error = refused(desired, actual)
    assert (error.reason, error.message) == (reason, sentence)


def test_all_conflicts_are_told_at_once():
    error = refused(
        [want(f"n{number:03}") for number in range(150)], [foreign(f"n{number:03}", "x") for number in range(150)]
    )
    assert error.message.endswith("(and 149 more)")
    assert len(error.details) == 101
    assert error.details[0].startswith("thing 'n000'")
    assert error.details[-1] == "and 50 more"


def test_a_page_that_repeats_an_object_does_no_harm():
    """K13."""
    planned = plan_sync([want("a")], [have("a", handle=1), have("a", handle=1)], Plain())
    assert planned.plan.counts == {"create": 0, "update": 0, "delete": 0, "unchanged": 1}


def test_what_a_policy_keeps_holds_its_unique_value():
    keep = policies("sync", purge=False)
    error = refused([want("a", "red")], [have("b", "red")], policies=keep)
    assert error.reason == "unique_held"
    assert "thing 'a' claims mark 'red', which thing 'b' has and keeps, as this policy" in error.message
    # An update that the policy withholds would have given it up.
    error = refused([want("a", "red"), want("b")], [have("b", "red")], policies=policies("create_only", purge=True))
    assert error.reason == "unique_held"


def test_adoption_is_an_update_even_of_an_equal_object():
    planned = plan_sync([want("a"), want("b")], [foreign("a"), foreign("b", "red"), foreign("c")], Plain(), adopt=True)
    assert [(change.action, change.name, change.reasons) for change in planned.plan.changes] == [
        ("update", "a", ("adopted",)),
        ("update", "b", ("adopted", "mark")),
    ]
    assert planned.plan.foreign == ("thing c",)


def test_what_a_policy_leaves_out_is_told():
    desired, actual = [want("new"), want("old", "red")], [have("old"), have("gone")]
    for name, purge, withheld in (
        ("sync", True, ()),
        ("sync", False, ("delete thing 'gone'",)),
        ("upsert_only", True, ("delete thing 'gone'",)),
        ("create_only", True, ("delete thing 'gone'", "update thing 'old'")),
    ):
        plan = plan_sync(desired, actual, Plain(), policies(name, purge)).plan
        assert plan.withheld == withheld
        data = plan.to_data(1)
        assert (data["withheld"], data["withheld_count"]) == (list(withheld[:1]), len(withheld))


# Order


def test_what_is_needed_comes_first_and_goes_last():
    desired = [want("c", needs=["b"]), want("b", needs=["a"]), want("a"), want("x", "new"), want("y", needs=["x"])]
    actual = [have("x"), have("r", needs=["q"]), have("q", needs=["p"]), have("p")]
    assert stages(plan_sync(desired, actual, Plain())) == [
        ["create a"],
        ["create b"],
        # y is not ready before x is as it should be; c is.
        ["create c"],
        ["update x"],
        ["create y"],
        ["delete r"],
        ["delete q"],
        ["delete p"],
    ]


def test_what_stays_as_it_is_need_not_be_waited_for():
    desired = [want("base"), want("new", needs=["base"]), want("moves", needs=[])]
    actual = [have("base"), have("moves", needs=["base"]), have("gone", needs=["base"])]
    assert stages(plan_sync(desired, actual, Plain())) == [["create new"], ["update moves"], ["delete gone"]]


def test_levels_of_kinds_order_what_references_do_not():
    desired = [
        want("new-high", kind="high"),
        want("new-low", kind="low"),
        want("h", "1", kind="high"),
        want("l", "2", kind="low"),
    ]
    actual = [
        have(name, kind=kind) for name, kind in (("h", "high"), ("l", "low"), ("old-h", "high"), ("old-l", "low"))
    ]
    assert stages(plan_sync(desired, actual, Kinds())) == [
        ["create new-low"],
        ["update l"],
        ["create new-high"],
        ["update h"],
        ["delete old-h"],
        ["delete old-l"],
    ]


def test_who_holds_a_value_that_moves_goes_first_and_nothing_else_does():
    desired = [want("new", "red"), want("other")]
    actual = [have("old", "red"), have("user", needs=["old"]), have("unrelated")]
    assert stages(plan_sync(desired, actual, Plain())) == [
        ["create other"],
        ["delete user"],
        ["delete old"],
        ["create new"],
        ["delete unrelated"],
    ]


def test_a_value_that_moves_between_updates_needs_their_order_only():
    desired = [want("a", "red"), want("b", "green"), want("c", "blue")]
    actual = [have("a"), have("b", "red"), have("c", "green")]
    assert stages(plan_sync(desired, actual, Plain())) == [["update c"], ["update b"], ["update a"]]


def test_objects_that_swap_values_take_a_detour():
    planned = plan_sync([want("a", "red"), want("b", "green")], [have("a", "green"), have("b", "red")], Vacating())
    assert stages(planned) == [["update b"], ["update a"], ["update b"]]
    first, _second, last = (stage[0] for stage in planned.stages)
    assert (first.reasons, first.desired.data["mark"], first.desired.unique) == (("vacated",), None, ())
    # The provider sees what is there then, the reader of the plan one change from first to last.
    assert last.actual.data["mark"] is None
    change = next(change for change in planned.plan.changes if change.name == "b")
    assert (change.before["mark"], change.after["mark"]) == ("red", "green")
    assert change.reasons == ("mark", "vacated_first")


def test_a_value_moves_to_what_a_user_of_the_holder_is_to_use():
    # `user` can leave `old` only for `new`, and `new` needs the value of `old`.
    desired = [want("new", "red"), want("user", needs=["new"])]
    actual = [have("old", "red"), have("user", needs=["old"])]
    assert stages(plan_sync(desired, actual, Vacating())) == [
        ["update old"],
        ["create new"],
        ["update user"],
        ["delete old"],
    ]
    assert refused(desired, actual).reason == "circular_move"


def test_one_object_gives_up_all_its_values_at_once_and_is_still_waited_for():
    def numbered(cls, name, *numbers):
        return cls("thing", name, {"v": numbers}, (), tuple(("v", str(number)) for number in numbers))

    desired = [
        numbered(Desired, "a", 1, 4),
        numbered(Desired, "b", 2, 3),
        want("c", needs=["a"]),
        numbered(Desired, "d", 5),
    ]
    actual = [numbered(Actual, "a", 2, 3), numbered(Actual, "b", 1, 4, 5)]
    # `d` has its number by the detour; `c` needs `a` as it is to be.
    assert stages(plan_sync(desired, actual, Vacating())) == [
        ["update b"],
        ["create d"],
        ["update a"],
        ["create c"],
        ["update b"],
    ]
    # `e` takes its number from `b`, and needs it as it is to be.
    both = Desired("thing", "e", {"v": 5}, (("thing", "a"), ("thing", "b")), (("v", "5"),))
    assert stages(plan_sync([*desired[:2], both], actual, Vacating())) == [
        ["update b"],
        ["update a"],
        ["update b"],
        ["create e"],
    ]


def test_a_system_that_takes_all_at_once_has_no_order():
    class AtOnce(Rules):
        at_once = True

    desired = [want("a", "red"), want("b", "green"), want("c", needs=["d"]), want("d")]
    actual = [have("a", "green"), have("b", "red"), have("e")]
    assert stages(plan_sync(desired, actual, AtOnce())) == [
        ["create c", "create d", "update a", "update b", "delete e"]
    ]
    assert plan_sync([], [], AtOnce()).stages == ()


# Limits


@pytest.mark.parametrize(("deleted", "ok"), [(3, True), (4, False)])
def test_a_plan_that_deletes_more_than_a_share_is_refused(deleted, ok):
    """K12, S17."""
    desired = [want(f"n{number}") for number in range(deleted, 10)]
    actual = [have(f"n{number}") for number in range(10)]
    if ok:
        assert plan_sync(desired, actual, Plain(), limits=Limits()).plan.counts["delete"] == 3
        return
    error = refused(desired, actual, limits=Limits())
    assert error.message == (
        "The plan would delete 4 of 10 objects, which is more than 30 %. Nothing was changed. If that is meant, set "
        "limits.delete to 40"
    )
    assert error.details == tuple(f"delete thing 'n{number}'" for number in range(4))
    # What it names is enough.
    assert plan_sync(desired, actual, Plain(), limits=Limits(delete=40)).plan.changed


def test_the_share_of_updates_is_limited_too_and_rounded_up():
    actual = [have(f"n{number:02}") for number in range(13)]
    desired = [want(f"n{number:02}", str(number) if number < 5 else None) for number in range(13)]
    error = refused(desired, actual, limits=Limits())
    assert "update 5 of 13" in error.message
    assert error.message.endswith("set limits.update to 39")
    assert plan_sync(desired, actual, Plain(), limits=Limits(update=39)).plan.counts["update"] == 5


def test_few_objects_and_foreign_ones_do_not_count():
    assert plan_sync([want("a")], [have("a", "x"), have("b")], Plain(), limits=Limits()).plan.changed
    actual = [have(f"n{number}") for number in range(10)]
    desired = [want(f"n{number}") for number in range(4, 10)]
    crowd = [foreign(f"f{number}") for number in range(100)]
    assert refused(desired, [*actual, *crowd], limits=Limits()).reason == "limit_exceeded"
    # An object that came on two pages is one.
    assert "4 of 10 objects" in refused(desired, [*actual, *actual], limits=Limits()).message


def test_nothing_declared_is_refused_unless_it_is_meant():
    """K12: the declaration is empty."""
    error = refused([], [have("a"), foreign("b")], limits=Limits())
    assert error.reason == "empty_desired"
    assert error.message == (
        "Nothing is declared, so all 1 objects would be deleted. Nothing was changed. If that is meant, set "
        "limits.allow_empty"
    )
    many = [have(f"n{number}") for number in range(200)]
    assert len(refused([], many, limits=Limits()).details) == 101
    assert plan_sync([], many, Plain(), limits=Limits(allow_empty=True)).plan.counts["delete"] == 200
    # Without purge nothing is deleted, so there is nothing to fear.
    assert not plan_sync([], many, Plain(), policies("sync", purge=False), Limits()).plan.changed


# Back again


def test_a_rollback_undoes_what_was_attempted_and_leaves_what_is_foreign_now():
    before = [
        have("a", "red"),
        have("deleted"),
        have("taken", "x"),
        have("untouched"),
        foreign("adopted"),
        foreign("f"),
    ]
    now = [
        have("a", "green"),
        have("created"),
        foreign("taken", "y", owner="team-b"),
        have("untouched", "changed by somebody"),
        have("adopted"),
        foreign("f"),
    ]
    attempted = [("thing", name) for name in ("a", "deleted", "taken", "created", "adopted", "never made")]
    planned = plan_rollback(before, now, attempted, Plain())
    assert stages(planned) == [["create deleted"], ["update a", "update adopted"], ["delete created"]]
    released = planned.stages[1][1]
    assert released.reasons == ("released",)
    assert released.desired.restores is before[4]


# What is shown

SECRETS = (("password",), ("keys", "*", "value"))


def login(cls, password, keys=(), **more):
    return cls(
        "login", "joe", {"password": password, "keys": [{"value": key} for key in keys]}, secrets=SECRETS, **more
    )


def test_secrets_are_shown_as_stars_and_their_change_is_seen():
    """K15."""
    planned = plan_sync([login(Desired, "hunter22", ["k-new"])], [login(Actual, "hunter21", ["k-old"])], Plain())
    (change,) = planned.plan.changes
    assert change.before == change.after == {"password": "***", "keys": [{"value": "***"}]}
    assert change.reasons == ("keys", "password")
    shown = json.dumps(planned.plan.to_data()) + repr(planned)
    assert not any(secret in shown for secret in ("hunter2", "k-new", "k-old"))


def test_the_fingerprint_tells_secrets_apart_and_nothing_else():
    def fingerprint(password, others=()):
        return plan_sync([login(Desired, password), *others], [], Plain()).plan.fingerprint

    assert fingerprint("hunter22") == fingerprint("hunter22")
    assert fingerprint("hunter22") != fingerprint("hunter23")
    # Nobody can try passwords against a change's digest without knowing all others.
    one = plan_sync([login(Desired, "hunter22")], [], Plain()).plan.changes[0].digest
    more = plan_sync(
        [login(Desired, "hunter22"), Desired("login", "eve", {"password": "x"}, secrets=SECRETS)], [], Plain()
    )
    assert one not in [change.digest for change in more.plan.changes]
    # Neither side has one where no secret is written.
    assert plan_sync([want("a")], [login(Actual, "hunter21")], Plain()).plan.changes[0].digest == ""


def test_what_a_run_makes_up_is_hidden_but_no_part_of_the_fingerprint():
    """So that the plan of a check mode can be approved although the run makes up other secrets."""

    def made_up(password, key):
        return plan_sync([login(Desired, password, [key], generated=SECRETS[:1])], [], Plain()).plan

    assert made_up("one-password", "k").fingerprint == made_up("another-one", "k").fingerprint
    assert made_up("one-password", "k").fingerprint != made_up("one-password", "other").fingerprint
    assert "one-password" not in json.dumps(made_up("one-password", "k").to_data())


def test_secrets_stay_out_of_refusals():
    desired = [
        Desired("key", "a", {"key": "s3cret-key"}, (), (("key", "s3cret-key"),), (("key",),)),
        Desired("key", "b", {"key": "s3cret-key"}, (), (("key", "s3cret-key"),), (("key",),)),
    ]
    error = refused([*desired, want("x"), want("x", "2")], [])
    assert "key '***'" in error.message
    assert "s3cret" not in " ".join((error.message, str(error), *error.details))


def test_reasons_are_the_paths_that_differ():
    def both(before, after):
        planned = plan_sync([Desired("t", "a", after)], [Actual("t", "a", before)], Plain())
        return planned.plan.changes[0].reasons

    nested = both(
        {"a": {"b": 1, "c": {"d": 2}}, "l": [1], "gone": 0}, {"a": {"b": 1, "c": {"d": 3}}, "l": [2], "new": None}
    )
    assert nested == ("a.c.d", "gone", "l", "new")
    assert both({"a": {"b": 1}}, {"a": 2}) == ("a",)
    many = both({f"k{number:02}": 1 for number in range(15)}, {})
    assert len(many) == 11
    assert many[-1] == "and 5 more"


def test_the_normaliser_decides_what_is_equal():
    class Upper(Rules):
        def normalise(self, desired, actual):
            return {"v": desired.data["v"].upper()}, {"v": actual.data["v"].upper()}

    same = plan_sync([Desired("t", "a", {"v": "abc"})], [Actual("t", "a", {"v": "ABC", "id": 7})], Upper())
    assert (same.plan.changed, same.plan.unchanged) == (False, 1)
    other = plan_sync([Desired("t", "a", {"v": "abc"})], [Actual("t", "a", {"v": "abd", "id": 7})], Upper())
    assert (other.plan.changes[0].before, other.plan.changes[0].after) == ({"v": "ABD"}, {"v": "ABC"})

    class Whole(Rules):
        def normalise(self, desired, actual):
            return desired.data["v"], actual.data["v"]

    text = plan_sync([Desired("t", "a", {"v": "abc"})], [Actual("t", "a", {"v": "abd"})], Whole())
    assert text.plan.changes[0].reasons == ("data",)


def test_a_step_of_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="nothing"):
        str(Step("create", None, None).ref)


def test_which_object_takes_a_detour_does_not_depend_on_the_order_of_declaring():
    desired = [want("a", "1"), want("b", "2"), want("c", "3")]
    actual = [have("a", "2"), have("b", "3"), have("c", "1")]
    one = plan_sync(desired, actual, Vacating())
    for turned in ([*desired[1:], desired[0]], list(reversed(desired))):
        assert stages(plan_sync(turned, actual, Vacating())) == stages(one)
