"""MatMul with a constant matrix on the right, or of two stacks of matrices."""

from __future__ import annotations

from .. import contracting
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """x W; a product of two functions of the point is a sum of products."""
    return [contracting.matrix_times(b, call.operand(0), call.operand(1))]
