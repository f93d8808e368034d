"""Where: one operand or the other, by a truth value."""

from __future__ import annotations

from ..building import Builder, Call
from ..value import Value


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """All three broadcast."""
    condition, x, y = call.value(0), call.value(1), call.value(2)
    return (builder.scalars(call, "{0} ? {1} : {2}", [condition, x, y], x.code),)
