"""y = x[..., indices, ...] along an axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """Slices of x at the indices, which may be negative; IndexError outside."""
    x, indices = present(inputs)
    return (np.take(x, indices, axis=attributes["axis"]),)
