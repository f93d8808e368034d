"""Conv with a constant kernel."""

from __future__ import annotations

from .. import convolving
from ..building import Builder, Value
from ._call import Call
from ._window import Sliding


def rule(call: Call, b: Builder) -> list[Value]:
    """The convolution, its bias in the sum."""
    kernel = call.numbers(1)
    how = Sliding.of(call, kernel.ndim - 2)
    bias = call.numbers(2) if call.given(2) else None
    groups = int(call.attributes.get("group") or 1)
    return [convolving.convolved(b, call.value(0), kernel, bias, how.strides, how.pads, how.dilations, groups)]
