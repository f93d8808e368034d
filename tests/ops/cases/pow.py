"""Cases of Pow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    for dtype in (np.float32, np.float64):
        base = np.array([[0.5, 1.0, 2.5], [0.1, 3.0, 0.0]], dtype)
        yield f"{np.dtype(dtype)}-scalar", [base, np.array(2.0, dtype)], {}
        yield f"{np.dtype(dtype)}-broadcast", [base, np.array([0.5, 1.5, 3.0], dtype)], {}
        yield f"{np.dtype(dtype)}-negative-base", [-base, np.array(3.0, dtype)], {}
    yield "integer-exponent", [np.array([-2.0, 3.0], np.float32), np.array([3, 2], np.int64)], {}
    yield "integer-base", [np.array([2, -3], np.int64), np.array([3, 2], np.int64)], {}
