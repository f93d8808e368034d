"""Cases of BatchNormalization."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from edgepde_runtime.ops.batch_normalization.reference import slope
from numpy.typing import NDArray
from support.op_cases import FLOATS, Case


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for dtype in FLOATS:
        for sizes in ((), (7,), (5, 8), (3, 4, 5)):
            x = rng.normal(size=(2, 3, *sizes)).astype(dtype)
            given = [rng.normal(size=3).astype(dtype) for _ in range(3)] + [rng.uniform(0, 2, 3).astype(dtype)]
            yield f"{np.dtype(dtype)}-{len(sizes)}", [x, *given], {}
        flat = [np.full(3, v, dtype) for v in (1.5, -2.0, 0.25, 0.0)]
        yield f"{np.dtype(dtype)}-no-variance", [x, *flat], {"epsilon": 1e-3, "momentum": 0.5}


def magnitude(inputs: Sequence[NDArray[Any] | None], attributes: Mapping[str, Any]) -> tuple[int, NDArray[Any]]:
    """No terms; (|x| + |mean|) |a| + |B|."""
    x, scale, shift, mean, variance = (np.asarray(v, np.float64) for v in inputs)
    wide = (-1, *(1,) * (x.ndim - 2))
    a = slope(np.asarray(scale), np.asarray(variance), attributes["epsilon"])
    return 0, (np.abs(x) + np.abs(mean).reshape(wide)) * np.abs(a).reshape(wide) + np.abs(shift.reshape(wide))
