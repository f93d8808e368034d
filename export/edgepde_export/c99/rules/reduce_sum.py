"""ReduceSum."""

from __future__ import annotations

from ..building import Builder, Call
from ..value import Value
from ._reduction import reduced


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """The sum over axes."""
    return reduced(call, builder, mean=False)
