"""Cases of Pad."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(6, dtype=np.float32).reshape(2, 3) + 1
    yield "zeros", [x, np.array([1, 0, 0, 2])], {}
    yield "value", [x, np.array([0, 1, 1, 0]), np.array(9.0, np.float32)], {"mode": "constant"}
    yield "axes", [x, np.array([2, 1]), None, np.array([-1])], {}
    yield "cut", [x, np.array([0, -1, 1, -1])], {}
    for mode in ("constant", "edge", "reflect", "wrap"):
        for dtype in (np.float32, np.float64):
            for sizes, pads in (((5,), (2, 3)), ((4, 5), (1, 0, 2, 3)), ((3, 2, 17), (2, 1, 0, 1, 0, 16))):
                wide = [0, 0, *pads[: len(sizes)], 0, 0, *pads[len(sizes) :]]
                data = np.random.default_rng(len(sizes)).normal(size=(2, 3, *sizes)).astype(dtype)
                yield f"{mode}-{np.dtype(dtype)}-{len(sizes)}", [data, np.array(wide)], {"mode": mode}
    row = np.arange(4, dtype=np.int64)
    yield "integers", [row, np.array([3, 2])], {"mode": "reflect"}
    yield "edge-far", [x, np.array([7, 9]), None, np.array([1], np.int32)], {"mode": "edge"}
    yield "wrap-whole", [x, np.array([0, 3, 0, 3])], {"mode": "wrap"}
