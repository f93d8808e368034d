"""Cases of IsInf."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    for dtype in (np.float32, np.float64):
        x = np.array([0.0, np.nan, np.inf, -np.inf], dtype)
        yield str(np.dtype(dtype)), [x], {}
        yield f"{np.dtype(dtype)}-positive", [x], {"detect_negative": 0}
        yield f"{np.dtype(dtype)}-negative", [x], {"detect_positive": 0}
