"""The spline estimate as fixed linear algebra: taps of whole lines, pooled normal equations, one small solve.

For devices: nothing depends on the readings but the right and the left side of the solve. What is chosen (functions per
axis, curvature) is chosen on simulated cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.problems.inverse_case import Case

from ..grid import MOST_AXES, Grid
from ..names import TIME, combination
from .bases import Basis
from .smoothing import Smoothed, along, families
from .space import Space, space
from .spline import fields, noise_of_operator
from .statement import Statement

Array = NDArray[np.float64]
TIMES, SHARES = (4, 5, 6, 7), (0.25, 0.3, 0.35, 0.4)
"""Functions along time, and along other axes as a share of their samples."""
CURVATURES = (1e-3, 1e-2, 1e-1)
LEFT = 0.05
"""The squares of the operator keep at least this share when their noise is taken off."""


@final
@dataclass(frozen=True, eq=False)
class Fixed:
    """c = (B' diag(w) B + strength mean(w) R)^-1 B' s, w = sum D^2 - sigma^2 v, s = sum f D; lambda = B c.

    Sums over the axes lambda has not; v [n..]: what noise 1 of the readings gives sum D^2, a constant. strength: of the
    curvature R against the mean of diag(B' diag(w) B).
    """

    grid: Grid
    statement: Statement
    bases: tuple[Basis, ...]
    space: Space
    strength: float

    def taps(self, names: Sequence[str]) -> tuple[list[Array], NDArray[np.int64], Array]:
        """What the op mollified_derivative takes: taps [Q_a, n_a, n_a] of three axes, orders [K, 3], combine [O, K]."""
        sums = [combination(name, self.grid.letters) for name in names]
        products = list(dict.fromkeys(orders for total in sums for _, orders in total))
        combine = np.array([[sum(f for f, o in total if o == one) for one in products] for total in sums])
        lead = MOST_AXES - len(self.bases)
        orders, taps = np.full((len(products), MOST_AXES), -1, np.int64), [np.ones((1, 1, 1))] * lead
        for a, basis in enumerate(self.bases):
            used = sorted({one[a] for one in products})
            taps.append(np.stack([basis.synthesis(k) @ basis.analysis.T for k in used]))
            orders[:, lead + a] = [used.index(one[a]) for one in products]
        return taps, orders, combine

    def smoothed(self, values: Array, sigma: float) -> Smoothed:
        """The fit of readings that are all there."""
        if not np.isfinite(values).all():
            raise InputError("readings: expected numbers everywhere; the fixed form knows no gaps")
        q = along(values, [basis.analysis.T for basis in self.bases])
        return Smoothed(self.bases, q, sigma, np.ones(values.shape, dtype=bool))

    def apply(self, values: Array, sigma: float) -> Array:
        """lambda of readings [n_1..n_d] with noise sigma. InputError where one is missing."""
        made = self.smoothed(self.grid.fits(values), sigma)
        sides = fields(made, self.grid, self.statement)
        gone = tuple(a for a in range(values.ndim) if a not in self.space.places)
        whole = (sides.operator**2).sum(gone)
        w = np.maximum(whole - noise_of_operator(sides, made).sum(gone), LEFT * whole)
        normal = self.space.normal(w)
        strength = self.strength * np.trace(normal) / np.trace(self.space.rough)
        right = self.space.load((sides.operator * sides.target).sum(gone))
        return self.space.at(np.linalg.solve(normal + strength * self.space.rough, right))


def fixed(grid: Grid, statement: Statement, cases: Sequence[Case], splines: int = 0) -> tuple[Fixed, float]:
    """The form of least mean relative error over simulated cases, and that error. InputError without cases."""
    if not cases:
        raise InputError("cases: expected at least one simulated case")
    own = space(grid, statement.over, splines)
    best: tuple[float, Fixed] | None = None
    for time, share in product(TIMES, SHARES):
        bases = tuple(_cut(families(a, statement.boundary)[-1], a.name == TIME, time, share) for a in grid.axes)
        for strength in CURVATURES:
            one = Fixed(grid, statement, bases, own, strength)
            error = float(np.mean([_error(one, case) for case in cases]))
            if best is None or error < best[0]:
                best = (error, one)
    assert best is not None
    return best[1], best[0]


def _cut(basis: Basis, is_time: bool, time: int, share: float) -> Basis:
    if not basis.nested:
        return basis
    return basis.first(min(basis.count, time if is_time else round(share * len(basis.analysis))))


def _error(one: Fixed, case: Case) -> float:
    made = one.apply(case.readings, case.noise)
    return float(np.linalg.norm(made - case.lam) / np.linalg.norm(case.lam))
