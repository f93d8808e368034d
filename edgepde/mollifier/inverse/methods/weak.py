"""Weak form: the statement against smooth test functions, every derivative moved onto them; see inverse/weak.py."""

from __future__ import annotations

from typing import final

from ..task import Estimate, Method, Task
from ..weak import fit
from .spline import deviation


@final
class Weak(Method):
    """Raw readings are averaged, never differentiated."""

    def estimate(self, task: Task) -> Estimate:
        """lambda and its deviation."""
        answer, rows = fit(task.values, task.smoothed, task.grid, task.statement, task.space)
        about = f"{rows} test functions; curvature {answer.strength:.3g}"
        return Estimate(task.space.at(answer.c), deviation(task.space, answer), about)


METHOD = Weak()
