"""GlobalAveragePool: means over all axes but rows and channels."""

from __future__ import annotations

from ..building import Builder, Call
from ..dims import features
from ..operations import Sum
from ..value import Value
from ._maps import map_of


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """One sum per channel."""
    x = map_of(call, builder)
    cells = features(x.shape[2:])
    output = builder.new(x.code, (*x.shape[:2], *((),) * len(x.shape[2:])), varying=x.varying)
    return (builder.add(Sum((x,), output, call.label, features(x.shape[:2]), cells, 1, cells)),)
