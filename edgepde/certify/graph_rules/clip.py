"""Clip."""

from __future__ import annotations

from .. import composing
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """min(max(x, low), high)."""
    limits = [call.inputs[i] if call.given(i) else None for i in (1, 2)]
    if any(isinstance(v, Value) for v in limits):
        made = composing.value(b, call.operand(0))
        made = composing.larger(b, made, call.operand(1)) if call.given(1) else made
        return [composing.smaller(b, made, call.operand(2)) if call.given(2) else made]
    low, high = (call.numbers(i, infinite=True) if call.given(i) else None for i in (1, 2))
    return [composing.clipped(b, call.value(0), low, high)]
