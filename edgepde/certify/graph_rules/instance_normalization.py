"""InstanceNormalization: mean and variance of the point's own map, a root and a product."""

from __future__ import annotations

from .. import composing, convolving
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """(x - mean) (scale / sqrt(var + epsilon)) + B."""
    x, scale, shift = call.value(0), call.numbers(1), call.numbers(2)
    made = convolving.normalised(b, x, range(2, len(x.shape)), float(call.dtype.type(call.attributes["epsilon"])))
    scaled = composing.scaled(b, made, convolving.per_channel(x, scale))
    return [composing.scaled(b, scaled, 1.0, convolving.per_channel(x, shift))]
