"""y = x / 2 * (1 + erf(x / sqrt(2))), or x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Array, activation, erf


def value(x: Array, attributes: Mapping[str, Any]) -> Array:
    """x * Phi(x), Phi the normal distribution, or its approximation by tanh."""
    if attributes["approximate"] == "tanh":
        inner = np.asarray(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3), x.dtype)
        return np.asarray(0.5 * x * (1 + np.tanh(inner)))
    return np.asarray(0.5 * x * (1 + erf(np.asarray(x / math.sqrt(2), x.dtype))))


run = activation(value)
