"""Numpy reference: the definition of the op."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelFileError
from .._numpy import MAX_ELEMENTS

NAME = "mollified_derivative"
MOST_PRODUCTS = 64


def run(inputs: Sequence[NDArray[Any] | None], _: Mapping[str, Any]) -> tuple[NDArray[Any], ...]:
    """See the schema for meaning and shapes. ModelFileError where sizes disagree or an axis is too short."""
    x, *rest = (np.asarray(v) for v in inputs)
    taps, orders, combine = rest[:3], rest[3], rest[4]
    check(x.shape, [t.shape for t in taps], orders, combine.shape)
    y = np.zeros((len(x), len(combine), *x.shape[1:]), x.dtype)
    known: dict[tuple[int, ...], NDArray[Any]] = {}
    for k, order in enumerate(orders.tolist()):
        product = x
        for axis in (2, 1, 0):
            if order[axis] >= 0:
                tail = tuple(order[axis:])
                if (axis, *tail) not in known:
                    known[axis, *tail] = along(product, 1 + axis, taps[axis][order[axis]])
                product = known[axis, *tail]
        for o in np.flatnonzero(combine[:, k]):
            y[:, o] += combine[o, k] * product
    return (y,)


def along(z: NDArray[Any], axis: int, taps: NDArray[Any]) -> NDArray[Any]:
    """sum_j taps[r_i, j] z[.., s_i + j, ..] along one axis; taps [R, W]."""
    starts, rows = windows(z.shape[axis], *taps.shape)
    wide = [1] * z.ndim
    wide[axis] = z.shape[axis]
    total = np.zeros_like(z)
    for j in range(taps.shape[1]):
        total += taps[rows, j].reshape(wide) * np.take(z, starts + j, axis=axis)
    return total


def windows(n: int, rows: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First column of the window of each of n rows, and which row of the taps it has."""
    places = np.arange(n)
    starts = np.clip(places - (width - 1) // 2, 0, n - width)
    return starts, places - starts if rows == width else places


def matrix(n: int, taps: NDArray[Any]) -> NDArray[Any]:
    """The matrix [n, n] that taps [R, W] stand for."""
    starts, rows = windows(n, *taps.shape)
    made = np.zeros((n, n), taps.dtype)
    np.put_along_axis(made, starts[:, None] + np.arange(taps.shape[1]), taps[rows], axis=1)
    return made


def check(grid: Sequence[int], taps: Sequence[Sequence[int]], orders: NDArray[Any], combine: Sequence[int]) -> None:
    """ModelFileError where the shapes of x, taps and combine, or the orders, do not fit each other."""
    if orders.ndim != 2 or orders.shape[1] != 3 or not 1 <= len(orders) <= MOST_PRODUCTS:
        raise ModelFileError(f"{NAME}: orders: expected shape [1 to {MOST_PRODUCTS}, 3], got {list(orders.shape)}")
    if combine[0] < 1 or combine[1] != len(orders):
        raise ModelFileError(f"{NAME}: combine: expected shape [1 or more, {len(orders)}], got {list(combine)}")
    if min(grid[1:]) < 1:
        raise ModelFileError(f"{NAME}: x: expected at least one place on every axis, got {list(grid[1:])}")
    for axis in range(3):
        _axis_fits(axis + 1, grid[1 + axis], taps[axis], orders[:, axis].tolist())
    if max(grid[0], 1) * float(combine[0]) * math.prod(map(float, grid[1:])) > MAX_ELEMENTS:
        raise ModelFileError(
            f"{NAME}: expected {MAX_ELEMENTS} numbers at most, got {combine[0]} fields of {list(grid)}"
        )


def _axis_fits(axis: int, n: int, shape: Sequence[int], orders: Sequence[int]) -> None:
    if set(orders) == {-1}:
        return
    count, rows, width = shape
    wrong = [q for q in orders if not -1 <= q < count]
    if wrong:
        raise ModelFileError(f"{NAME}: orders: axis {axis}: expected -1 to {count - 1}, got {wrong[0]}")
    if not 1 <= width <= n:
        raise ModelFileError(f"{NAME}: axis {axis}: expected windows of 1 to {n} places, its own, got {width}")
    if rows not in (width, n):
        raise ModelFileError(f"{NAME}: taps_{axis}: expected {width} or {n} rows, got {rows}")
