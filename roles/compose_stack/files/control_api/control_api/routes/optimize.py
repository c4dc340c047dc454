# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The optimiser as a route: in a thread beside the event loop, so many at once, ended when the client leaves."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Optional

import anyio
from anyio import to_thread
from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from control_api.access import User
from control_api.optimizer import Answer, Choice, Count, Problem
from control_api.problems import RESPONSES
from control_api.routes.forms import Amount, Form, Name, Value, Whole

router = APIRouter(prefix="/api/optimize", tags=["optimize"])

Number = Annotated[int, Field(strict=True, ge=0, le=10_000), Whole]


# pydantic tells of a name's pattern alone, and not that other names are refused.
NAMES: dict[str, Any] = {"additionalProperties": False, "propertyNames": {"minLength": 1, "maxLength": 100}}


class ChoiceForm(Form):
    cost: Amount
    value: Value
    group: Optional[Name] = None


class CountForm(Form):
    """How many are chosen, both included."""

    min: Number = 0
    max: Optional[Number] = None

    def count(self) -> Count:
        return Count(self.min, self.max)


class Question(Form):
    """Which of the items, by id, are worth most, within budget and counts. Money counts in its smallest unit.

    seconds: the time to search; the server's maximum holds too.
    """

    items: Annotated[dict[Name, ChoiceForm], Field(min_length=1, max_length=1000, json_schema_extra=NAMES)]
    budget: Annotated[int, Field(strict=True, ge=0, le=10**16), Whole]
    count: CountForm = CountForm()
    groups: Annotated[dict[Name, CountForm], Field(max_length=1000, default_factory=dict, json_schema_extra=NAMES)]
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
    seconds = min(question.seconds or settings.optimize_seconds, settings.optimize_seconds)
    problem = Problem(
        [Choice(name, item.cost, item.value, item.group) for name, item in question.items.items()],
        question.budget,
        question.count.count(),
        {name: form.count() for name, form in question.groups.items()},
        seconds,
    )
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
