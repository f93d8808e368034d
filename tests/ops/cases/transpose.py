"""Cases of Transpose."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    yield "reversed", [x], {}
    yield "perm", [x], {"perm": [1, 0, 2]}
    yield "matrix", [np.arange(6).reshape(2, 3)], {"perm": [1, 0]}
