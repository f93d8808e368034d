"""Cases of Gather."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    yield "rows", [x, np.array([0, 2])], {}
    yield "columns", [x, np.array([[1, -1], [0, 3]])], {"axis": 1}
    yield "scalar", [np.array([5, 7]), np.array(1)], {}
    yield "int32", [x, np.array([2, 0], np.int32)], {"axis": -1}
    order = np.random.default_rng(0).permutation(200)
    yield "many", [np.arange(600, dtype=np.float32).reshape(3, 200), order], {"axis": 1}
    yield "none", [x, np.zeros(0, np.int64)], {}
