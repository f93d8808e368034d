"""y[i] = sum of x[j] for j <= i along an axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, normalised, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """j < i where `exclusive`; from the far end where `reverse`."""
    x, axis = present(inputs)
    (along,) = normalised([int(axis.reshape(()))], x.ndim)
    x = np.flip(x, along) if attributes["reverse"] else x
    y = np.cumsum(x, axis=along, dtype=x.dtype)
    if attributes["exclusive"]:
        y = np.concatenate([np.zeros_like(y.take([0], along)), y.take(range(y.shape[along] - 1), along)], axis=along)
    return (np.flip(y, along) if attributes["reverse"] else y,)
