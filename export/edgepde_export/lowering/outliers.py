"""A backend that is off by far more than another does not round: it computes something else."""

from __future__ import annotations

import math
from collections.abc import Mapping

from edgepde_runtime.errors import BackendError

FACTOR = 100.0
LEAST_UNITS = 16.0


def refuse_outliers(errors: Mapping[str, float], size: float, unit: float) -> None:
    """Raises BackendError where one backend's largest error is beyond FACTOR times the smallest of all.

    errors: largest |device - float64 network| by backend; size: the largest value; unit: roundoff of the output's type,
    of which LEAST_UNITS times the size count as no error. Where no backend is finite there is nothing to compare.
    """
    best = min(errors, key=lambda name: errors[name] if errors[name] >= 0.0 else math.inf)
    if not math.isfinite(errors[best]):
        return
    allowed = FACTOR * max(errors[best], LEAST_UNITS * unit * size)
    for name, error in errors.items():
        if not error <= allowed:
            raise BackendError(
                f"backend {name} is off by {error:.3g} where {best} is off by {errors[best]:.3g}: it computes another "
                f"function than the graph's, which is a fault of ours; nothing was written"
            )
