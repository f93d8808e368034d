"""The same elements as a matrix: axes before `axis` are rows, the others columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .._numpy import Inputs, Outputs, present


def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
    """[d0, ..., dn] -> [d0 * ... * d(axis-1), d(axis) * ... * dn]."""
    (x,) = present(inputs)
    axis = attributes["axis"] + (x.ndim if attributes["axis"] < 0 else 0)
    if not 0 <= axis <= x.ndim:
        raise ValueError(f"expected an axis of rank {x.ndim}, got {attributes['axis']}")
    return (x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:])),)
