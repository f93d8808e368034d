"""The same elements without axes of size 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, normalised, optional


def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
    """Without the axes named, or without every one of size 1; ValueError where a named one is larger."""
    x, axes = np.asarray(inputs[0]), optional(inputs, 1)
    return (np.squeeze(x, axis=None if axes is None else normalised([int(a) for a in axes], x.ndim)),)
