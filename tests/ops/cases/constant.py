"""Cases of Constant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    yield "tensor", [], {"value": np.array([[1.5, 2.0]])}
    yield "float", [], {"value_float": 0.1}
    yield "floats", [], {"value_floats": [0.1, -2.0]}
    yield "int", [], {"value_int": -3}
    yield "ints", [], {"value_ints": [1, 2]}
