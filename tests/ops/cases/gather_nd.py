"""Cases of GatherND."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    yield "elements", [x, np.array([[0, 0, 1], [1, 1, 0]])], {}
    yield "slices", [x, np.array([[1], [0]])], {}
    yield "nested", [x, np.array([[[0, 1]], [[1, -1]]])], {}
    yield "batch", [x, np.array([[1], [0]])], {"batch_dims": 1}
    yield "batch-nested", [x, np.array([[[1], [0]], [[0], [0]]])], {"batch_dims": 1}
