"""Derivatives by windows of fixed weights in terms of the certificate's nodes; both readers use them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from edgepde_runtime.errors import ModelFileError
from edgepde_runtime.ops.mollified_derivative.reference import check, matrix
from numpy.typing import NDArray

from .building import Builder, Value
from .composing import Array, joined
from .convolving import along


def derivatives(
    b: Builder, x: Value, taps: Sequence[Array], orders: NDArray[np.int64], combine: Array, name: str = ""
) -> Value:
    """The op mollified_derivative: y [1, O, n_1, n_2, n_3] of x [1, n_1, n_2, n_3], a matrix along an axis at a time.

    A product that several have in common is one node. name: what errors call the op.
    """
    try:
        check(x.shape, [t.shape for t in taps], orders, combine.shape)
    except ModelFileError as error:
        raise b.refuse(f"{name}{error}") from error
    found = []
    for order in orders.tolist():
        z = x
        for axis in (2, 1, 0):
            if order[axis] >= 0:
                z = _filtered(b, z, axis + 1, taps[axis][order[axis]])
        found.append(Value(z.node, z.index[:, None]))
    return joined(b, [_sum(b, found, row) for row in combine], 1)


def _filtered(b: Builder, z: Value, axis: int, taps: Array) -> Value:
    """A matrix of windows along an axis; zeros among the taps count: a device's chunks are of a window's places."""
    made = matrix(z.shape[axis], taps)
    left_out = taps.shape[1] - int(np.count_nonzero(made, axis=1).max())
    return along(b, z, axis, made, sparse=True, roundings=-(-left_out // 16))


def _sum(b: Builder, found: Sequence[Value], factors: Array) -> Value:
    """sum_k factor_k P_k over factors other than 0, [1, 1, n_1, n_2, n_3]."""
    kept = np.flatnonzero(factors).tolist()
    if len(kept) == 1 and factors[kept[0]] == 1.0:
        return found[kept[0]]
    kept = kept or [0]
    stacked = joined(b, [found[k] for k in kept], 1)
    return along(b, stacked, 1, factors[None, kept], sparse=True)
