"""Gemm: alpha A' B' + beta C with a constant B."""

from __future__ import annotations

from .. import composing, contracting
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """The bias is part of the sum where nothing is scaled, as in the kernels."""
    x, weight = call.value(0), call.numbers(1)
    if call.attributes["transA"]:
        raise call.refuse("expected rows in A, got transA")
    w = weight if call.attributes["transB"] else weight.T
    alpha, beta = call.attributes["alpha"], call.attributes["beta"]
    c = call.operand(2) if call.given(2) else None
    plain = alpha == beta == 1.0
    if plain and not isinstance(c, Value) and (c is None or c.size in (1, len(w))):
        return [contracting.linear(b, x, w, None if c is None else c.ravel())]
    y = composing.scaled(b, contracting.linear(b, x, w), alpha)
    if c is None:
        return [y]
    return [composing.plus(b, y, composing.scaled(b, composing.value(b, c), beta))]
