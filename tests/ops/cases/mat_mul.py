"""Cases of MatMul."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(3)
    for dtype in (np.float32, np.float64):
        a, b, c = (rng.normal(size=s).astype(dtype) for s in ((3, 20), (20, 4), (2, 1, 20, 4)))
        yield f"{np.dtype(dtype)}-matrix", [a, b], {}
        yield f"{np.dtype(dtype)}-batch", [a, c], {}
        yield f"{np.dtype(dtype)}-vector-left", [a[0], b], {}
        yield f"{np.dtype(dtype)}-vector-right", [a, b[:, 0]], {}
        yield f"{np.dtype(dtype)}-dot", [a[0], b[:, 0]], {}
        yield f"{np.dtype(dtype)}-no-rows", [a[:0], b], {}
    yield "int64", [np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)], {}
