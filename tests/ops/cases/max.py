"""Cases of Max."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case, binary


def cases() -> Iterator[Case]:
    yield from binary(integers=True)
    three = [np.array([1.0, 5.0, 3.0], np.float32), np.array([[2.0], [4.0]], np.float32), np.array(2.5, np.float32)]
    yield "one", three[:1], {}
    yield "three", three, {}
