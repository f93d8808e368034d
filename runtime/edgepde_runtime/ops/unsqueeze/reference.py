"""The same elements with axes of size 1 put in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, normalised, present


def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
    """`axes` are counted in the output."""
    x, axes = present(inputs)
    return (np.expand_dims(x, normalised([int(a) for a in axes], x.ndim + len(axes))),)
