"""GlobalAveragePool: means along every axis of the grid."""

from __future__ import annotations

from .. import convolving
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """A mean per channel."""
    x = call.value(0)
    axes = range(2, len(x.shape))
    return [convolving.averaged(b, x, [(axis, convolving.mean_along(x.shape[axis])) for axis in axes])]
