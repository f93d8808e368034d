"""Cases of CumSum."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    for dtype in (np.float32, np.float64, np.int64):
        x = np.arange(6).reshape(2, 3).astype(dtype) * np.array(3, dtype) / np.array(2, dtype)
        x = x.astype(dtype)
        yield f"{np.dtype(dtype)}", [x, np.array(1)], {}
        yield f"{np.dtype(dtype)}-exclusive", [x, np.array(0)], {"exclusive": 1}
        yield f"{np.dtype(dtype)}-reverse", [x, np.array(-1)], {"reverse": 1}
        yield f"{np.dtype(dtype)}-both", [x, np.array(1, np.int32)], {"reverse": 1, "exclusive": 1}
