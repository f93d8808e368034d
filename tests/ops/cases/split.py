"""Cases of Split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(14, dtype=np.float32).reshape(2, 7)
    yield "sizes", [x, np.array([3, 4])], {"axis": 1}
    yield "sizes-zero", [x, np.array([0, 5, 2])], {"axis": -1}
    yield "equal", [x], {"num_outputs": 2}
    yield "uneven", [x], {"num_outputs": 3, "axis": 1}
