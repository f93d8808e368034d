"""A global spline by generalised least squares, the noise of both sides carried through: see inverse/spline.py."""

from __future__ import annotations

from typing import final

import numpy as np

from ..regression import Answer
from ..space import Space
from ..spline import fit
from ..task import Array, Estimate, Method, Task


@final
class Spline(Method):
    """Milliseconds, and never out of the question."""

    def estimate(self, task: Task) -> Estimate:
        """lambda and its deviation."""
        answer = fit(task.fields, task.smoothed, task.space)
        about = f"{task.smoothed.description}; curvature {answer.strength:.3g}"
        return Estimate(task.space.at(answer.c), deviation(task.space, answer), about)


def deviation(space: Space, answer: Answer) -> Array:
    """Standard deviation of lambda at its samples."""
    lines = space.at(np.eye(space.count)).reshape(-1, space.count)
    found: Array = np.sqrt(np.maximum(((lines @ answer.covariance) * lines).sum(1), 0.0))
    return found.reshape([len(line) for line in space.lines])


METHOD = Spline()
