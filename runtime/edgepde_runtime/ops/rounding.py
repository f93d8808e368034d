"""The rounding model an op room declares in bound.py: numbers from which tests and certificates take tolerances."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rounding:
    """|computed - exact| <= (gamma(roundings + n) + ulps * 2u) * magnitude, gamma(k) = k u / (1 - k u).

    roundings: roundings an output passes besides those of a reduction; 0 for pure data movement.
    reduction: whether n terms are summed (any order); n is then the number of terms, else 0.
    chunk: terms per chain in our own kernels' fixed order; tightens the bound there, 0 where nothing is summed.
    ulps: error of the elementary function inside, in units in the last place; None: the library's own, unproved.
    own_ulps: error of our own kernel, all of it, in units in the last place of the exact value, for float32 (the worst
    of all inputs, measured) and float64 (proved); None: there is no such kernel, or the roundings above are all.
    cancels: whether terms of different sign meet inside one function, as in 1 + erf(x).
    settled_by: the attribute tau at which an iteration stops, "" where nothing iterates; the bound is then
    tau (1 + |y|_inf) plus the one above, and holds where the op says that it converged.
    magnitude is the op applied to absolute values where it reduces or cancels (sum |a||b| for a product of matrices),
    what the room's bound.py says for an iteration, else |y|.
    """

    roundings: int = 0
    reduction: bool = False
    chunk: int = 0
    ulps: float | None = 0.0
    cancels: bool = False
    settled_by: str = ""
    own_ulps: tuple[float, float] | None = None

    def relative(self, terms: int, unit: float) -> float:
        """The factor in front of magnitude for `terms` summed terms at unit roundoff `unit`; ulps None counts as 4."""
        k = self.roundings + (terms if self.reduction else 0)
        if k * unit >= 1.0:
            return float("inf")
        return k * unit / (1.0 - k * unit) + (4.0 if self.ulps is None else self.ulps) * 2.0 * unit
