"""Cases of Size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    yield "matrix", [np.zeros((2, 3), np.float32)], {}
    yield "empty", [np.zeros((2, 0), np.int64)], {}
    yield "scalar", [np.array(1.0)], {}
