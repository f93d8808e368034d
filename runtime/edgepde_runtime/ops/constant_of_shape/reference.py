"""A tensor of one value, 0 in float32 by default, in the shape given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, allocatable, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """Every element is the only one of `value`."""
    (shape,) = present(inputs)
    value = np.asarray(attributes.get("value", np.zeros(1, np.float32)))
    if value.size != 1:
        raise ValueError(f"expected one value, got {value.size}")
    return (np.full(allocatable(shape.tolist()), value.reshape(())),)
