"""Concat: values one after another along an axis of numbers."""

from __future__ import annotations

from edgepde_runtime.errors import UnsupportedModel

from ..building import Builder, Call
from ..code import Axis
from ..dims import dim, features, spelled, symbols
from ..operations import Copy, empty
from ..value import Value


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """Each part is copied to its place."""
    parts = [v for v in call.inputs if v is not None]
    axis = int(call.attributes["axis"]) % len(parts[0].shape)
    if any(symbols((p.shape[axis],)) for p in parts):
        raise UnsupportedModel(f"axis {axis} is a free size: rows would not stay apart")
    shape = list(parts[0].shape)
    shape[axis] = dim(sum(features((p.shape[axis],)) for p in parts))
    for part in parts:
        if [d for i, d in enumerate(part.shape) if i != axis] != [d for i, d in enumerate(shape) if i != axis]:
            raise UnsupportedModel(f"expected equal sizes but for axis {axis}, got {spelled(part.shape)}")
    output = builder.new(parts[0].code, tuple(shape), varying=any(p.varying for p in parts))
    strides, place = output.strides(), 0
    for part in parts:
        if not empty(part.shape):
            counts = [features((d,)) for d in part.shape]
            axes: list[Axis] = list(zip(counts, zip(part.strides(), strides, strict=True), strict=True))
            builder.add(Copy((part,), output, call.label, axes, 0, place))
        place += features((part.shape[axis],)) * strides[axis]
    return (output,)
