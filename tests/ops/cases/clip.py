"""Cases of Clip."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    for dtype in (np.float32, np.float64, np.int64):
        x = np.array([[-3, -1, 0], [1, 2, 5]], dtype)
        low, high = np.array(-1, dtype), np.array(2, dtype)
        yield f"{np.dtype(dtype)}", [x, low, high], {}
        yield f"{np.dtype(dtype)}-low", [x, low], {}
        yield f"{np.dtype(dtype)}-high", [x, None, high], {}
        yield f"{np.dtype(dtype)}-none", [x], {}
