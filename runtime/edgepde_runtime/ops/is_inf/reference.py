"""y = whether x is infinite, of the signs asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """Whether x is +inf (detect_positive) or -inf (detect_negative)."""
    (x,) = present(inputs)
    positive = np.isposinf(x) & bool(attributes["detect_positive"])
    return (np.asarray(positive | (np.isneginf(x) & bool(attributes["detect_negative"]))),)
