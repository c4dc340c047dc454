# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The optimiser as a route: in a thread beside the event loop, so many at once, ended when the client leaves."""

from __future__ import annotations

from typing import Annotated, Literal, Optional

import anyio
from anyio import to_thread
from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from control_api.access import User
from control_api.optimizer import Answer, Choice, Count, Problem
from control_api.problems import RESPONSES
from control_api.routes.forms import Amount, Form, Name, Value

router = APIRouter(prefix="/api/optimize", tags=["optimize"])

Whole = Annotated[int, Field(strict=True, ge=0, le=10_000)]


class ChoiceForm(Form):
    id: Name
    cost: Amount
    value: Value
    group: Optional[Name] = None


class CountForm(Form):
    """How many are chosen, both included."""

    min: Whole = 0
    max: Optional[Whole] = None

    def count(self) -> Count:
        return Count(self.min, self.max)


class Question(Form):
    """Which of the items are worth most, within budget and counts. Money counts in its smallest unit.

    seconds: the time to search; the server's maximum holds too.
    """

    items: Annotated[list[ChoiceForm], Field(min_length=1, max_length=10_000)]
    budget: Annotated[int, Field(strict=True, ge=0, le=10**16)]
    count: CountForm = CountForm()
    groups: Annotated[dict[Name, CountForm], Field(max_length=1000, default_factory=dict)]
    seconds: Annotated[Optional[float], Field(gt=0, le=300, allow_inf_nan=False)] = None


class Result(BaseModel):
    """status: optimal; feasible, when time ran out before it was proved best; infeasible; unknown, when it ran out
    before any was found. bound: no choice is worth more."""

    model_config = ConfigDict(from_attributes=True)

    status: Literal["optimal", "feasible", "infeasible", "unknown"]
    chosen: list[str]
    value: Optional[int]
    cost: Optional[int]
    bound: Optional[int]


@router.post("", responses={503: {**RESPONSES["default"], "description": "Too many are being answered"}})
async def optimize(question: Question, request: Request, user: User) -> Result:
    settings = request.app.state.settings
    if len(question.items) > settings.optimize_items:
        raise HTTPException(422, f"At most {settings.optimize_items} items can be chosen from.")
    seconds = min(question.seconds or settings.optimize_seconds, settings.optimize_seconds)
    try:
        problem = Problem(
            [Choice(item.id, item.cost, item.value, item.group) for item in question.items],
            question.budget,
            question.count.count(),
            {name: form.count() for name, form in question.groups.items()},
            seconds,
        )
    except ValueError as error:
        raise HTTPException(422, f"items: {error}.") from None
    limiter: anyio.CapacityLimiter = request.app.state.optimizations
    if limiter.available_tokens < 1:
        raise HTTPException(503, "As many questions as allowed are being answered.", {"Retry-After": "1"})
    return Result.model_validate(await _answer(problem, request, limiter))


async def _answer(problem: Problem, request: Request, limiter: anyio.CapacityLimiter) -> Answer:
    """Solve in a thread; a client that leaves, and a server that shuts down, stop the search."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        problem.stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        try:
            answer = await to_thread.run_sync(problem.solve, limiter=limiter)
        finally:
            problem.stop()
        tasks.cancel_scope.cancel()
    return answer
