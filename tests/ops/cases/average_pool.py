"""Cases of AveragePool."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case
from support.pool_cases import pools


def cases() -> Iterator[Case]:
    for name, inputs, attributes in pools():
        yield name, inputs, attributes
        if attributes.get("pads"):
            yield f"{name}-counted", inputs, {**attributes, "count_include_pad": 1}
    x = np.random.default_rng(1).normal(size=(1, 2, 9, 70)).astype(np.float32)
    yield "large", [x], {"kernel_shape": [9, 35], "strides": [1, 35]}
    yield "uneven", [x], {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [0, 2, 1, 0]}
