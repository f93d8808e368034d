"""Cases of Reshape."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    yield "plain", [x, np.array([2, 6])], {}
    yield "inferred", [x, np.array([2, -1, 3])], {}
    yield "copied", [x, np.array([0, 2, 2])], {}
    yield "scalar", [np.array([7]), np.zeros(0, np.int64)], {}
    yield "allowzero", [x[:0], np.array([4, 0])], {"allowzero": 1}
