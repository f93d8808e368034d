"""ReduceSum."""

from __future__ import annotations

from .. import contracting
from ..building import Builder, Value
from ._call import Call
from ._reduction import reduced


def rule(call: Call, b: Builder) -> list[Value]:
    """Over the axes, all where none are named."""
    return [reduced(call, b, contracting.summed)]
