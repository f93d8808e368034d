"""Gemm: alpha A' B' + beta C with a constant B."""

from __future__ import annotations

import numpy as np

from .. import composing, contracting
from ..building import Builder, Value
from ..composing import Array
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """The bias is part of the sum where the product is not scaled, as in the kernels."""
    x, weight = call.value(0), call.numbers(1)
    if call.attributes["transA"]:
        raise call.refuse("expected rows in A, got transA")
    w = weight if call.attributes["transB"] else weight.T
    alpha, beta = call.attributes["alpha"], call.attributes["beta"]
    c = call.operand(2) if call.given(2) else None
    if alpha == 1.0 and not isinstance(c, Value) and (c is None or c.size in (1, len(w))):
        return [contracting.linear(b, x, w, None if c is None else _stored(call, c.ravel(), beta))]
    y = composing.scaled(b, contracting.linear(b, x, w), alpha)
    if c is None:
        return [y]
    return [composing.plus(b, y, composing.scaled(b, composing.value(b, c), beta))]


def _stored(call: Call, c: Array, beta: float) -> Array:
    """beta C as the device has it: one product of numbers of the graph's type."""
    number = call.dtype.type
    return np.asarray(number(beta) * c.astype(call.dtype), dtype=np.float64)
