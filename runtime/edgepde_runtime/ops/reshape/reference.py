"""The same elements in another shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """One size may be -1 and follows from the rest; 0 copies the input's size unless allowzero."""
    x, shape = present(inputs)
    if np.any(shape < -1):
        raise ValueError(f"expected sizes >= -1, got {shape.tolist()}")
    keep = not attributes["allowzero"]
    sizes = [x.shape[i] if n == 0 and keep else int(n) for i, n in enumerate(shape)]
    if not keep and 0 in sizes and -1 in sizes:
        raise ValueError(f"expected 0 or -1 but not both with allowzero, got {sizes}")
    return (x.reshape(sizes),)
