"""The inputs one after the other along an axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """Inputs of equal rank and equal sizes but along `axis`."""
    return (np.concatenate(present(inputs), axis=attributes["axis"]),)
