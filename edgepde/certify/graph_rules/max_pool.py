"""MaxPool: the largest along one axis, then along the next."""

from __future__ import annotations

from .. import convolving
from ..building import Builder, Value
from ._call import Call
from ._windows import found


def rule(call: Call, b: Builder) -> list[Value]:
    """Comparisons of moved entries."""
    x = call.value(0)
    for axis, places in enumerate(found(call)[1]):
        x = convolving.largest_in(b, x, 2 + axis, places)
    return [x]
