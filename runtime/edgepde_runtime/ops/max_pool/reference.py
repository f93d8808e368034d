"""Largest elements of windows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present
from .._windows import windows


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """x [N, C, n_1 ..] -> [N, C, m_1 ..]; pads count as -infinity, NaN stays. Places of the largest are not given."""
    (x,) = present(inputs)
    found = windows(x.shape[2:], attributes)
    cells = found.gathered(x, -np.inf)
    return (cells.reshape(math.prod(found.kernel), *x.shape[:2], *found.outputs).max(0),)
