"""mollified_derivative: taps, orders and factors are constants; rows of a tile side by side."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.ops.mollified_derivative.reference import check

from ..building import Builder, Call
from ..convolve import refuse_scratch, shape_of
from ..dims import dim, features
from ..mollified import MollifiedDerivative, Sizes
from ..value import Value, constant

LARGEST_OUTPUTS, LARGEST_ORDERS = 65534, 32767


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """x [B, n_1, n_2, n_3] -> y [B, O, n_1, n_2, n_3]."""
    shape, known = shape_of(call), [call.known(i) for i in range(1, 6)]
    x = builder.running(call, call.value(0))
    *taps, orders, combine = (v for v in known if v is not None)
    dtype = np.dtype({"f32": np.float32, "f64": np.float64}[x.code])
    for name, value in zip(("taps_1", "taps_2", "taps_3", "combine"), (*taps, combine), strict=True):
        if value.dtype != dtype:
            raise UnsupportedModel(f"input {name!r}: expected {dtype}, got {value.dtype}")
    check(shape, [t.shape for t in taps], orders, combine.shape)
    if len(combine) > LARGEST_OUTPUTS or orders.max() > LARGEST_ORDERS:
        raise UnsupportedModel(f"expected at most {LARGEST_OUTPUTS} outputs and {LARGEST_ORDERS + 1} matrices per axis")
    rows = tuple((int(t.shape[1]), int(t.shape[2])) for t in taps)
    single = [np.flatnonzero(row)[0] for row in combine if np.count_nonzero(row) == 1 and row.sum() == 1]
    sizes = Sizes(
        shape[1:], rows, tuple(tuple(map(int, order)) for order in orders), len(combine), frozenset(map(int, single))
    )
    need = max(sizes.scratch(), 1)
    refuse_scratch(need)
    output = builder.new(x.code, (x.shape[0], dim(len(combine)), *x.shape[1:]), varying=x.varying)
    scratch = builder.new(x.code, (dim(need),), varying=x.varying)
    held = (taps[0], taps[1], np.ascontiguousarray(taps[2].swapaxes(1, 2)))
    kept = [t for t, used in zip(held, sizes.used(), strict=True) if used]
    inputs = (x, *map(constant, (*kept, orders, combine)))
    step = MollifiedDerivative(inputs, output, call.label, features(x.shape[:1]), scratch, sizes)
    return (builder.add(step),)
