# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the monitor decides, against a small model of an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import pytest
from health_monitor import core
from hypothesis import given
from hypothesis import strategies as st

REASONS = st.sampled_from(["unhealthy", "dead", "paused"])
POLICY = core.Policy(attempts=3, backoff=5, backoff_max=60, jitter=0.2, stable=300, dead=10, paused=20)


@dataclass
class Container:
    """``heals_after``: so many restarts make it well; never, if there is no number."""

    status: str = "running"
    health: str = "healthy"
    exit_code: int = 0
    heals_after: Optional[int] = None
    restarts: int = 0


class World:
    """The core with one container, time that jumps to when it is asked for, and an account of what was done."""

    def __init__(self, container: Container, policy: core.Policy = POLICY) -> None:
        self.now = 1000.0
        self.container = container
        self.policy = policy
        self.state = core.State()
        self.done: list[tuple[float, core.Action]] = []
        self.send(core.Listed((self.sight(),)))

    def sight(self) -> core.Sight:
        return core.Sight("c1", "api", self.container.status, self.container.health, self.container.exit_code)

    def send(self, event: core.Event) -> None:
        self.state, actions = core.step(self.policy, self.state, event, self.now, draw=0.5)
        for action in actions:
            self.done.append((self.now, action))
            if isinstance(action, core.Look):
                self.send(core.Looked("c1", self.sight()))
            elif isinstance(action, core.Restart):
                self.restart()

    def restart(self) -> None:
        self.container.restarts += 1
        healed = self.container.heals_after is not None and self.container.restarts >= self.container.heals_after
        self.container.status, self.container.health = "running", "starting"
        for action in ("die", "stop", "start"):
            self.heard(action)
        self.send(core.Tried("c1", True))
        self.now += 1
        self.container.health = "healthy" if healed else "unhealthy"
        self.heard(self.container.health)

    def heard(self, action: str) -> None:
        self.send(core.Heard("c1", "api", action))

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.state.next_due(self.policy)) is not None and due <= end:
            self.now = max(self.now, due)
            self.send(core.Tick())
        self.now = end

    def become(self, health: str) -> None:
        self.container.health = health
        self.heard(health)

    def die(self, exit_code: int = 137) -> None:
        self.container.status, self.container.exit_code = "exited", exit_code
        self.heard("die")

    @property
    def restarts(self) -> list[float]:
        return [when for when, action in self.done if isinstance(action, core.Restart)]

    @property
    def given_up(self) -> list[core.GiveUp]:
        return [action for _when, action in self.done if isinstance(action, core.GiveUp)]


def test_an_unhealthy_container_is_restarted_at_once() -> None:
    world = World(Container(heals_after=1))
    world.become("unhealthy")
    assert world.restarts == [1000.0]
    world.wait(1000)
    assert len(world.restarts) == 1


def test_one_that_is_unhealthy_when_the_monitor_comes_is_restarted() -> None:
    assert World(Container(health="unhealthy", heals_after=1)).restarts == [1000.0]


@given(heals_after=st.one_of(st.none(), st.integers(1, 6)), attempts=st.integers(0, 5))
def test_it_is_tried_as_often_as_said_and_then_given_up_once(heals_after: Optional[int], attempts: int) -> None:
    world = World(Container(heals_after=heals_after), core.Policy(attempts=attempts))
    world.become("unhealthy")
    world.wait(100_000)
    helped = heals_after is not None and heals_after <= attempts
    assert len(world.restarts) == (heals_after if helped else attempts)
    assert [action.attempts for action in world.given_up] == ([] if helped else [attempts])
    assert world.state.given_up == ([] if helped else ["api"])


def test_the_delay_doubles() -> None:
    world = World(Container(), core.Policy(attempts=6, backoff=5, backoff_max=30, jitter=0))
    world.become("unhealthy")
    world.wait(1000)
    gaps = [later - earlier for earlier, later in zip(world.restarts, world.restarts[1:])]
    assert gaps == [6, 11, 21, 31, 31]  # it takes a second to become unhealthy again


@given(attempts=st.integers(1, 2000), draw=st.floats(0, 1, exclude_max=True), reason=REASONS)
def test_a_delay_is_within_its_bounds(attempts: int, draw: float, reason: str) -> None:
    delay = POLICY.delay(attempts, reason, draw)
    assert POLICY.backoff * (1 - POLICY.jitter) <= delay <= POLICY.backoff_max
    assert delay >= {"unhealthy": 0, "dead": POLICY.dead, "paused": POLICY.paused}[reason]


def test_attempts_are_forgotten_after_a_stable_time() -> None:
    world = World(Container(heals_after=1))
    for _round in range(10):
        world.become("unhealthy")
        world.wait(POLICY.stable + 1)
    assert len(world.restarts) == 10
    assert not world.given_up


def test_attempts_are_not_forgotten_before() -> None:
    world = World(Container(heals_after=1))
    for _round in range(10):
        world.become("unhealthy")
        world.wait(POLICY.stable / 2)
    assert len(world.restarts) == POLICY.attempts
    assert len(world.given_up) == 1


def test_what_was_given_up_and_repaired_is_watched_again() -> None:
    world = World(Container())
    world.become("unhealthy")
    world.wait(1000)
    assert world.state.given_up == ["api"]
    world.become("healthy")
    world.wait(POLICY.stable)
    assert world.state.given_up == []
    world.become("unhealthy")
    assert len(world.restarts) == POLICY.attempts + 1


