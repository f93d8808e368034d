"""Cases of Expand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(3, dtype=np.float32).reshape(3, 1)
    yield "columns", [x, np.array([3, 4])], {}
    yield "rank", [x, np.array([2, 1, 6])], {}
    yield "both", [x, np.array([1, 1])], {}
    yield "scalar", [np.array(2.0), np.array([2, 2])], {}
