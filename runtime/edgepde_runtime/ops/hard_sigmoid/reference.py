"""y = max(0, min(1, alpha * x + beta))."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Array, activation


def value(x: Array, attributes: Mapping[str, Any]) -> Array:
    """alpha * x + beta, cut to [0, 1]."""
    return np.clip(x.dtype.type(attributes["alpha"]) * x + x.dtype.type(attributes["beta"]), 0, 1)


run = activation(value)
