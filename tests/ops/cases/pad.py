"""Cases of Pad."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(6, dtype=np.float32).reshape(2, 3) + 1
    yield "zeros", [x, np.array([1, 0, 0, 2])], {}
    yield "value", [x, np.array([0, 1, 1, 0]), np.array(9.0, np.float32)], {"mode": "constant"}
    yield "axes", [x, np.array([2, 1]), None, np.array([-1])], {}
    yield "cut", [x, np.array([0, -1, 1, -1])], {}
