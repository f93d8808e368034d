"""Cases of ConstantOfShape."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    yield "zeros", [np.array([2, 3])], {}
    yield "value", [np.array([2])], {"value": np.array([7], np.int64)}
    yield "double", [np.array([1, 2])], {"value": np.array([0.5])}
    yield "empty", [np.array([0, 2])], {}
    yield "scalar", [np.zeros(0, np.int64)], {"value": np.array([True])}
