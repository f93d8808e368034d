"""Cases that the poolings share: maps of one to three axes, windows in every way they may lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from support.op_cases import FLOATS, Case

SIZES = {1: (7,), 2: (5, 8), 3: (3, 4, 5)}
# Per axis; `pads` on both of its sides.
WAYS: dict[str, dict[str, Any]] = {
    "halves": {"kernel_shape": [2], "strides": [2]},
    "steps-of-one": {"kernel_shape": [3]},
    "padded": {"kernel_shape": [3], "strides": [2], "pads": [1]},
    "three-apart": {"kernel_shape": [2], "strides": [3], "pads": [1]},
    "ceil": {"kernel_shape": [2], "strides": [2], "ceil_mode": 1},
    "ceil-padded": {"kernel_shape": [3], "strides": [2], "pads": [1], "ceil_mode": 1},
    "dilated": {"kernel_shape": [2], "dilations": [2], "pads": [1]},
}


def pools() -> Iterator[Case]:
    """Both types, two rows of three channels."""
    for rank, sizes in SIZES.items():
        for dtype in FLOATS:
            x = np.random.default_rng(rank).normal(size=(2, 3, *sizes)).astype(dtype)
            for name, way in WAYS.items():
                spread = {n: v * rank * (2 if n == "pads" else 1) if isinstance(v, list) else v for n, v in way.items()}
                yield f"{np.dtype(dtype)}-{rank}-{name}", [x], spread
