"""Slice: part of a value along axes of numbers."""

from __future__ import annotations

from edgepde_runtime.errors import UnsupportedModel

from ..building import Builder, Call
from ..dims import dim, features, symbols
from ..operations import empty
from ..value import Value


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """The same memory, with its strides."""
    x, starts, ends = call.value(0), call.known(1), call.known(2)
    axes, steps = call.known(3), call.known(4)
    if starts is None or ends is None:
        raise UnsupportedModel("expected starts and ends")
    rank = len(x.shape)
    kept = [range(features((d,))) for d in x.shape]
    for i, start in enumerate(starts):
        axis = int(i if axes is None else axes[i]) % rank
        step = 1 if steps is None else int(steps[i])
        if symbols((x.shape[axis],)):
            if not (int(start) == 0 and step == 1 and int(ends[i]) >= 2**31 - 1):
                raise UnsupportedModel(f"axis {axis} is a free size: rows would not stay apart")
            continue
        end = None if step < 0 and int(ends[i]) < -len(kept[axis]) else int(ends[i])
        kept[axis] = range(len(kept[axis]))[slice(int(start), end, step)]
    return (_part(builder, x, kept),)


def _part(builder: Builder, x: Value, kept: list[range]) -> Value:
    shape = tuple(d if symbols((d,)) else dim(len(k)) for d, k in zip(x.shape, kept, strict=True))
    if all(k == range(len(k)) for k in kept) and shape == x.shape:
        return x
    if empty(shape):
        return builder.new(x.code, shape, varying=x.varying)
    strides = x.strides()
    start = x.offset + sum(k[0] * s for k, s in zip(kept, strides, strict=True))
    steps = tuple(k.step * s for k, s in zip(kept, strides, strict=True))
    part = Value(x.store, shape, start)
    same = all(a == b for a, b, d in zip(steps, part.strides(), shape, strict=True) if features((d,)) > 1)
    if same:
        return part
    return Value(x.store, shape, start, apart=steps)
