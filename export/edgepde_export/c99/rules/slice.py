"""Slice: part of a value along axes of numbers."""

from __future__ import annotations

from edgepde_runtime.errors import UnsupportedModel

from ..building import Builder, Call
from ..dims import dim, features, symbols
from ..operations import Copy, empty
from ..value import Value


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """The same memory where what is kept runs on, else a copy."""
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
    return (_part(call, builder, x, kept),)


def _part(call: Call, builder: Builder, x: Value, kept: list[range]) -> Value:
    shape = tuple(d if symbols((d,)) else dim(len(k)) for d, k in zip(x.shape, kept, strict=True))
    if shape == x.shape:
        return x
    output = builder.new(x.code, shape, varying=x.varying)
    if empty(shape):
        return output
    strides = x.strides()
    source = sum(k[0] * s for k, s in zip(kept, strides, strict=True) if len(k))
    found, step = [], 1
    for k, stride in zip(reversed(kept), reversed(strides), strict=True):
        found.append((len(k), (k.step * stride, step)))
        step *= len(k)
    if all(s[0] == s[1] for n, s in found if n > 1):
        return Value(x.store, shape, x.offset + source)
    return builder.add(Copy((x,), output, call.label, found[::-1], source, 0))
