"""A solver in the loop, started from the spline estimate; see inverse/solver.py."""

from __future__ import annotations

from typing import final

from ..solver import refine
from ..space import space
from ..spline import fit
from ..task import Estimate, Method, Task
from .spline import deviation

MOST = 12


@final
class Solver(Method):
    """Seconds; the best where the statement can be solved forwards."""

    def estimate(self, task: Task) -> Estimate:
        """lambda, its deviation and the misfit of the readings."""
        own = space(task.grid, task.statement.over, MOST)
        start = fit(task.fields, task.smoothed, own)
        answer = refine(task.values, task.grid, task.statement, task.smoothed, own, start)
        about = f"curvature {answer.strength:.3g}, misfit {answer.misfit:.4f}"
        return Estimate(own.at(answer.c), deviation(own, answer), about, answer.misfit)


METHOD = Solver()
