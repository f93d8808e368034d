"""Cases of Squeeze."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(3, dtype=np.float32).reshape(1, 3, 1)
    yield "all", [x], {}
    yield "first", [x, np.array([0])], {}
    yield "last", [x, np.array([-1])], {}
    yield "both", [x, np.array([2, 0])], {}
    yield "integers", [np.array([[4]]), np.array([0, 1])], {}
