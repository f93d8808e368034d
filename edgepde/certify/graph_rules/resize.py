"""Resize: entries moved, or a matrix of two weights a row along every axis, the room's own numbers."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.ops.resize.positions import linear, nearest, resized

from .. import convolving
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """The last axis first."""
    x = call.value(0)
    scales, sizes = (call.constant(i) if call.given(i) else None for i in (2, 3))
    try:
        shape, factors = resized(x.shape, scales, sizes, call.attributes.get("axes"))
    except ValueError as error:
        raise call.refuse(str(error)) from error
    for axis in reversed(range(len(shape))):
        n, m, factor = x.shape[axis], shape[axis], factors[axis]
        if n == m and factor == 1:
            continue
        if call.attributes["mode"] == "nearest":
            x = convolving.moved(x, axis, nearest(n, m, factor, call.attributes))
            continue
        two = linear(n, m, factor, call.attributes["coordinate_transformation_mode"])
        matrix, rows = np.zeros((m, n)), np.arange(m)
        np.add.at(matrix, (rows, two.low), two.low_weight.astype(np.float64))
        np.add.at(matrix, (rows, two.high), two.high_weight.astype(np.float64))
        x = convolving.along(b, x, axis, matrix, sparse=True)
    return [x]
