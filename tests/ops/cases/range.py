"""Cases of Range."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    for dtype in (np.float32, np.float64, np.int64):
        yield f"{np.dtype(dtype)}", [np.array(v, dtype) for v in (1, 9, 2)], {}
        yield f"{np.dtype(dtype)}-down", [np.array(v, dtype) for v in (5, -2, -3)], {}
        yield f"{np.dtype(dtype)}-empty", [np.array(v, dtype) for v in (5, 5, 1)], {}
    yield "tenths", [np.array(v, np.float32) for v in (0.0, 0.95, 0.1)], {}
