"""Comparisons and logic: truth values are bytes 0 or 1."""

from __future__ import annotations

from ..building import Builder, Call
from ..value import Value
from . import Rule


def logic(template: str) -> Rule:
    """A rule for an expression of operands that is a truth value."""

    def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
        operands = [v for v in call.inputs if v is not None]
        return (builder.scalars(call, f"(unsigned char)({template})", operands, "u8"),)

    return rule
