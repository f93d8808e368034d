"""Cases of Flatten."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for axis in (0, 1, 2, 3, -1):
        yield f"axis{axis}", [x], {"axis": axis}
    yield "default", [x], {}
