"""y = largest element of x over axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._numpy import Array, reduction


def extreme(x: Array, **options: Any) -> Array:
    """np.max, with the smallest number of the dtype where there are no elements."""
    bottom = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return np.asarray(np.max(x, initial=bottom, **options))


run = reduction(extreme)
