"""CumSum along a constant axis."""

from __future__ import annotations

from .. import contracting
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """Sums of the first terms, by a triangular matrix."""
    flags = bool(call.attributes["exclusive"]), bool(call.attributes["reverse"])
    return [contracting.cumulative(b, call.value(0), int(call.constant(1).item()), *flags)]
