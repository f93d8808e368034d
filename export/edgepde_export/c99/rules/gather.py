"""Gather: elements by index, chosen at export or computed on the device."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import UnsupportedModel

from ..building import Builder, Call
from ..code import Axis
from ..dims import dim, features, symbols
from ..operations import Copy, Take
from ..value import Value, constant

MOST_COPIES = 64  # beyond it a loop over the index, which a compiler takes in a fraction of the time


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """Along an axis of numbers."""
    x, index = builder.running(call, call.value(0)), builder.running(call, call.value(1))
    axis = int(call.attributes["axis"]) % len(x.shape)
    if symbols((x.shape[axis],)):
        raise UnsupportedModel(f"axis {axis} is a free size: rows would not stay apart")
    size = features((x.shape[axis],))
    outer, inner = features(x.shape[:axis]), features(x.shape[axis + 1 :])
    if index.data is None:
        if x.code == "u8":
            raise UnsupportedModel("a computed index into truth values")
        shape = (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])
        output = builder.new(x.code, shape, varying=x.varying or index.varying)
        return (builder.add(Take((x, index), output, call.label, outer, size, index.count, inner)),)
    if index.sized:
        raise UnsupportedModel("a free size is used as an index")
    picks = index.data.astype(np.int64)
    if picks.size and (picks.min() < -size or picks.max() >= size):
        raise UnsupportedModel(f"expected indices of {size} elements, got {picks.min()} to {picks.max()}")
    return (chosen(call, builder, x, np.where(picks < 0, picks + size, picks), axis, (outer, size, inner)),)


def chosen(call: Call, builder: Builder, x: Value, picks: np.ndarray, axis: int, sizes: tuple[int, int, int]) -> Value:
    """Elements at `picks` >= 0 of x seen as sizes [outer, size, inner], the second of them `axis`."""
    outer, size, inner = sizes
    shape = (*x.shape[:axis], *(dim(n) for n in picks.shape), *x.shape[axis + 1 :])
    if picks.size == 1 and outer == 1:
        return Value(x.store, shape, x.offset + int(picks.reshape(())) * inner)
    output = builder.new(x.code, shape, varying=x.varying)
    if picks.size > MOST_COPIES and x.code != "u8":
        index = constant(picks.ravel().astype(np.int32))
        return builder.add(Take((x, index), output, call.label, outer, size, picks.size, inner))
    for place, pick in enumerate(picks.ravel().tolist()):
        axes: list[Axis] = [(outer, (size * inner, picks.size * inner)), (inner, (1, 1))]
        builder.add(Copy((x,), output, call.label, axes, pick * inner, place * inner))
    return output
