"""What was proved of a difference or a range."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgepde.errors import CertificateFault

from .attack import Found
from .bisect import Cover

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Bound:
    """value [m] >= sup |f - g| >= found [m] per output, both proved, found by evaluation at points [m, d].

    proved: whether value is what was asked for; finished: whether no limit came first. boxes: how many were analysed.
    low, high [N, d] and per_box [N, m]: boxes that cover the domain, of a family's coefficients where it is one, and
    the bound in each. how: "pair", "apart", "equal" where f and g are the same network, or "linear": a closed form, and
    points are of the worst outputs alone.
    """

    value: Array
    found: Array
    points: Array
    proved: bool
    boxes: int
    seconds: float
    how: str
    low: Array
    high: Array
    per_box: Array
    finished: bool

    @property
    def tightness(self) -> Array:
        """value / found [m]; 1 where both are 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.value == self.found, 1.0, self.value / self.found)


@dataclass(frozen=True)
class Range:
    """low [m] <= f <= high [m] over the box, proved."""

    low: Array
    high: Array


def bound_of(made: Cover, found: Found, target: float | Sequence[float] | None, how: str, began: float) -> Bound:
    """The bound that boxes make; raises CertificateFault where something found is above it."""
    low, high, per_box = (t.cpu().numpy() for t in (made.low, made.high, made.bound))
    value, points = found.value.cpu().numpy(), found.points.cpu().numpy()
    spent = time.monotonic() - began
    most = per_box.max(axis=0)
    if not (most >= value).all():
        raise CertificateFault(f"the bound {most.tolist()} is below what was found, {value.tolist()}: a fault of ours")
    reached = made.proved and (target is None or bool((most <= np.asarray(target)).all()))
    return Bound(most, value, points, reached, made.analysed, spent, how, low, high, per_box, made.proved)
