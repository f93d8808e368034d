"""A threshold for an indicator, with a stated rate of false alarms whatever the indicator's distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from edgepde_runtime.errors import InputError
from edgepde_runtime.monitor import Monitor, fewest, rank
from numpy.typing import ArrayLike

PROBABILITIES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Calibration:
    """P(fresh indicator > threshold) <= level, over calibration rows and one fresh row that are exchangeable.

    count: rows n; unbounded of them were NaN or infinite. quantiles [q]: of the indicator, at `probabilities` [q].
    """

    threshold: float
    level: float
    count: int
    unbounded: int
    probabilities: tuple[float, ...]
    quantiles: tuple[float, ...]

    def monitor(self, output: str, seed: int, distribution: str) -> Monitor:
        """What a bundle says of it in monitor.json; `distribution` in words, e.g. "uniform in the box"."""
        return Monitor(
            output, self.level, self.count, self.unbounded, seed, distribution, self.probabilities, self.quantiles
        )


def calibrate(scores: ArrayLike, level: float) -> Calibration:
    """Split conformal: the ceil((n + 1)(1 - level))-th smallest of |scores| [n]; NaN and infinity are infinitely bad.

    level: the false-alarm probability, e.g. 0.01. A threshold of 0 becomes the smallest normal float32, as a threshold
    is positive. Source: Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005.
    Raises InputError where scores are not [n], level is not between 0 and 1, n is too small for the level (naming the
    smallest n), or so many are not finite that no threshold is.
    """
    if not 0.0 < level < 1.0:
        raise InputError(f"level expected a number between 0 and 1, got {level!r}")
    values = np.asarray(scores)
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        raise InputError(f"scores expected numbers [n], got {values.dtype} {list(values.shape)}")
    ordered = np.sort(np.where(np.isfinite(values), np.abs(values.astype(np.float64)), np.inf))
    count, level = len(ordered), float(level)
    k = rank(count, level)
    if k > count:
        raise InputError(f"scores: a level of {level!r} needs at least {fewest(level)} rows, got {count}")
    unbounded = int(np.isinf(ordered).sum())
    if not np.isfinite(ordered[k - 1]):
        raise InputError(
            f"scores: {unbounded} of {count} are not finite, and a level of {level!r} leaves room for {count - k}"
        )
    at = tuple(p for p in PROBABILITIES if p <= 1.0 - level) or (1.0 - level,)
    quantiles = tuple(float(ordered[min(math.ceil((count + 1) * p), k) - 1]) for p in at)
    return Calibration(max(float(ordered[k - 1]), SMALLEST), level, count, unbounded, at, quantiles)
