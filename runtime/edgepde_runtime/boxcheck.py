"""Whether inputs lie in their box.

Inside is min(low, fl(low)) <= x <= max(high, fl(high)), fl = rounding to the input's dtype or, if that is coarser, to
the caller's: a bound that was rounded to either stays inside. x is compared before any cast. What the caller's coarser
dtype put past the graph's own limits is moved back to them (`inputs.py` flags it as rounded).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .manifest import InputSpec

Limits = NDArray[np.float64]


def limits(spec: InputSpec, dtype: np.dtype[np.floating] | None = None) -> tuple[Limits, Limits]:
    """The lowest and highest value inside, per column [d], float64, for numbers of `dtype` (None: the input's own)."""
    low = np.array([c.low for c in spec.columns], dtype=np.float64)
    high = np.array([c.high for c in spec.columns], dtype=np.float64)
    lowest, highest = low, high
    for rounding in {np.dtype(spec.dtype), np.dtype(dtype or spec.dtype)}:
        with np.errstate(over="ignore"):
            lowest = np.minimum(lowest, low.astype(rounding))
            highest = np.maximum(highest, high.astype(rounding))
    return lowest, highest


def outside(x: NDArray[np.floating], spec: InputSpec) -> NDArray[np.bool_]:
    """Which values of x [n, d] lie outside, [n, d]; NaN does."""
    low, high = limits(spec, x.dtype)
    return ~((x >= low) & (x <= high))


def first_outside(x: NDArray[np.floating], spec: InputSpec) -> str | None:
    """The first value outside in words: row, column, value, box and how many more; None where all are inside."""
    where = outside(x, spec)
    if not where.any():
        return None
    row, j = (int(v) for v in np.argwhere(where)[0])
    column = spec.columns[j]
    unit = f" {column.unit}" if column.unit else ""
    more = int(where.any(axis=1).sum()) - 1
    rest = f" (and {more} more row{'s' if more > 1 else ''})" if more else ""
    value, box = float(x[row, j]), f"[{column.low!r}, {column.high!r}]"
    return f"row {row}, column {column.name}: {value!r}{unit} outside {box}{unit}{rest}"
