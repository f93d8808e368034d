"""Clip to constant limits."""

from __future__ import annotations

from .. import composing
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """min(max(x, low), high)."""
    low, high = (call.numbers(i) if call.given(i) else None for i in (1, 2))
    return [composing.clipped(b, call.value(0), low, high)]
