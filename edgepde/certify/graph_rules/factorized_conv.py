"""factorized_conv: its factors one after the other."""

from __future__ import annotations

from .. import convolving
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """The chain of convolutions that the op is, in its order."""
    read, filters, write, bias = (call.numbers(i) for i in range(1, 5))
    names = ("kernel_shape", "strides", "pads", "dilations")
    kernel, strides, pads, dilations = (tuple(call.attributes[name]) for name in names)
    return [convolving.factorized(b, call.value(0), (read, filters, write, bias), kernel, strides, pads, dilations)]
