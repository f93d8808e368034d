"""AveragePool: a matrix of equal weights a row along every axis."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.ops._windows import windows

from .. import convolving
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """Means over windows; the number of cells of a window is a product over the axes."""
    x = call.value(0)
    try:
        found = windows(x.shape[2:], call.attributes)
        outputs = found.outputs
    except ValueError as error:
        raise call.refuse(str(error)) from error
    padded = bool(call.attributes["count_include_pad"])
    matrices = []
    for axis, (n, m) in enumerate(zip(found.sizes, outputs, strict=True)):
        each = (found.kernel[axis], found.strides[axis], found.before[axis], found.dilations[axis])
        places = convolving.windows(n, m, *each)
        matrix = np.zeros((m, n))
        rows = np.broadcast_to(np.arange(m)[:, None], places.shape)[places >= 0]
        np.add.at(matrix, (rows, places[places >= 0]), 1.0)
        matrices.append((2 + axis, matrix / found.cells(axis, padded=padded)[:, None]))
    return [convolving.averaged(b, x, matrices)]
