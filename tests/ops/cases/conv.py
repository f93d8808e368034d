"""Cases of Conv: one to three axes, groups, strides, dilations, pads of each side and by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from support.op_cases import FLOATS, Case


def cases() -> Iterator[Case]:
    for dtype in FLOATS:
        for name, (x, w, attributes) in shapes().items():
            yield f"{np.dtype(dtype)}-{name}", [*made(dtype, x, w, w[0])], attributes
        yield f"{np.dtype(dtype)}-no-bias", [*made(dtype, (1, 3, 5, 20), (4, 3, 3, 3))], {"pads": [1, 1, 1, 1]}
    yield "float32-no-rows", [*made(np.float32, (0, 2, 6, 5), (3, 2, 3, 3), 3)], {}


def shapes() -> dict[str, tuple[Sequence[int], Sequence[int], dict[str, Any]]]:
    """Shapes of X and W and the attributes."""
    return {
        "line": ((2, 3, 21), (5, 3, 4), {"pads": [2, 1]}),
        "line-strided": ((1, 2, 40), (3, 2, 3), {"strides": [3], "dilations": [2], "pads": [0, 5]}),
        "point": ((3, 40, 1, 1), (21, 40, 1, 1), {}),
        "one-by-one": ((1, 17, 3, 33), (18, 17, 1, 1), {}),
        "picture": ((1, 4, 9, 18), (9, 4, 3, 5), {"pads": [1, 2, 1, 2], "kernel_shape": [3, 5]}),
        "picture-narrow": ((2, 3, 8, 5), (4, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
        "picture-wide": ((1, 2, 3, 70), (2, 2, 3, 3), {"pads": [0, 3, 2, 0]}),
        "picture-strided": ((1, 3, 11, 40), (8, 3, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        "picture-dilated": ((1, 2, 9, 40), (3, 2, 3, 3), {"dilations": [2, 3], "pads": [2, 3, 2, 3]}),
        "groups": ((1, 6, 7, 19), (9, 2, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
        "depthwise": ((1, 5, 6, 34), (5, 1, 5, 3), {"group": 5, "pads": [2, 1, 2, 1]}),
        "depthwise-doubled": ((1, 3, 4, 17), (6, 1, 3, 3), {"group": 3, "strides": [1, 2]}),
        "space": ((1, 3, 4, 5, 18), (4, 3, 3, 3, 3), {"pads": [1, 1, 1, 1, 1, 1]}),
        "space-strided": ((2, 2, 5, 6, 7), (3, 2, 2, 3, 2), {"strides": [2, 1, 3], "pads": [0, 1, 2, 1, 0, 0]}),
        "same-upper": ((1, 2, 7, 20), (3, 2, 4, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 1]}),
        "same-lower": ((1, 2, 7, 20), (3, 2, 4, 2), {"auto_pad": "SAME_LOWER", "strides": [1, 3]}),
        "valid": ((1, 2, 7, 20), (3, 2, 4, 3), {"auto_pad": "VALID"}),
        "all-zeros": ((1, 1, 1, 2), (2, 1, 2, 2), {"pads": [3, 3, 3, 3], "strides": [1, 2]}),
    }


def made(dtype: type, x: Sequence[int], w: Sequence[int], outputs: int = 0) -> Iterator[np.ndarray]:
    """Numbers between -1 and 1."""
    rng = np.random.default_rng(sum(x) + 3 * sum(w))
    yield rng.uniform(-1, 1, x).astype(dtype)
    yield rng.uniform(-1, 1, w).astype(dtype)
    if outputs:
        yield rng.uniform(-1, 1, outputs).astype(dtype)
