"""Cases of Shape."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.zeros((2, 3, 4), np.float32)
    yield "all", [x], {}
    yield "start", [x], {"start": 1}
    yield "end", [x], {"start": -3, "end": -1}
    yield "beyond", [x], {"start": -9, "end": 9}
    yield "scalar", [np.array(1.0)], {}
