"""Y = A B over the last two axes, the others broadcast; a vector is a row on the left, a column on the right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
    """[..., M, K] [..., K, N] -> [..., M, N]."""
    a, b = present(inputs)
    return (np.asarray(np.matmul(a, b)),)
