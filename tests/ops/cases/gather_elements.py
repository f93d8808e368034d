"""Cases of GatherElements."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(9, dtype=np.float32).reshape(3, 3)
    yield "rows", [x, np.array([[1, 2, 0], [2, 0, 0]])], {}
    yield "columns", [x, np.array([[0, 0], [1, 0], [-1, 2]])], {"axis": 1}
    yield "int32", [x, np.array([[0], [2], [1]], np.int32)], {"axis": -1}
