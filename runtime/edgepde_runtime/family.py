"""Inputs of many columns that move along few directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import EdgePDEError
from .term import LARGEST

Array = NDArray[np.float64]
_SLACK = 1e-9


@dataclass(frozen=True)
class Family:
    """{ mean + sum_i a_i modes[i] + e : low <= a <= high, |e_j| <= radius_j }, columns in the order of the box.

    mean [d], modes [k][d], low and high [k], radius [d].
    """

    mean: tuple[float, ...]
    modes: tuple[tuple[float, ...], ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    radius: tuple[float, ...]

    def check(self, low: Sequence[float], high: Sequence[float], where: str, error: type[EdgePDEError]) -> None:
        """Raises `error` naming the member whose size or values are wrong; low, high [d]: the box it must lie in."""
        d, k = len(low), len(self.modes)
        if not k:
            raise error(f"{where}.modes expected at least one mode, got none")
        sizes = {"mean": d, "radius": d, "low": k, "high": k}
        for name, size in sizes.items():
            if len(getattr(self, name)) != size:
                raise error(f"{where}.{name} expected {size} numbers, got {len(getattr(self, name))}")
        for i, mode in enumerate(self.modes):
            if len(mode) != d:
                raise error(f"{where}.modes[{i}] expected {d} numbers, got {len(mode)}")
        for name in (*sizes, "modes"):
            values = np.asarray(getattr(self, name), np.float64)
            if not (np.abs(values) <= LARGEST).all():
                raise error(f"{where}.{name} expected numbers of at most {LARGEST}, got more")
        if min(self.radius) < 0.0:
            raise error(f"{where}.radius expected numbers from 0, got {min(self.radius)!r}")
        for i, (a, b) in enumerate(zip(self.low, self.high, strict=True)):
            if not a < b:
                raise error(f"{where} expected low < high, got {a!r} and {b!r} for mode {i}")
        self._check_inside(np.asarray(low), np.asarray(high), where, error)

    def _check_inside(self, low: Array, high: Array, where: str, error: type[EdgePDEError]) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            lowest, highest = self.hull()
            slack = _SLACK * (high - low)
            misses = np.flatnonzero(~((lowest >= low - slack) & (highest <= high + slack)))
        if misses.size:
            j = int(misses[0])
            box = f"[{float(low[j])!r}, {float(high[j])!r}]"
            got = f"{float(lowest[j])!r} to {float(highest[j])!r} in column {j}"
            raise error(f"{where} expected inputs inside the box {box}, got {got}")

    def hull(self) -> tuple[Array, Array]:
        """The lowest and highest value of every column, [d] each."""
        modes, mean, radius = np.asarray(self.modes), np.asarray(self.mean), np.asarray(self.radius)
        ends = np.asarray(self.low)[:, None] * modes, np.asarray(self.high)[:, None] * modes
        return mean + np.minimum(*ends).sum(axis=0) - radius, mean + np.maximum(*ends).sum(axis=0) + radius

    def points(self, amounts: Array, offsets: Array) -> Array:
        """mean + amounts modes + radius offsets, float64 [n, d]; amounts [n, k], offsets [n, d] in [-1, 1]."""
        return np.asarray(self.mean) + amounts @ np.asarray(self.modes) + np.asarray(self.radius) * offsets

    def contains(self, x: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which rows of x [n, d] are shown to lie in the family; a row near its edge may be missed, none is added.

        |x_j - mean_j - (a modes)_j| + roundoff <= radius_j for a = the least-squares amounts, clipped to their range.
        """
        mean, modes, radius = np.asarray(self.mean), np.asarray(self.modes), np.asarray(self.radius)
        weight = 1.0 / np.maximum(radius, np.finfo(np.float64).eps * max(float(radius.max()), 1e-300))
        centred = x.astype(np.float64) - mean
        amounts, *_ = np.linalg.lstsq((modes * weight).T, (centred * weight).T, rcond=None)
        held = np.clip(amounts.T, self.low, self.high)
        size = np.abs(centred) + np.abs(mean) + np.abs(held) @ np.abs(modes)
        roundoff = (len(modes) + 4) * np.finfo(np.float64).eps * size
        inside = np.abs(centred - held @ modes) + roundoff <= radius
        return np.asarray(inside.all(axis=1))
