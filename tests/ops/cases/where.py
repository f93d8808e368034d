"""Cases of Where."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    condition = np.array([[True, False], [False, True]])
    x = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    yield "matrix", [condition, x, -x], {}
    yield "infinite", [condition, x, np.array(np.inf, np.float32)], {}
    yield "broadcast", [condition[:, :1], x, np.array([5.0, 6.0], np.float32)], {}
    yield "integers", [np.array(False), np.array([1, 2]), np.array([3])], {}
