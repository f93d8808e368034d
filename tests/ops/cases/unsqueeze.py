"""Cases of Unsqueeze."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    yield "front", [x, np.array([0])], {}
    yield "back", [x, np.array([-1])], {}
    yield "two", [x, np.array([3, 0])], {}
    yield "scalar", [np.array(5), np.array([0])], {}
