"""Cases of Einsum."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(5)
    for dtype in (np.float32, np.float64):
        a, b, c = (rng.normal(size=s).astype(dtype) for s in ((2, 3), (3, 4), (5, 2, 3)))
        yield f"{np.dtype(dtype)}-product", [a, b], {"equation": "ij,jk->ik"}
        yield f"{np.dtype(dtype)}-implicit", [a, b], {"equation": "ij, jk"}
        yield f"{np.dtype(dtype)}-transpose", [a], {"equation": "ij->ji"}
        yield f"{np.dtype(dtype)}-sum", [a], {"equation": "ij->"}
        yield f"{np.dtype(dtype)}-batch", [c, b], {"equation": "...ij,jk->...ik"}
        yield f"{np.dtype(dtype)}-three", [a, b, c], {"equation": "ij,jk,bij->bk"}
