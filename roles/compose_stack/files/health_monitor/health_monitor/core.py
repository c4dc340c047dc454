# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be done: a pure function of what was known, what has been heard, and the time.

A container is *bad* when the engine calls it unhealthy, when it is dead and the engine does not restart it, or when it
has been paused for long: nobody asks the paused one for its health. What is bad is looked at once more when its delay
is over (`Look`), and restarted if it still is (`Restart`). The delay doubles with each attempt; when all are used up,
that is said once (`GiveUp`). Attempts are forgotten when a container has been well for long enough.

Whoever says `docker stop` wants a container to be stopped: it is left alone until it is started. `docker kill` is no
such wish, though the engine takes it for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Optional, Union

#: 128 + SIGTERM: with 0, how a container ends that was asked to.
ASKED_TO_END = frozenset({0, 143})


@dataclass(frozen=True)
class Policy:
    """Times in seconds. ``jitter``: the share of a delay that is left to chance."""

    attempts: int = 5
    backoff: float = 5.0
    backoff_max: float = 300.0
    jitter: float = 0.2
    stable: float = 300.0
    dead: float = 10.0
    paused: float = 20.0

    def delay(self, attempts: int, reason: str, draw: float) -> float:
        """Before the next attempt; ``draw`` is in [0, 1). What is dead is left to the engine for a moment, and what is
        paused to whoever did it, such as `docker commit`."""
        least = {"dead": self.dead, "paused": self.paused}.get(reason, 0.0)
        if attempts == 0:
            return least
        exponential = min(self.backoff_max, self.backoff * 2.0 ** min(attempts - 1, 60))
        return max(least, exponential * (1 - self.jitter * draw))


@dataclass(frozen=True)
class Sight:
    """A container as the engine shows it: ``status`` as in State.Status, ``health`` as in State.Health.Status or ''."""

    id: str
    service: str
    status: str
    health: str
    exit_code: int = 0

    @property
    def runs(self) -> bool:
        """Also while it is paused, or being restarted by the engine."""
        return self.status in ("running", "paused", "restarting")


@dataclass(frozen=True)
class Listed:
    """All containers there are."""

    sights: tuple[Sight, ...]


@dataclass(frozen=True)
class Looked:
    """The answer to `Look`; nothing where the container is gone."""

    id: str
    sight: Optional[Sight]


@dataclass(frozen=True)
class Heard:
    """An event of the engine: start, die, stop, destroy, pause, unpause, healthy, unhealthy."""

    id: str
    service: str
    action: str


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True)
class Tried:
    """A restart, or a look, has ended: whether the engine did it."""

    id: str
    succeeded: bool


Event = Union[Listed, Looked, Heard, Tick, Tried]


@dataclass(frozen=True)
class Look:
    """Inspect it; answer with `Looked`, or with `Tried` when the engine does not answer."""

    id: str


@dataclass(frozen=True)
class Restart:
    """Restart it; answer with `Tried`. ``reason``: unhealthy, dead or paused."""

    id: str
    service: str
    reason: str
    attempt: int


@dataclass(frozen=True)
class GiveUp:
    """All attempts were for nothing; somebody has to look."""

    id: str
    service: str
    reason: str
    attempts: int


Action = Union[Look, Restart, GiveUp]


@dataclass(frozen=True)
class Watched:
    """A container that is watched. ``due``: when it is looked at again; ``busy``: an answer is waited for."""

    id: str
    service: str
    reason: str = ""
    stopped: bool = False
    attempts: int = 0
    due: Optional[float] = None
    busy: bool = False
    well_since: Optional[float] = None
    given_up: bool = False


@dataclass(frozen=True)
class State:
    """All containers by their ids."""

    containers: Mapping[str, Watched] = field(default_factory=dict)

    @property
    def given_up(self) -> list[str]:
        """The services that nobody tries to restart any more."""
        return sorted(watched.service for watched in self.containers.values() if watched.given_up)

    def next_due(self, policy: Policy) -> Optional[float]:
        """When `Tick` is needed next."""
        times = [w.due for w in self.containers.values() if w.due is not None and not w.busy]
        times += [
            w.well_since + policy.stable
            for w in self.containers.values()
            if w.well_since is not None and (w.attempts or w.given_up)
        ]
        return min(times, default=None)


def step(policy: Policy, state: State, event: Event, now: float, draw: float = 0.0) -> tuple[State, list[Action]]:
    """The state after the event, and what is to be done. ``now`` is monotonic; ``draw`` is by chance, in [0, 1)."""
    containers = dict(state.containers)
    actions: list[Action] = []
    if isinstance(event, Listed):
        _listed(policy, containers, event, now, draw)
    elif isinstance(event, Heard):
        _heard(policy, containers, event, now, draw)
    elif isinstance(event, Looked):
        _looked(policy, containers, event, now, draw, actions)
    elif isinstance(event, Tried):
        _tried(policy, containers, event, now, draw)
    _pass_time(policy, containers, now, actions)
    return State(containers), actions


