"""Cases of Cast."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.array([[-2.75, -0.5, 0.0], [0.5, 1.0, 3.25]])
    for to, code in {"float32": 1, "int32": 6, "int64": 7, "bool": 9, "float16": 10, "float64": 11}.items():
        yield f"float64-{to}", [x], {"to": code}
        yield f"float32-{to}", [x.astype(np.float32)], {"to": code}
    integers = np.array([-3, 0, 4])
    for name in ("int64", "int32", "int8"):
        yield f"{name}-float32", [integers.astype(name)], {"to": 1}
    yield "uint8-float64", [np.array([0, 255], np.uint8)], {"to": 11}
    yield "float16-float32", [np.array([0.1, -2.0], np.float16)], {"to": 1}
    yield "bool-float64", [np.array([True, False])], {"to": 11}
