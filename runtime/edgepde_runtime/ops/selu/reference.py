"""y = gamma * x where x > 0, else gamma * alpha * (exp(x) - 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Array, activation


def value(x: Array, attributes: Mapping[str, Any]) -> Array:
    """gamma * x where x > 0, else gamma * alpha * (exp(x) - 1)."""
    alpha, gamma = x.dtype.type(attributes["alpha"]), x.dtype.type(attributes["gamma"])
    return np.asarray(gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))))


run = activation(value)
