"""Cases of Slice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    least, most = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    yield "first-axes", [x, np.array([0, 1]), np.array([1, 3])], {}
    yield "axes", [x, np.array([1, 0]), np.array([3, 2]), np.array([2, 1])], {}
    yield "negative", [x, np.array([-3]), np.array([-1]), np.array([-1])], {}
    yield "step", [x, np.array([0]), np.array([most]), np.array([2]), np.array([2])], {}
    yield "backwards", [x, np.array([-1]), np.array([least]), np.array([1]), np.array([-1])], {}
    yield "backwards-step", [x, np.array([3]), np.array([0]), np.array([2]), np.array([-2])], {}
    yield "empty", [x, np.array([2]), np.array([2]), np.array([1])], {}
    yield "beyond", [x, np.array([1]), np.array([1000]), np.array([0])], {}
    yield "int32", [x, np.array([1], np.int32), np.array([2], np.int32), np.array([1], np.int32)], {}
