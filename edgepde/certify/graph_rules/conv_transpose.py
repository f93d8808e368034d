"""ConvTranspose with a constant kernel."""

from __future__ import annotations

from .. import convolving
from ..building import Builder, Value
from ._call import Call
from ._window import Sliding


def rule(call: Call, b: Builder) -> list[Value]:
    """The transposed convolution; what output_padding adds is behind."""
    kernel = call.numbers(1)
    axes = kernel.ndim - 2
    how = Sliding.of(call, axes)
    if call.attributes.get("output_shape"):
        raise call.refuse("expected output_padding, got output_shape")
    more = call.attributes.get("output_padding") or (0,) * axes
    pads = (*how.pads[:axes], *(p - m for p, m in zip(how.pads[axes:], more, strict=True)))
    bias = call.numbers(2) if call.given(2) else None
    groups = int(call.attributes.get("group") or 1)
    spread = (how.strides, pads, how.dilations, groups)
    return [convolving.convolved(b, call.value(0), kernel, bias, *spread, transposed=True)]
