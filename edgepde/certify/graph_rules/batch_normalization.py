"""BatchNormalization with constant statistics: two maps by channel, with the slope the room computes."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.ops.batch_normalization.reference import slope

from .. import convolving
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """(x - mean) slope + B."""
    scale, shift, mean, variance = (call.numbers(i) for i in range(1, 5))
    rounded = slope(scale.astype(call.dtype), variance.astype(call.dtype), call.attributes["epsilon"])
    return [convolving.shifted_and_scaled(b, call.value(0), mean, rounded.astype(np.float64), shift)]
