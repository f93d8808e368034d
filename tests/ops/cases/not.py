"""Cases of Not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case


def cases() -> Iterator[Case]:
    yield "both", [np.array([False, True])], {}
