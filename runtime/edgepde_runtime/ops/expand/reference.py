"""The input broadcast with a shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, allocatable, present


def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
    """Sizes follow the broadcasting rule both ways: an input size larger than 1 stays."""
    x, shape = present(inputs)
    sizes = allocatable(np.broadcast_shapes(x.shape, allocatable(shape.tolist())))
    return (np.broadcast_to(x, sizes),)
