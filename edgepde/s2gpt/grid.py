"""Tensor grids with clustered axes: where the greedy loop looks, with quadrature weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """x(s) = centre + width sinh(a + (b - a) s) for s in [0, 1]; width 0 stands for the straight line from low to high.

    a = asinh((low - centre)/width), b = asinh((high - centre)/width): points gather within `width` of `centre`.
    """

    low: float
    high: float
    centre: float = 0.0
    width: float = 0.0

    @property
    def ends(self) -> tuple[float, float]:
        """a and b of the map."""
        return (
            float(np.arcsinh((self.low - self.centre) / self.width)),
            float(np.arcsinh((self.high - self.centre) / self.width)),
        )

    def at(self, s: Array) -> Array:
        """x(s), clipped to [low, high]."""
        if self.width == 0.0:
            return np.asarray(self.low + (self.high - self.low) * s)
        a, b = self.ends
        return np.asarray(np.clip(self.centre + self.width * np.sinh(a + (b - a) * s), self.low, self.high))

    def inverse(self, x: Array) -> Array:
        """s(x), clipped to [0, 1]."""
        if self.width == 0.0:
            s = (x - self.low) / (self.high - self.low)
        else:
            a, b = self.ends
            s = (np.arcsinh((x - self.centre) / self.width) - a) / (b - a)
        return np.asarray(np.clip(s, 0.0, 1.0))

    def slope(self, s: Array) -> Array:
        """dx/ds."""
        if self.width == 0.0:
            return np.full_like(s, self.high - self.low)
        a, b = self.ends
        return np.asarray(self.width * (b - a) * np.cosh(a + (b - a) * s))


@dataclass(frozen=True)
class Grid:
    """Midpoints of a tensor grid and their share of the volume: points [R, d], weights [R] summing to the volume."""

    points: Array
    weights: Array
    axes: tuple[Axis, ...]


def tensor_grid(axes: Sequence[Axis], counts: Sequence[int]) -> Grid:
    """The midpoint rule in s on every axis, mapped to x."""
    columns, weights = [], []
    for axis, n in zip(axes, counts, strict=True):
        s = (np.arange(n) + 0.5) / n
        columns.append(axis.at(s))
        slope = axis.slope(s) / n
        weights.append(slope * (axis.high - axis.low) / slope.sum())
    mesh = np.meshgrid(*columns, indexing="ij")
    volume = np.ones(())
    for w in weights:
        volume = np.multiply.outer(volume, w)
    return Grid(np.stack([m.ravel() for m in mesh], axis=1), volume.ravel(), tuple(axes))


def fitted_axis(low: float, high: float, position: Array, activity: Array) -> Axis:
    """The axis whose points follow where the field is active: positions [R] in [low, high], activity [R] >= 0.

    The centre is the activity's peak, or an end if the peak is near it; the width is the half of the shortest interval
    around it that holds half of the activity, unless that is no narrower than a uniform spread would give.
    """
    bins = np.linspace(low, high, 65)
    number = np.clip(np.digitize(position, bins) - 1, 0, 63)
    total = np.bincount(number, activity, 64)
    count = np.maximum(np.bincount(number, minlength=64), 1)
    density = total / count
    middle = (bins[:-1] + bins[1:]) / 2
    centre = float(middle[density.argmax()])
    span = high - low
    if centre - low < 0.05 * span:
        centre = low
    elif high - centre < 0.05 * span:
        centre = high
    distance = np.abs(position - centre)
    order = np.argsort(distance)
    share = np.cumsum(activity[order])
    half = distance[order][np.searchsorted(share, 0.5 * share[-1])] if share[-1] > 0 else span
    uniform = np.median(distance)
    if half > 0.5 * uniform:
        return Axis(low, high)
    return Axis(low, high, centre, float(max(half, 0.01 * span)))
