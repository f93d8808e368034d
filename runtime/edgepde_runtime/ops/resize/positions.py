"""Which elements of an axis make those of the resized axis, and with which weights.

Positions are computed in float32, as ONNX Runtime does it, so that weights and nearest elements are the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._numpy import MAX_ELEMENTS, normalised

COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
Places = NDArray[np.int64]
Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Linear:
    """y[j] = low_weight[j] x[low[j]] + high_weight[j] x[high[j]]; weights are float32, 1 and 0 at an element itself."""

    low: Places
    high: Places
    low_weight: Weights
    high_weight: Weights


def resized(
    shape: Sequence[int], scales: NDArray[Any] | None, sizes: NDArray[Any] | None, axes: Sequence[int] | None
) -> tuple[list[int], list[np.float32]]:
    """The new shape and the scale of every axis; ValueError where they do not fit."""
    chosen = normalised(range(len(shape)) if axes is None else axes, len(shape))
    found, factors = [int(n) for n in shape], [np.float32(1)] * len(shape)
    given = [v for v in (scales, sizes) if v is not None and v.size]
    if len(given) != 1 or len(given[0]) != len(chosen):
        raise ValueError(f"expected scales or sizes for {len(chosen)} axes, got {[v.tolist() for v in given]}")
    for axis, value in zip(chosen, given[0].tolist(), strict=True):
        if not 0 < value <= MAX_ELEMENTS:
            raise ValueError(f"expected scales and sizes above 0, got {given[0].tolist()}")
        if sizes is not None and sizes.size:
            found[axis], factors[axis] = int(value), np.float32(value) / np.float32(max(shape[axis], 1))
        else:
            found[axis], factors[axis] = int(np.floor(np.float32(value) * np.float32(shape[axis]))), np.float32(value)
    return found, factors


def positions(size: int, made: int, scale: np.float32, mode: str) -> NDArray[np.float32]:
    """Where element j < made of the new axis lies on the old one, in its own indices."""
    j, half = np.arange(made, dtype=np.float32), np.float32(0.5)
    if mode == "align_corners":
        return np.zeros(1, np.float32) if made == 1 else j * np.float32(size - 1) / np.float32(made - 1)
    if mode == "asymmetric":
        return j / scale
    if mode == "pytorch_half_pixel" and made == 1:
        return np.zeros(1, np.float32)
    return (j + half) / scale - half


def nearest(size: int, made: int, scale: np.float32, attributes: Mapping[str, Any]) -> Places:
    """The element taken for each of the new axis."""
    if scale == 1:
        return np.arange(made)
    at = positions(size, made, scale, attributes["coordinate_transformation_mode"])
    rounding = attributes["nearest_mode"]
    if rounding == "floor":
        found = np.floor(at)
    elif rounding == "ceil":
        found = np.ceil(at)
    elif rounding == "round_prefer_floor":
        found = np.where(at == np.floor(at) + np.float32(0.5), np.floor(at), np.round(at))
    else:
        found = np.floor(at + np.float32(0.5))
    return found.astype(np.int64).clip(0, size - 1)


def linear(size: int, made: int, scale: np.float32, mode: str) -> Linear:
    """The two elements and weights that make each of the new axis."""
    at = positions(size, made, scale, mode).clip(0, size - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, size - 1)
    share = np.where(high > low, at - low.astype(np.float32), np.float32(0))
    rest = np.where(high > low, high.astype(np.float32) - at, np.float32(1))
    return Linear(low, high, rest.astype(np.float32), share.astype(np.float32))
