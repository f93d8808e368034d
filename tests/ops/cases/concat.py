"""Cases of Concat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    a, b = np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(4, dtype=np.float32).reshape(2, 2)
    yield "columns", [a, b], {"axis": 1}
    yield "last", [a, b, a], {"axis": -1}
    yield "rows", [a, a], {"axis": 0}
    yield "shape", [np.array([2]), np.array([3, 4])], {"axis": 0}
    yield "empty", [a, a[:, :0]], {"axis": 1}
