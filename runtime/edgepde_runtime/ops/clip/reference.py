"""y = min(max(x, min), max); an absent limit is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, optional


def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
    """x cut to [min, max]; max where min > max."""
    x, low, high = np.asarray(inputs[0]), optional(inputs, 1), optional(inputs, 2)
    x = x if low is None else np.maximum(x, low)
    return (np.asarray(x if high is None else np.minimum(x, high)),)
