"""What reductions over constant axes share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..building import Builder, Value
from ._call import Call

Reduce = Callable[[Builder, Value, Sequence[int], bool], Value]


def reduced(call: Call, b: Builder, reduce: Reduce) -> Value:
    """The reduction of the first input; the input itself where it is told so."""
    axes = call.axes()
    if not axes and call.attributes["noop_with_empty_axes"]:
        return call.value(0)
    return reduce(b, call.value(0), axes, bool(call.attributes["keepdims"]))