def _listed(policy: Policy, containers: dict[str, Watched], event: Listed, now: float, draw: float) -> None:
    seen = {sight.id for sight in event.sights}
    for gone in set(containers) - seen:
        del containers[gone]
    for sight in event.sights:
        known = containers.get(sight.id)
        watched = known or Watched(sight.id, sight.service)
        stopped = not sight.runs and (watched.stopped or (not watched.reason and _wished(known, sight)))
        containers[sight.id] = _judged(policy, replace(watched, stopped=stopped), sight, now, draw)


def _wished(known: Optional[Watched], sight: Sight) -> bool:
    """Nobody has told how it ended: one that was never seen alive is left, and so is one that ended as if asked to."""
    return known is None or sight.exit_code in ASKED_TO_END


def _judged(policy: Policy, watched: Watched, sight: Sight, now: float, draw: float) -> Watched:
    if watched.stopped:
        return _left(watched)
    if not sight.runs:
        return _bad(policy, watched, "dead", now, draw)
    if sight.status == "paused":
        return _bad(policy, watched, "paused", now, draw)
    if sight.health == "unhealthy":
        return _bad(policy, watched, "unhealthy", now, draw)
    return _running(watched, sight.health != "starting", now)


def _heard(policy: Policy, containers: dict[str, Watched], event: Heard, now: float, draw: float) -> None:
    if event.action == "destroy":
        containers.pop(event.id, None)
        return
    watched = containers.get(event.id) or Watched(event.id, event.service)
    if event.action == "start":
        # Its health is not known before the engine has asked; a container without a check is well as it runs.
        watched = _running(replace(watched, stopped=False), True, now)
    elif event.action == "stop":
        # A restart of ours is heard as a stop too, and is no wish.
        watched = watched if watched.busy else _left(replace(watched, stopped=True))
    elif event.action in ("healthy", "unpause"):
        watched = _running(watched, True, now)
    elif event.action == "pause":
        watched = _bad(policy, watched, "paused", now, draw)
    elif event.action == "unhealthy":
        watched = _bad(policy, watched, "unhealthy", now, draw)
    elif event.action == "die" and not watched.stopped and not watched.busy:
        watched = _bad(policy, watched, "dead", now, draw)
    containers[event.id] = watched


def _looked(
    policy: Policy, containers: dict[str, Watched], event: Looked, now: float, draw: float, actions: list[Action]
) -> None:
    watched = containers.get(event.id)
    if watched is None:
        return
    if event.sight is None:
        del containers[event.id]
        return
    expected = watched.reason
    watched = _judged(policy, replace(watched, busy=False), event.sight, now, draw)
    # What is bad for another reason than it was looked at for has that one's delay.
    if watched.reason and watched.reason == expected:
        if watched.attempts < policy.attempts:
            watched = replace(watched, attempts=watched.attempts + 1, due=None, busy=True)
            actions.append(Restart(watched.id, watched.service, watched.reason, watched.attempts))
        else:
            actions.append(GiveUp(watched.id, watched.service, watched.reason, watched.attempts))
            watched = replace(watched, given_up=True, due=None)
    containers[event.id] = watched


def _tried(policy: Policy, containers: dict[str, Watched], event: Tried, now: float, draw: float) -> None:
    watched = containers.get(event.id)
    if watched is None or not watched.busy:
        return
    watched = replace(watched, busy=False)
    if not event.succeeded or watched.reason:
        # Whether it helped is looked at after the next delay, in case that no event tells.
        watched = replace(watched, due=now + policy.delay(max(watched.attempts, 1), watched.reason, draw))
    containers[event.id] = watched


def _bad(policy: Policy, watched: Watched, reason: str, now: float, draw: float) -> Watched:
    if watched.reason == reason and (watched.due is not None or watched.busy or watched.given_up):
        return watched
    due = None if watched.given_up else now + policy.delay(watched.attempts, reason, draw)
    return replace(watched, reason=reason, well_since=None, due=due)


def _running(watched: Watched, well: bool, now: float) -> Watched:
    since = (watched.well_since if watched.well_since is not None else now) if well else None
    return replace(watched, reason="", due=None, well_since=since)


def _left(watched: Watched) -> Watched:
    return replace(watched, reason="", due=None, well_since=None, attempts=0, given_up=False)


def _pass_time(policy: Policy, containers: dict[str, Watched], now: float, actions: list[Action]) -> None:
    for watched in list(containers.values()):
        if watched.well_since is not None and now >= watched.well_since + policy.stable:
            containers[watched.id] = replace(watched, attempts=0, given_up=False)
        elif watched.due is not None and not watched.busy and now >= watched.due:
            containers[watched.id] = replace(watched, busy=True, due=None)
            actions.append(Look(watched.id))
