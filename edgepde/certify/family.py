"""Inputs of many columns that few numbers describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Family:
    """The inputs x = mean + a modes + e: a [k] with low <= a <= high, |e_i| <= radius_i.

    mean, radius [d], modes [k, d], low, high [k]. The radius must cover what rounding x to the caller's numbers
    moves it: `rounded` adds that.
    Raises InputError where shapes disagree, a number is not finite, low > high or radius < 0.
    """

    mean: ArrayLike
    modes: ArrayLike
    low: ArrayLike
    high: ArrayLike
    radius: ArrayLike = 0.0

    def __post_init__(self) -> None:
        mean, modes = _finite("mean", self.mean, 1), _finite("modes", self.modes, 2)
        if modes.shape[1] != len(mean) or not len(modes) or not len(mean):
            raise InputError(f"family: modes expected shape [k, {len(mean)}] with k > 0, got {list(modes.shape)}")
        given: dict[str, Array] = {"mean": mean, "modes": modes}
        for name, size in (("low", len(modes)), ("high", len(modes)), ("radius", len(mean))):
            values = _finite(name, getattr(self, name), 1)
            if values.shape not in ((size,), (1,)):
                raise InputError(f"family: {name} expected {size} numbers, got {len(values)}")
            given[name] = np.broadcast_to(values, (size,)).copy()
        if (given["low"] > given["high"]).any():
            at = int((given["low"] > given["high"]).argmax())
            raise InputError(
                f"family: coefficient {at} expected low <= high, got [{given['low'][at]}, {given['high'][at]}]"
            )
        if (given["radius"] < 0.0).any():
            raise InputError(f"family: radius expected no negative number, got {given['radius'].min()}")
        for name, values in given.items():
            object.__setattr__(self, name, values)

    @property
    def dimension(self) -> int:
        """The number of columns d of the inputs."""
        return len(np.asarray(self.mean))

    @property
    def size(self) -> Array:
        """sup |x_i| [d] over the family."""
        mean, modes, low, high, radius = self.arrays()
        return np.abs(mean) + np.maximum(np.abs(low), np.abs(high)) @ np.abs(modes) + radius

    def arrays(self) -> tuple[Array, Array, Array, Array, Array]:
        """(mean, modes, low, high, radius) as arrays of their own shapes."""
        mean, modes, low, high, radius = (
            np.asarray(v, dtype=np.float64) for v in (self.mean, self.modes, self.low, self.high, self.radius)
        )
        return mean, modes, low, high, radius

    def rounded(self, dtype: str) -> Family:
        """The family with a radius that also holds every x rounded to numbers of `dtype` (float32, float64).

        |fl(x) - x| <= u |x| + half the smallest subnormal number; an x computed in float64 errs by (k + 3) 2^-53 |x|.
        """
        kind = np.finfo(dtype)
        unit = float(kind.eps) / 2.0 + (len(np.asarray(self.low)) + 4) * 2.0**-53
        radius = self.arrays()[4] + self.size * (1.0 + 1e-12) * unit + float(kind.smallest_subnormal)
        return Family(self.mean, self.modes, self.low, self.high, radius * (1.0 + 1e-12))

    def at(self, a: ArrayLike) -> Array:
        """mean + a modes [n, d] for rows a [n, k]."""
        mean, modes, *_ = self.arrays()
        return np.asarray(mean + np.asarray(a, dtype=np.float64) @ modes)


def _finite(name: str, values: Any, rank: int) -> Array:
    try:
        made = np.array(values, dtype=np.float64, ndmin=1)
    except (TypeError, ValueError) as error:
        raise InputError(f"family: {name} expected numbers, got {values!r}") from error
    if made.ndim != rank or not np.isfinite(made).all():
        raise InputError(f"family: {name} expected finite numbers in {rank} dimension(s), got shape {list(made.shape)}")
    return made
