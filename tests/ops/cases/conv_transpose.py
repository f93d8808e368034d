"""Cases of ConvTranspose: one to three axes, groups, strides, dilations, pads and output_padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from support.op_cases import FLOATS, Case


def cases() -> Iterator[Case]:
    for dtype in FLOATS:
        for name, (x, w, attributes) in shapes().items():
            rng = np.random.default_rng(sum(x) + 3 * sum(w))
            outputs = w[1] * attributes.get("group", 1)
            inputs = [rng.uniform(-1, 1, shape).astype(dtype) for shape in (x, w, (outputs,))]
            yield f"{np.dtype(dtype)}-{name}", inputs, attributes
            if name == "picture":
                yield f"{np.dtype(dtype)}-no-bias", inputs[:2], attributes


def shapes() -> dict[str, tuple[Sequence[int], Sequence[int], dict[str, Any]]]:
    """Shapes of X and W and the attributes."""
    return {
        "line": ((2, 3, 11), (3, 4, 5), {}),
        "line-strided": ((1, 2, 20), (2, 3, 4), {"strides": [2], "pads": [1, 1]}),
        "line-gaps": ((1, 2, 9), (2, 2, 2), {"strides": [3], "output_padding": [2]}),
        "line-apart": ((1, 2, 12), (2, 1, 3), {"strides": [2], "dilations": [2], "output_padding": [1]}),
        "picture": ((1, 4, 6, 10), (4, 3, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1], "kernel_shape": [4, 4]}),
        "picture-odd": (
            (2, 3, 5, 9),
            (3, 2, 3, 3),
            {"strides": [2, 1], "pads": [0, 2, 1, 0], "output_padding": [1, 0]},
        ),
        "picture-dilated": (
            (1, 2, 5, 18),
            (2, 5, 3, 2),
            {"strides": [3, 2], "dilations": [2, 3], "pads": [2, 0, 0, 1]},
        ),
        "groups": ((1, 6, 5, 8), (6, 2, 3, 3), {"group": 3, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        "depthwise": ((1, 5, 4, 17), (5, 1, 2, 2), {"group": 5, "strides": [2, 2]}),
        "space": ((1, 3, 3, 4, 9), (3, 2, 4, 4, 4), {"strides": [2, 2, 2], "pads": [1, 1, 1, 1, 1, 1]}),
        "channels": ((1, 40, 3, 3), (40, 18, 2, 2), {"strides": [2, 2]}),
    }
