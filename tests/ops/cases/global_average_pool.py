"""Cases of GlobalAveragePool."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import FLOATS, Case


def cases() -> Iterator[Case]:
    for sizes in ((7,), (5, 8), (3, 4, 5), (1, 33, 17)):
        for dtype in FLOATS:
            x = np.random.default_rng(len(sizes)).normal(size=(2, 3, *sizes)).astype(dtype)
            yield f"{np.dtype(dtype)}-{'x'.join(map(str, sizes))}", [x], {}
