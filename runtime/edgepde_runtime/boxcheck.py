"""Whether inputs lie in their box.

Inside is min(low, fl(low)) <= x <= max(high, fl(high)), fl = rounding to the input's dtype: a bound that the caller
has rounded to that dtype stays inside, which is half a unit in its last place at most. x is compared before any cast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .manifest import InputSpec


def limits(spec: InputSpec) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lowest and highest value inside, per column [d], float64."""
    low = np.array([c.low for c in spec.columns], dtype=np.float64)
    high = np.array([c.high for c in spec.columns], dtype=np.float64)
    rounded_low, rounded_high = low.astype(spec.dtype), high.astype(spec.dtype)
    return np.minimum(low, rounded_low), np.maximum(high, rounded_high)


def outside(x: NDArray[np.floating], spec: InputSpec) -> NDArray[np.bool_]:
    """Which values of x [n, d] lie outside, [n, d]; NaN does."""
    low, high = limits(spec)
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
