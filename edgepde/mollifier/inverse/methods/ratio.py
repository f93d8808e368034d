"""Point by point, regularised by the noise: lambda = sum f D / (sum D^2 + a), sums over the axes lambda has not."""

from __future__ import annotations

from typing import final

import numpy as np

from ..spline import noise_of_operator
from ..task import Estimate, Method, Task


@final
class Ratio(Method):
    """f = left - source, D the operator; a = sum of the variances that the readings' noise gives D."""

    def estimate(self, task: Task) -> Estimate:
        """lambda."""
        f, d = task.fields.target, task.fields.operator
        a = noise_of_operator(task.fields, task.smoothed).sum(task.pooled)
        bottom = (d * d).sum(task.pooled) + a
        lam = (f * d).sum(task.pooled) / np.maximum(bottom, np.finfo(float).tiny)
        return Estimate(lam, np.full_like(lam, np.nan), task.smoothed.description)


METHOD = Ratio()
