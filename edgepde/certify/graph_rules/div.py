"""Div: a / b, broadcast."""

from __future__ import annotations

from .. import composing
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """a / b."""
    return [composing.over(b, call.operand(0), call.operand(1))]
