"""Numpy reference: the definition of the op."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelFileError
from ...windows import MOST, Window, window
from .._numpy import MAX_ELEMENTS

NAME = "factorized_conv"


def run(inputs: Sequence[NDArray[Any] | None], attributes: Mapping[str, Any]) -> tuple[NDArray[Any], ...]:
    """See the schema for meaning and shapes. ModelFileError where sizes disagree or the kernel fits nowhere."""
    x, read, filters, write, bias = (np.asarray(v) for v in inputs)
    made = check(x, read, filters, write, bias, attributes)
    read, filters, write = (v.astype(x.dtype, copy=False) for v in (read, filters, write))
    d = len(made.kernel)
    z = np.einsum("rs,bs...->br...", read, x)
    z = np.pad(z, [(0, 0), (0, 0), *zip(made.before, made.after, strict=True)])
    starts = np.cumsum((0, *made.kernel))
    for axis in reversed(range(d)):
        own = filters[:, starts[axis] : starts[axis + 1]]
        z = _filtered(z, own, axis + 2, made.strides[axis], made.dilations[axis])
    y = np.einsum("tr,br...->bt...", write, z) + bias.reshape(-1, *[1] * d)
    return (np.asarray(y, x.dtype),)


def _filtered(z: NDArray[Any], filters: NDArray[Any], axis: int, stride: int, dilation: int) -> NDArray[Any]:
    """sum_j filters[r, j] z[b, r, .., stride i + dilation j, ..] along one axis."""
    reach = dilation * (filters.shape[1] - 1)
    places = (z.shape[axis] - reach - 1) // stride + 1
    wide = filters.reshape(1, len(filters), -1, *[1] * (z.ndim - 2))
    total = 0
    for j in range(filters.shape[1]):
        at = [slice(None)] * z.ndim
        at[axis] = slice(dilation * j, dilation * j + stride * (places - 1) + 1, stride)
        total = total + wide[:, :, j] * z[tuple(at)]
    return np.asarray(total)


def check(
    x: NDArray[Any],
    read: NDArray[Any],
    filters: NDArray[Any],
    write: NDArray[Any],
    bias: NDArray[Any],
    attributes: Mapping[str, Any],
) -> Window:
    """The window of the filters. ModelFileError where a shape, a type or an attribute does not fit the others."""
    made = window(NAME, x.ndim - 2, attributes)
    for name, factor in (("read", read), ("filters", filters), ("write", write)):
        if factor.dtype not in (np.float16, x.dtype):
            raise ModelFileError(f"{NAME}: {name}: expected float16 or {x.dtype}, got {factor.dtype}")
    rank, outputs = read.shape[0], write.shape[0]
    shapes = {
        "read": (read.shape, (attributes["rank"], x.shape[1])),
        "filters": (filters.shape, (rank, sum(made.kernel))),
        "write": (write.shape, (outputs, rank)),
        "bias": (bias.shape, (outputs,)),
    }
    for name, (got, wanted) in shapes.items():
        if got != wanted or 0 in got:
            raise ModelFileError(f"{NAME}: {name}: expected shape {list(wanted)}, sizes above 0, got {list(got)}")
    places = made.places(NAME, x.shape[2:])
    batch = max(len(x), 1)
    mixed = np.prod([n + b + a for n, b, a in zip(x.shape[2:], made.before, made.after, strict=True)], dtype=float)
    if batch * max(rank * float(mixed), outputs * float(np.prod(places, dtype=float))) > MAX_ELEMENTS:
        raise ModelFileError(f"{NAME}: expected at most {MOST} numbers in the field, got {batch} of {list(places)}")
    return made
