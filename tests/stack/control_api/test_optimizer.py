# Copyright: (c) 2026, zerotrust.platform contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The optimiser against trying everything, and its bounds."""

from __future__ import annotations

import itertools
import random
import threading
import time
from typing import Any, Callable

import anyio
import httpx
import pytest
from control_api import keys
from control_api.optimizer import Choice, Count, Problem
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.stack.control_api.conftest import key_of

COUNTS = st.builds(Count, st.integers(0, 3), st.none() | st.integers(0, 5))
CHOICES = st.lists(
    st.tuples(st.integers(0, 9), st.integers(-5, 9), st.sampled_from(["a", "b", None])), min_size=1, max_size=7
).map(lambda rows: [Choice(str(n), *row) for n, row in enumerate(rows)])


def _fits(count: Count, number: int) -> bool:
    return count.least <= number <= (number if count.most is None else count.most)


def _best_of_all(choices: list[Choice], budget: int, count: Count, groups: dict[str, Count]) -> Any:
    """The highest value that any subset has, None if none is allowed."""
    return max(
        (
            sum(choice.value for choice in chosen)
            for number in range(len(choices) + 1)
            for chosen in itertools.combinations(choices, number)
            if sum(choice.cost for choice in chosen) <= budget
            and _fits(count, number)
            and all(_fits(limit, sum(c.group == name for c in chosen)) for name, limit in groups.items())
        ),
        default=None,
    )


@given(CHOICES, st.integers(0, 30), COUNTS, st.dictionaries(st.sampled_from("abc"), COUNTS))
def test_nothing_better_can_be_chosen(
    choices: list[Choice], budget: int, count: Count, groups: dict[str, Count]
) -> None:
    answer = Problem(choices, budget, count, groups, 10).solve()
    best = _best_of_all(choices, budget, count, groups)
    if best is None:
        assert answer.status == "infeasible"
        return
    chosen = [choice for choice in choices if choice.id in answer.chosen]
    assert (answer.status, answer.value, answer.bound) == ("optimal", best, best)
    assert (sum(c.value for c in chosen), sum(c.cost for c in chosen)) == (answer.value, answer.cost)
    assert _best_of_all(chosen, budget, count, groups) is not None


def _hard(number: int = 400) -> list[Choice]:
    """A knapsack on which a search goes on: value and cost go together, with large numbers."""
    source = random.Random(1)
    costs = [source.randrange(10**11, 10**12) for _n in range(number)]
    return [Choice(str(n), cost, cost + source.randrange(10**9), str(n % 40)) for n, cost in enumerate(costs)]


def _hard_problem(seconds: float) -> Problem:
    choices = _hard()
    groups = {str(n): Count(1, 4) for n in range(40)}
    return Problem(choices, sum(c.cost for c in choices) // 3, Count(50, 130), groups, seconds)


def test_time_is_bounded() -> None:
    begin = time.monotonic()
    answer = _hard_problem(0.5).solve()
    assert answer.status in ("optimal", "feasible", "unknown")
    assert time.monotonic() - begin < 5


def test_a_search_can_be_stopped() -> None:
    problem = _hard_problem(60)
    stopper = threading.Timer(0.5, problem.stop)
    stopper.start()
    begin = time.monotonic()
    problem.solve()
    stopper.join()
    assert time.monotonic() - begin < 20


QUESTION = {
    "items": {c.id: {"cost": c.cost, "value": c.value, "group": c.group} for c in _hard(300)},
    "budget": sum(c.cost for c in _hard(300)) // 3,
    "groups": {str(n): {"min": 1, "max": 3} for n in range(40)},
}


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"budget": 0, "count": {"min": 1}}, 200, "infeasible"),
        ({"count": {"min": 5, "max": 4}}, 200, "infeasible"),
        ({"groups": {"none of them": {"min": 1}}}, 200, "infeasible"),
        ({"items": {}}, 422, "items"),
        ({"items": {str(n): {"cost": 1, "value": 1} for n in range(1001)}}, 422, "items"),
        ({"items": {"a": {"cost": 1.5, "value": 1}}}, 422, "items/a/cost"),
        ({"budget": -1}, 422, "budget"),
        ({"seconds": 0}, 422, "seconds"),
    ],
)
def test_a_question_is_answered_or_told_what_is_wrong(
    client: TestClient, user: dict[str, str], change: dict[str, Any], status: int, told: str
) -> None:
    small = {"items": {"a": {"cost": 1, "value": 1}}, "budget": 1, **change}
    answer = client.post("/api/optimize", headers=user, json=small)
    assert (answer.status_code, told in answer.text) == (status, True), answer.text


def test_others_are_answered_during_a_search_and_too_many_searches_are_refused(made: Callable[..., FastAPI]) -> None:
    app = made(optimize_jobs=1, optimize_seconds=2)
    header = key_of(app, "ann", keys.Role.USER)

    async def talk() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
            answers: list[httpx.Response] = []

            async def ask() -> None:
                answers.append(await client.post("/api/optimize", headers=header, json=QUESTION))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                while app.state.optimizations.borrowed_tokens == 0:
                    await anyio.sleep(0.001)
                begin = time.monotonic()
                assert (await client.get("/health")).status_code == 200
                assert time.monotonic() - begin < 1
                assert not answers
                await ask()
            assert [answer.status_code for answer in answers] == [503, 200]
            assert answers[0].headers["retry-after"] == "1"

    anyio.run(talk)