def test_a_killed_container_is_restarted_when_the_engine_does_not() -> None:
    world = World(Container(heals_after=1))
    world.die()
    world.wait(60)
    assert world.restarts == [1000.0 + POLICY.dead]


def test_what_the_engine_restarts_is_left_to_it() -> None:
    world = World(Container())
    world.die()
    world.container.status = "restarting"
    world.wait(60)
    assert not world.restarts


def test_who_stops_a_container_wants_it_stopped() -> None:
    world = World(Container())
    world.die()
    world.heard("stop")
    world.send(core.Listed((world.sight(),)))
    world.wait(1000)
    assert not world.restarts
    world.container.status, world.container.exit_code = "running", 0
    world.heard("start")
    world.become("unhealthy")
    assert len(world.restarts) == 1


@pytest.mark.parametrize(("exit_code", "restarts"), [(0, 0), (143, 0), (137, 1), (1, 1)])
def test_what_died_while_nobody_listened_is_judged_by_how_it_ended(exit_code: int, restarts: int) -> None:
    world = World(Container(heals_after=1))
    world.container.status, world.container.exit_code = "exited", exit_code
    world.send(core.Listed((world.sight(),)))
    world.wait(60)
    assert len(world.restarts) == restarts


def test_what_was_never_seen_alive_is_left() -> None:
    world = World(Container(status="exited", exit_code=1))
    world.wait(1000)
    assert not world.done


@pytest.mark.parametrize("health", ["healthy", "unhealthy"])
def test_a_container_that_stays_paused_is_restarted(health: str) -> None:
    world = World(Container(status="paused", health=health, heals_after=1))
    world.wait(1000)
    assert world.restarts == [1000.0 + POLICY.paused]


def test_a_short_pause_is_left() -> None:
    world = World(Container(health="healthy"))
    for _round in range(10):
        world.container.status = "paused"
        world.heard("pause")
        world.wait(POLICY.paused - 1)
        world.container.status = "running"
        world.heard("unpause")
        world.wait(POLICY.paused)
    assert not world.done


def test_what_became_unhealthy_by_a_pause_has_the_time_of_the_pause() -> None:
    world = World(Container(health="healthy", heals_after=1))
    world.container.status = "paused"
    world.become("unhealthy")
    world.wait(POLICY.paused - 1)
    assert not world.restarts
    world.wait(1)
    assert world.restarts == [1000.0 + POLICY.paused]


def test_a_container_that_is_gone_is_forgotten() -> None:
    world = World(Container(health="healthy"))
    world.die()
    world.heard("destroy")
    world.wait(1000)
    assert not world.done
    assert not world.state.containers


def test_a_restart_that_the_engine_refuses_is_tried_again() -> None:
    state, _actions = core.step(POLICY, core.State(), core.Listed((SICK,)), 0)
    state, (restart,) = core.step(POLICY, state, core.Looked("c1", SICK), 0)
    assert isinstance(restart, core.Restart)
    state, actions = core.step(POLICY, state, core.Tried("c1", False), 10)
    assert not actions
    assert state.next_due(POLICY) == 10 + POLICY.backoff


SICK = core.Sight("c1", "api", "running", "unhealthy")

IDS = st.sampled_from(["a", "b"])
SIGHTS = st.builds(
    core.Sight,
    IDS,
    st.just("api"),
    st.sampled_from(["running", "exited", "restarting", "paused", "dead", "created"]),
    st.sampled_from(["", "starting", "healthy", "unhealthy"]),
    st.sampled_from([0, 1, 137, 143]),
)
EVENTS = st.one_of(
    st.builds(core.Listed, st.lists(SIGHTS, max_size=2, unique_by=lambda sight: sight.id).map(tuple)),
    st.builds(
        core.Heard,
        IDS,
        st.just("api"),
        st.sampled_from(["start", "die", "stop", "destroy", "pause", "unpause", "healthy", "unhealthy"]),
    ),
    st.builds(lambda sight: core.Looked(sight.id, sight), SIGHTS),
    st.builds(core.Looked, IDS, st.none()),
    st.builds(core.Tried, IDS, st.booleans()),
    st.just(core.Tick()),
)


@given(history=st.lists(st.tuples(EVENTS, st.floats(0, 400), st.floats(0, 1, exclude_max=True)), max_size=40))
def test_whatever_is_heard_only_what_was_just_seen_to_be_bad_is_restarted(
    history: list[tuple[core.Event, float, float]],
) -> None:
    state, now = core.State(), 0.0
    for event, passed, draw in history:
        now += passed
        state, actions = core.step(POLICY, state, event, now, draw)
        for action in actions:
            assert action.id in state.containers
            if isinstance(action, core.Look):
                continue
            assert isinstance(event, core.Looked)
            assert event.sight is not None
            assert not event.sight.runs or event.sight.health == "unhealthy" or event.sight.status == "paused"
            if isinstance(action, core.Restart):
                assert 1 <= action.attempt <= POLICY.attempts
        assert all(not watched.stopped or watched.due is None for watched in state.containers.values())
        # Whoever is bad has a time at which it goes on, waits for an answer, or has been given up.
        assert all(w.due is not None or w.busy or w.given_up for w in state.containers.values() if w.reason)
        due = state.next_due(POLICY)
        assert due is None or due > now
