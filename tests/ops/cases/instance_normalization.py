"""Cases of InstanceNormalization."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.op_cases import FLOATS, Case


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for dtype in FLOATS:
        for sizes in ((7,), (5, 8), (3, 4, 5), (9, 33), (1,)):
            x = (rng.normal(size=(2, 3, *sizes)) + 0.5).astype(dtype)
            given = [rng.normal(size=3).astype(dtype) for _ in range(2)]
            yield f"{np.dtype(dtype)}-{'x'.join(map(str, sizes))}", [x, *given], {}
        far = (100 + rng.normal(size=(1, 2, 6, 6))).astype(dtype)
        yield f"{np.dtype(dtype)}-far-from-zero", [far, np.ones(2, dtype), np.zeros(2, dtype)], {"epsilon": 1e-3}
        yield f"{np.dtype(dtype)}-equal", [np.full((1, 2, 4), 3, dtype), np.ones(2, dtype), np.ones(2, dtype)], {}


def magnitude(inputs: Sequence[NDArray[Any] | None], attributes: Mapping[str, Any]) -> tuple[int, NDArray[Any]]:
    """Cells of a channel; |a| (|x| + mean |x|) + |B|."""
    x, scale, shift = (np.asarray(v, np.float64) for v in inputs)
    axes, wide = tuple(range(2, x.ndim)), (-1, *(1,) * (x.ndim - 2))
    a = np.abs(scale).reshape(wide) / np.sqrt(x.var(axes, keepdims=True) + attributes["epsilon"])
    size = a * (np.abs(x) + np.abs(x).mean(axes, keepdims=True)) + np.abs(shift).reshape(wide)
    return math.prod(x.shape[2:]), size
