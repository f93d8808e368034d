"""Cases of IsNaN."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    for dtype in (np.float32, np.float64):
        yield str(np.dtype(dtype)), [np.array([0.0, np.nan, np.inf, -np.inf], dtype)], {}
