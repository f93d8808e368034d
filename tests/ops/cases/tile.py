"""Cases of Tile."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    yield "both", [x, np.array([2, 3])], {}
    yield "one", [x, np.array([1, 2])], {}
    yield "integers", [np.array([1, 2]), np.array([2])], {}
