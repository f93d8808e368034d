"""Sum of products in index notation: y[out] = sum over the other letters of the product of the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """numpy's index notation, implicit output included."""
    return (np.asarray(np.einsum(attributes["equation"].replace(" ", ""), *present(inputs))),)
