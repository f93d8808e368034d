"""Cases of Gemm."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(7)
    for dtype in (np.float32, np.float64):
        a, b, c = (rng.normal(size=s).astype(dtype) for s in ((3, 20), (20, 4), (4,)))
        yield f"{np.dtype(dtype)}-row", [a, b, c], {}
        yield f"{np.dtype(dtype)}-none", [a, b], {}
        yield f"{np.dtype(dtype)}-scalar", [a, b, c[0]], {"alpha": 0.5, "beta": 0.1}
        yield f"{np.dtype(dtype)}-column", [a, b, c[:3, None]], {}
        yield f"{np.dtype(dtype)}-transposed", [a.T.copy(), b.T.copy(), c], {"transA": 1, "transB": 1}
        yield f"{np.dtype(dtype)}-no-rows", [a[:0], b, c], {}
