"""Pow with one constant exponent."""

from __future__ import annotations

import numpy as np

from .. import composing
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """x^n."""
    exponent = np.unique(call.constant(1))
    if exponent.size != 1:
        raise call.refuse("expected one exponent for all entries")
    x = call.value(0)
    x = x.spread(np.broadcast_shapes(x.shape, call.constant(1).shape))
    return [composing.power(b, x, float(exponent[0]))]
