"""Sums over axes of numbers, chunk by chunk."""

from __future__ import annotations

from edgepde_runtime.errors import UnsupportedModel

from ..building import FLOATS, Builder, Call, viewed
from ..dims import features, symbols
from ..operations import Sum
from ..value import Value


def reduced(call: Call, builder: Builder, *, mean: bool) -> tuple[Value, ...]:
    """Neighbouring axes at once, others one group after the other from the last."""
    x, given = builder.running(call, call.value(0)), call.known(1)
    rank = len(x.shape)
    if x.code not in FLOATS:
        raise UnsupportedModel(f"expected float32 or float64, got {x.code}")
    if (given is None or not given.size) and call.attributes["noop_with_empty_axes"]:
        return (x,)
    axes = sorted({int(a) % rank for a in given} if given is not None and given.size else set(range(rank)))
    if any(symbols((x.shape[a],)) for a in axes):
        raise UnsupportedModel("a reduction over a free size: rows would not stay apart")
    total = features(tuple(x.shape[a] for a in axes))
    left = list(axes)
    while left:
        first = last = left.pop()
        while left and left[-1] == first - 1:
            first = left.pop()
        shape = tuple(() if first <= i <= last else d for i, d in enumerate(x.shape))
        output = builder.new(x.code, shape, varying=x.varying)
        sizes = (features(x.shape[:first]), features(x.shape[first : last + 1]), features(x.shape[last + 1 :]))
        divisor = total if mean and not left else 1
        x = builder.add(Sum((x,), output, call.label, *sizes, divisor))
    if call.attributes["keepdims"]:
        return (x,)
    return (viewed(x, tuple(d for i, d in enumerate(x.shape) if i not in axes)),)
