"""Add: a + b, broadcast; a constant row added to a product with a matrix is its bias, as in the kernels."""

from __future__ import annotations

from .. import composing, contracting
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """a + b."""
    x, y = call.operand(0), call.operand(1)
    for layer, row, maker in ((x, y, call.makers[0]), (y, x, call.makers[1])):
        if maker not in ("MatMul", "Gemm") or not isinstance(layer, Value) or isinstance(row, Value):
            continue
        if row.shape[-1:] == layer.shape[-1:] == (row.size,):
            return [contracting.biased(b, layer, row)]
    return [composing.plus(b, x, y)]
