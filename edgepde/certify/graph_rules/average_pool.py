"""AveragePool: a matrix of equal weights a row along every axis."""

from __future__ import annotations

import numpy as np

from .. import convolving
from ..building import Builder, Value
from ._call import Call
from ._windows import found


def rule(call: Call, b: Builder) -> list[Value]:
    """Means over windows; the number of cells of a window is a product over the axes."""
    made, axes = found(call)
    padded = bool(call.attributes["count_include_pad"])
    matrices = []
    for axis, (n, places) in enumerate(zip(made.sizes, axes, strict=True)):
        matrix = np.zeros((len(places), n))
        rows = np.broadcast_to(np.arange(len(places))[:, None], places.shape)[places >= 0]
        np.add.at(matrix, (rows, places[places >= 0]), 1.0)
        matrices.append((2 + axis, matrix / made.cells(axis, padded=padded)[:, None]))
    return [convolving.averaged(b, call.value(0), matrices)]
