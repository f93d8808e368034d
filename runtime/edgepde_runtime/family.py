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
_WEIGHINGS = 40


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

    def holds(self, x: NDArray[np.floating], amounts: Array) -> NDArray[np.bool_]:
        """Which rows of x [n, d] are members by amounts [n, k]: |x - mean - amounts modes| + roundoff <= radius."""
        return np.asarray((self._share(x, amounts) <= 1.0).all(axis=1))

    def contains(self, x: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which rows of x [n, d] are shown to be members; one near the edge may be missed, none is added.

        The amounts that miss x least in the largest column are approached by Lawson's weights: w_j <- w_j |miss_j|.
        """
        found = np.zeros(len(x), dtype=bool)
        weight = np.full(x.shape, 1.0)
        for _ in range(_WEIGHINGS):
            left = np.flatnonzero(~found)
            if not left.size:
                break
            amounts = self._amounts(x[left], weight[left])
            share = self._share(x[left], amounts)
            found[left] = (share <= 1.0).all(axis=1)
            weight[left] *= np.clip(share / np.maximum(share.max(axis=1, keepdims=True), 1e-300), 1e-6, 1.0)
        return found

    def _amounts(self, x: NDArray[np.floating], weight: Array) -> Array:
        """The amounts [n, k] of the least sum of weight (miss / radius)^2, clipped to their range."""
        modes, scale = np.asarray(self.modes), self._scale()
        scaled = modes / scale
        centred = (x.astype(np.float64) - np.asarray(self.mean)) / scale
        products = np.einsum("kj,nj,lj->nkl", scaled, weight, scaled)
        products += 1e-12 * np.trace(products, axis1=1, axis2=2)[:, None, None] * np.eye(len(modes))
        sides = np.einsum("kj,nj,nj->nk", scaled, weight, centred)
        return np.clip(np.linalg.solve(products, sides[:, :, None])[:, :, 0], self.low, self.high)

    def _share(self, x: NDArray[np.floating], amounts: Array) -> Array:
        """(|x - mean - amounts modes| + roundoff) / radius, [n, d]."""
        mean, modes = np.asarray(self.mean), np.asarray(self.modes)
        centred = x.astype(np.float64) - mean
        size = np.abs(centred) + np.abs(mean) + np.abs(amounts) @ np.abs(modes)
        roundoff = (len(modes) + 4) * np.finfo(np.float64).eps * size
        radius = np.asarray(self.radius)
        with np.errstate(divide="ignore", over="ignore"):
            share = (np.abs(centred - amounts @ modes) + roundoff) / radius
        return np.where(radius > 0.0, share, np.inf)

    def _scale(self) -> Array:
        """The radius where it is not next to nothing beside the others."""
        radius = np.asarray(self.radius)
        return np.maximum(radius, max(1e-6 * float(radius.max()), 1e-150))
