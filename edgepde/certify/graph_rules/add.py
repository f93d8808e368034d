"""Add: a + b, broadcast; a constant row added to a product with a matrix is its bias, as in the kernels."""

from __future__ import annotations

from .. import composing, contracting
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """a + b."""
    for i, j in ((0, 1), (1, 0)):
        x, row = call.inputs[i], call.operand(j)
        layer = call.makers[i] in ("MatMul", "Gemm")
        if (
            layer
            and isinstance(x, Value)
            and not isinstance(row, Value)
            and row.shape[-1:] == x.shape[-1:] == (row.size,)
        ):
            return [contracting.biased(b, x, row)]
    return [composing.plus(b, call.operand(0), call.operand(1))]
