"""Cases of Identity."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    yield "float32", [np.array([1.0, -0.0], np.float32)], {}
    yield "bool", [np.array(True)], {}
