"""Convolutions, windows and grids in terms of the certificate's nodes; both readers use them.

Tensors are [1, C, n_1 .. n_d]; where the first size is B > 1 its slices are groups of channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from .building import Builder, Value
from .composing import Array, larger, minus, plus, pointwise, power, scaled, times
from .convolution import AxisMatrix, Convolution
from .network import tensor

Index = NDArray[np.int64]
Sizes = Sequence[int]


def convolved(
    b: Builder,
    x: Value,
    weight: Array,
    bias: Array | None,
    strides: Sizes,
    pads: Sizes,
    dilations: Sizes,
    groups: int = 1,
    *,
    transposed: bool = False,
) -> Value:
    """x by a kernel; weight, pads and so on as in Convolution."""
    held, copies = tensor(weight), x.shape[0]
    outputs = held.shape[1] * groups if transposed else held.shape[0]
    shift = torch.zeros(outputs, dtype=torch.float64) if bias is None else tensor(bias)
    try:
        node = Convolution(
            (b.flat(x),),
            held.repeat(copies, *[1] * (held.dim() - 1)),
            shift.repeat(copies),
            (copies * x.shape[1], *x.shape[2:]),
            tuple(strides),
            tuple(pads),
            tuple(dilations),
            groups * copies,
            transposed,
        )
    except InputError as error:
        raise b.refuse(str(error)) from error
    return b.add(node, (copies, outputs, *node.shape_out[1:]))


def factorized(
    b: Builder,
    x: Value,
    factors: tuple[Array, Array, Array, Array],
    kernel: Sizes,
    strides: Sizes,
    pads: Sizes,
    dilations: Sizes,
) -> Value:
    """read, then the 1-way filters from the last axis to the first, then write: a chain of convolutions."""
    read, filters, write, bias = factors
    d, rank = len(kernel), len(read)
    ones, zeros = (1,) * d, (0,) * (2 * d)
    y = convolved(b, x, read.reshape(*read.shape, *ones), None, ones, zeros, ones)
    starts = np.cumsum((0, *kernel))
    for axis in reversed(range(d)):
        own = filters[:, starts[axis] : starts[axis + 1]]
        shape = tuple(own.shape[1] if a == axis else 1 for a in range(d))
        chosen = [
            tuple(v if a == axis else other for a, v in enumerate(part))
            for part, other in ((strides, 1), (dilations, 1))
        ]
        around = tuple(p if i % d == axis else 0 for i, p in enumerate(pads))
        y = convolved(b, y, own.reshape(rank, 1, *shape), None, chosen[0], around, chosen[1], rank)
    return convolved(b, y, write.reshape(*write.shape, *ones), bias, ones, zeros, ones)


def along(
    b: Builder,
    x: Value,
    axis: int,
    matrix: Array,
    bias: Array | None = None,
    *,
    sparse: bool = False,
    roundings: int = 0,
    computed: bool = False,
) -> Value:
    """matrix [m, n] times x along an axis, as AxisMatrix."""
    held, axis = tensor(matrix), axis % len(x.shape)
    shift = torch.zeros(len(held), dtype=torch.float64) if bias is None else tensor(bias)
    node = AxisMatrix((b.flat(x),), held, shift, x.shape, axis, roundings, sparse, computed)
    return b.add(node, node.shape_out)


def moved(x: Value, axis: int, places: Index) -> Value:
    """The entries of an axis at those places."""
    return Value(x.node, np.take(x.index, places, axis=axis))


def surrounded(b: Builder, x: Value, pads: Sequence[tuple[int, int]], mode: str) -> Value:
    """Every axis with (before, after) more entries of its own; mode as numpy's pad has it."""
    try:
        return Value(x.node, np.pad(x.index, list(pads), mode=mode))  # type: ignore[call-overload]
    except ValueError as error:
        raise b.refuse(str(error)) from error


def windows(n: int, outputs: int, kernel: int, stride: int, before: int, dilation: int) -> Index:
    """Entries [outputs, kernel] of an axis in each window, -1 where there is none."""
    at = np.arange(outputs)[:, None] * stride - before + np.arange(kernel) * dilation
    return np.where((at >= 0) & (at < n), at, -1)


def largest_in(b: Builder, x: Value, axis: int, places: Index) -> Value:
    """The largest entry of every window [outputs, kernel] along an axis; -1 is no entry."""
    if (places < 0).all(axis=1).any():
        raise b.refuse("expected every window to hold an element")
    # an element that is in the window anyway stands for none
    held = np.where(places < 0, places.max(axis=1, keepdims=True), places)
    made = moved(x, axis, held[:, 0])
    for k in range(1, held.shape[1]):
        made = larger(b, made, moved(x, axis, held[:, k]))
    return made


def averaged(b: Builder, x: Value, matrices: Sequence[tuple[int, Array]]) -> Value:
    """Means along several axes, each a matrix of equal weights per row, which a device sums at once and then divides.

    All its additions, and the division, count in the last of them.
    """
    cells = math.prod(int(np.count_nonzero(m, axis=1).max()) for _, m in matrices)
    for place, (axis, matrix) in enumerate(matrices):
        last = place == len(matrices) - 1
        x = along(b, x, axis, matrix, sparse=True, computed=True, roundings=cells + 3 if last else 0)
    return x


def mean_along(n: int) -> Array:
    """The matrix [1, n] of a mean."""
    return np.full((1, n), 1.0 / n)


def by_unit_vectors(n: int, apply: Callable[[torch.Tensor], torch.Tensor]) -> Array:
    """The matrix [m, n] of a linear map of rows [n, 1, n] of an axis, computed in float64."""
    unit = torch.eye(n, dtype=torch.float64)[:, None]
    return np.asarray(apply(unit)[:, 0].T)


def per_channel(x: Value, values: Array) -> Array:
    """Constants [C] against x [B, C, n_1 ..]."""
    return np.reshape(values, (-1, *(1,) * (len(x.shape) - 2)))


def shifted_and_scaled(b: Builder, x: Value, mean: Array, slope: Array, shift: Array) -> Value:
    """(x - mean) slope + shift by channel."""
    centred = scaled(b, x, 1.0, per_channel(x, -mean))
    return scaled(b, scaled(b, centred, per_channel(x, slope)), 1.0, per_channel(x, shift))


def normalised(b: Builder, x: Value, axes: Sequence[int], epsilon: float) -> Value:
    """(x - mean) / sqrt(var + epsilon), mean and variance over axes."""
    axes = sorted(a % len(x.shape) for a in axes)
    matrices = [(axis, mean_along(x.shape[axis])) for axis in axes]
    apart = minus(b, x, averaged(b, x, matrices).spread(x.shape))
    variance = averaged(b, power(b, apart, 2.0), matrices)
    root = pointwise(b, "sqrt", plus(b, variance, np.array(epsilon)))
    return times(b, apart, pointwise(b, "reciprocal", root).spread(x.shape))
