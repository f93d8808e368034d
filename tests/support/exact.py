"""The elementary functions to more digits than the kernels have, and errors in units of the last place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from edgepde_runtime.rooms import Room
from numpy.typing import NDArray

WIDE = np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant
ROOT = np.sqrt(np.longdouble(0.5))


def exact(name: str, x: NDArray[Any]) -> NDArray[Any]:
    """Function `name` at x in long double, except for erf and erfc off by one unit of the last place of a double."""
    with np.errstate(all="ignore"):
        x = x.astype(np.longdouble)
        if name == "gelu":
            return np.asarray(x * _erfc(-x * ROOT) / 2)
        if name == "gelu_tanh":
            inner = np.sqrt(8 / (4 * np.arctan(np.longdouble(1)))) * (x + np.longdouble("0.044715") * x**3)
            return np.asarray(x / (1 + np.exp(-inner)))
        if name == "sigmoid":
            return np.asarray(np.exp(-np.logaddexp(0, -x)))
        return np.asarray(Room(name).reference([x], {})[0])


def _erfc(y: NDArray[Any]) -> NDArray[Any]:
    """erfc(y) from a double's value and slope beside y; where a double runs out, from the asymptotic series."""
    near = y.astype(np.float64)
    value = np.array([math.erfc(v) for v in near.tolist()]).astype(np.longdouble)
    half_slope = 1 / np.sqrt(4 * np.arctan(np.longdouble(1)))
    bell = np.exp(-y * y) * half_slope
    series, z = np.ones_like(y), 1 / (2 * y * y)
    for odd in range(13, 0, -2):
        series = 1 - odd * z * series
    return np.asarray(np.where(y > 26, bell / y * series, value - 2 * bell * np.where(np.isfinite(y), y - near, 0)))


def ulps(y: NDArray[Any], value: NDArray[Any]) -> NDArray[np.float64]:
    """|y - value| in units of the last place of value in y's precision; infinity counts as the next power of two.

    0 where both are NaN, infinite where one is.
    """
    info = np.finfo(y.dtype)
    top = np.ldexp(np.longdouble(1), int(info.maxexp))
    with np.errstate(invalid="ignore"):  # signalling NaN
        a, b = np.clip(y.astype(np.longdouble), -top, top), np.clip(value.astype(np.longdouble), -top, top)
    power = np.clip(np.frexp(np.where(np.isnan(b), 1, b))[1], int(info.minexp) + 1, int(info.maxexp))
    error = np.abs(a - b) / np.ldexp(np.longdouble(1), power - info.nmant - 1)
    either = np.isnan(a) | np.isnan(b)
    return np.where(either, np.where(np.isnan(a) & np.isnan(b), 0, np.inf), error).astype(np.float64)
