"""x[starts : ends : steps] along axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._numpy import Inputs, Outputs, normalised, optional, present


def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
    """Positions from the end are negative, those outside are cut to the size; ValueError for a step of 0."""
    x, starts, ends = present(inputs[:3])
    axes, steps = optional(inputs, 3), optional(inputs, 4)
    chosen = range(len(starts)) if axes is None else [int(a) for a in axes]
    index = [slice(None)] * x.ndim
    for i, axis in enumerate(normalised(chosen, x.ndim)):
        start, end, step = int(starts[i]), int(ends[i]), 1 if steps is None else int(steps[i])
        # Backwards, a Python slice ends before the first element only where its end is None.
        index[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
    return (x[tuple(index)],)
