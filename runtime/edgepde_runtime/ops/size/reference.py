"""The number of elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
    """int64 []."""
    (x,) = present(inputs)
    return (np.array(x.size, np.int64),)
