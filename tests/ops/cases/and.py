"""Cases of And."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    a, b = np.array([False, False, True, True]), np.array([False, True, False, True])
    yield "table", [a, b], {}
    yield "broadcast", [a.reshape(2, 2), np.array(True)], {}
