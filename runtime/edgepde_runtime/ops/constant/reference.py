"""A tensor written into the node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs

DTYPES = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}


def run(_: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """The value of the one attribute given; ValueError where there is not exactly one."""
    if len(attributes) != 1:
        raise ValueError(f"expected one value, got {sorted(attributes)}")
    ((name, value),) = attributes.items()
    return (np.asarray(value, DTYPES.get(name)),)
