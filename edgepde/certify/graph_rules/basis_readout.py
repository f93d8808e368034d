"""basis_readout: a product with the basis the graph stores, then the scale."""

from __future__ import annotations

from .. import contracting
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """(coefficients @ basis) * scale."""
    return [contracting.read_out(b, call.operand(0), call.operand(1), call.operand(2))]
