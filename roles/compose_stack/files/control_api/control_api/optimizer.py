# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose what is worth most: a knapsack with counts and groups, by OR-Tools' CP-SAT.

    maximise  sum of value over the chosen
    such that sum of cost <= budget, min <= how many are chosen <= max, and the same for each group

Pure but for the clock: one thread, a fixed seed, so that the same question has the same answer when there is time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ortools.sat.python import cp_model


@dataclass(frozen=True)
class Choice:
    """cost, value: whole numbers in the smallest unit, cost not negative. group: None for none."""

    id: str
    cost: int
    value: int
    group: Optional[str] = None


@dataclass(frozen=True)
class Count:
    """How many are chosen, both included; most None for any number."""

    least: int = 0
    most: Optional[int] = None


@dataclass(frozen=True)
class Answer:
    """status: optimal; feasible (good, but time ran out before it was proved best); infeasible; unknown (time ran out).

    chosen: ids in the order given. value, cost: of the chosen. bound: no choice is worth more.
    """

    status: str
    chosen: tuple[str, ...] = ()
    value: Optional[int] = None
    cost: Optional[int] = None
    bound: Optional[int] = None


class Problem:
    """One question. `solve` is called once, in a thread; `stop` ends it early from any other."""

    def __init__(
        self, choices: Sequence[Choice], budget: int, count: Count, groups: Mapping[str, Count], seconds: float
    ) -> None:
        members: dict[str, list[cp_model.IntVar]] = {name: [] for name in groups}
        self._choices = choices
        self._model = cp_model.CpModel()
        self._solver = cp_model.CpSolver()
        self._taken = [self._model.new_bool_var("") for choice in choices]
        for choice, taken in zip(choices, self._taken):
            if choice.group in members:
                members[choice.group].append(taken)
        self._model.add(sum(choice.cost * taken for choice, taken in zip(choices, self._taken)) <= budget)
        self._limit(self._taken, count)
        for name, limits in groups.items():
            self._limit(members[name], limits)
        self._model.maximize(sum(choice.value * taken for choice, taken in zip(choices, self._taken)))
        self._solver.parameters.max_time_in_seconds = seconds
        self._solver.parameters.num_workers = 1
        self._solver.parameters.random_seed = 1

    def _limit(self, taken: Sequence[cp_model.IntVar], count: Count) -> None:
        if not taken and count.least:
            # CP-SAT drops a constraint on nothing instead of finding it violated.
            self._model.add_bool_or([])
        most = len(taken) if count.most is None else count.most
        self._model.add_linear_constraint(cp_model.LinearExpr.sum(list(taken)), count.least, most)

    def solve(self) -> Answer:
        status = self._solver.solve(self._model)
        if status == cp_model.INFEASIBLE:
            return Answer("infeasible")
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return Answer("unknown")
        chosen = [choice for choice, taken in zip(self._choices, self._taken) if self._solver.boolean_value(taken)]
        return Answer(
            "optimal" if status == cp_model.OPTIMAL else "feasible",
            tuple(choice.id for choice in chosen),
            sum(choice.value for choice in chosen),
            sum(choice.cost for choice in chosen),
            int(self._solver.best_objective_bound),
        )

    def stop(self) -> None:
        self._solver.stop_search()
