"""z = x where the condition holds, else y, broadcast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
    """Elements of x or y, in their dtype."""
    condition, x, y = present(inputs)
    return (np.where(condition, x, y),)
