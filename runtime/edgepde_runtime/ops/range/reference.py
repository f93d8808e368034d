"""y[i] = start + i * delta, up to but without limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, allocatable, present


def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
    """max(ceil((limit - start) / delta), 0) numbers; ValueError where delta is 0."""
    start, limit, delta = present(inputs)
    if delta == 0:
        raise ValueError("expected delta other than 0")
    count = math.ceil((float(limit) - float(start)) / float(delta))
    steps = np.arange(*allocatable([max(count, 0)]))
    return (np.asarray(start + steps.astype(start.dtype) * delta),)
