"""GatherND with index tuples that are constants: a Gather along the axes they count, seen as one."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import UnsupportedModel

from ..building import Builder, Call
from ..dims import dim, features, spelled, symbols
from ..value import Value
from .gather import chosen


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """The first axes, all of them numbers."""
    x, index = builder.running(call, call.value(0)), call.known(1)
    if index is None or call.attributes["batch_dims"]:
        raise UnsupportedModel("attribute 'batch_dims': expected 0 for the C99 target")
    count = index.shape[-1]
    if symbols(x.shape[:count]):
        raise UnsupportedModel(
            f"axes up to {count - 1} of {spelled(x.shape)} hold a free size: rows would not stay apart"
        )
    sizes = [features((d,)) for d in x.shape[:count]]
    low, high = index.min(initial=0), (index - sizes).max(initial=-1)
    if low < -min(sizes, default=0) or high >= 0 or not 1 <= count <= len(x.shape):
        raise UnsupportedModel(f"expected indices of {sizes} elements, got {index.tolist()}")
    picks = np.ravel_multi_index(tuple(np.moveaxis(np.where(index < 0, index + sizes, index), -1, 0)), sizes)
    flat = Value(x.store, (dim(*sizes), *x.shape[count:]), x.offset)
    whole = (1, int(np.prod(sizes)), features(x.shape[count:]))
    return (chosen(call, builder, flat, np.asarray(picks), 0, whole),)
