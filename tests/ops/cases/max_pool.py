"""Cases of MaxPool."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case
from support.pool_cases import pools


def cases() -> Iterator[Case]:
    yield from pools()
    x = np.random.default_rng(1).normal(size=(1, 2, 9, 70)).astype(np.float32)
    yield "uneven", [x], {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [0, 2, 1, 0]}
    yield "below-zero", [-np.abs(x)], {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1]}
