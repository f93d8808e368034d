"""y = x where x >= 0, else alpha * x."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Array, activation


def value(x: Array, attributes: Mapping[str, Any]) -> Array:
    """x where x >= 0, else alpha * x."""
    return np.where(x >= 0, x, x * x.dtype.type(attributes["alpha"]))


run = activation(value)
