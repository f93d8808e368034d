"""ReduceMean."""

from __future__ import annotations

from ..building import Builder, Call
from ..value import Value
from ._reduction import reduced


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """The sum over axes divided by the number of terms."""
    return reduced(call, builder, mean=True)
