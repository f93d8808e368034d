"""A partial differential equation stated once: terms, box, lift, mask; solver, greedy loop and device all read this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from edgepde_runtime.box import Box
from numpy.typing import NDArray

from edgepde.errors import ProblemError

Named = Mapping[str, Any]
Coefficient = Callable[[Named, Named], Any]
Reference = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Term:
    """One summand of the residual: coefficient(x; mu) * product of factors.

    coefficient(coordinates, parameters): tensors by name, coordinates [R], parameters [B, 1]; returns what
    broadcasts to [B, R].
    factors: linear factors of the field, "u" or a derivative such as "u_x", "u_xx", "u_t"; none makes the term a
    source.
    """

    coefficient: Coefficient
    factors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """sum_t coefficient_t(x; mu) * prod_k D_tk u = 0 on a box, with u = lift(x; mu) + mask(x) v and v free.

    coordinates: the box of x, names of one letter. parameters: the box of mu; `scales` says "log" or "linear" per
    column.
    lift and mask are written with torch functions and called with tensors or with jets (problems/jet.py).
    lift meets the initial and boundary conditions; mask vanishes where they are given. odd: coordinates in which u
    is odd
    (u(-x) = -u(x)); such a column must be symmetric and is solved on its upper half.
    reference(parameters [B, P], points [M, d]) -> [B, M]: an exact or reference solution, if there is one.
    l1_stability(coordinates) -> weight w with  int |e| <= int w |r|  for the exact initial and boundary data, if known.
    sup_stability: a number C with  sup |e| <= C sup |r|, if known.
    Raises ProblemError naming the field that is wrong.
    """

    name: str
    coordinates: Box
    parameters: Box
    terms: tuple[Term, ...]
    lift: Coefficient
    mask: Callable[[Named], Any]
    unit: str = ""
    scales: tuple[Literal["log", "linear"], ...] = ()
    odd: tuple[str, ...] = ()
    reference: Reference | None = None
    l1_stability: Callable[[Named], Any] | None = None
    sup_stability: float | None = None
    about: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        where = f"problem {self.name}"
        scales = self.scales or ("linear",) * self.parameters.dimension
        object.__setattr__(self, "scales", tuple(scales))
        if not self.terms:
            raise ProblemError(f"{where}: terms expected at least one, got none")
        if len(scales) != self.parameters.dimension:
            raise ProblemError(f"{where}: scales expected {self.parameters.dimension} entries, got {len(scales)}")
        for name, scale, low in zip(self.parameters.names, scales, self.parameters.low, strict=True):
            if scale not in ("log", "linear"):
                raise ProblemError(f"{where}: scale of {name} expected log or linear, got {scale!r}")
            if scale == "log" and low <= 0:
                raise ProblemError(f"{where}: parameter {name} on a log scale expected low > 0, got {low}")
        for name in self.coordinates.names:
            if len(name) != 1:
                raise ProblemError(f"{where}: coordinate names expected one letter, got {name!r}")
        for name in self.odd:
            if name not in self.coordinates.names:
                raise ProblemError(f"{where}: odd expected one of {list(self.coordinates.names)}, got {name!r}")
            i = self.coordinates.names.index(name)
            if self.coordinates.low[i] != -self.coordinates.high[i]:
                raise ProblemError(f"{where}: odd coordinate {name} expected a symmetric range")
        for factor in self.factors:
            self.order(factor)

    @property
    def factors(self) -> tuple[str, ...]:
        """The distinct linear factors of all terms, in order of first use."""
        return tuple(dict.fromkeys(factor for term in self.terms for factor in term.factors))

    @property
    def domain(self) -> Box:
        """The box that is solved on: the upper half of every odd coordinate, all of the others."""
        box = self.coordinates
        low = [0.0 if n in self.odd else a for n, a in zip(box.names, box.low, strict=True)]
        return Box(low, box.high, box.names, box.units)

    def order(self, factor: str) -> tuple[int, ...]:
        """The multi-index of a factor: "u" -> (0, 0), "u_xx" -> (2, 0) for coordinates x, t."""
        return multi_index(factor, self.coordinates.names, 2, f"problem {self.name}")

    def scaled(self, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Parameters [B, P] mapped to [-1, 1]^P, through the logarithm where the scale says so."""
        return self._scale(np.asarray(parameters, dtype=np.float64), inverse=False)

    def unscaled(self, s: NDArray[np.float64]) -> NDArray[np.float64]:
        """The inverse of `scaled`: [-1, 1]^P to parameters [B, P]."""
        return self._scale(np.asarray(s, dtype=np.float64), inverse=True)

    def _scale(self, values: NDArray[np.float64], inverse: bool) -> NDArray[np.float64]:
        out = np.empty_like(values)
        for i, scale in enumerate(self.scales):
            low, high = self.parameters.low[i], self.parameters.high[i]
            a, b = (np.log(low), np.log(high)) if scale == "log" else (low, high)
            if inverse:
                y = a + (b - a) * (values[:, i] + 1.0) / 2.0
                out[:, i] = np.clip(np.exp(y) if scale == "log" else y, low, high)
            else:
                y = np.log(values[:, i]) if scale == "log" else values[:, i]
                out[:, i] = 2.0 * (y - a) / (b - a) - 1.0
        return out


def multi_index(factor: str, names: Sequence[str], most: int, where: str) -> tuple[int, ...]:
    """The multi-index of a factor by coordinate: "u" -> (0, 0), "u_xx" -> (2, 0) for x, t.

    Raises ProblemError, saying where, for what is no derivative of u by the names, or of an order above `most`.
    """
    head, _, letters = factor.partition("_")
    if head != "u" or ("_" in factor and not letters):
        raise ProblemError(f"{where}: factor expected u or u_<coordinates>, got {factor!r}")
    unknown = sorted(set(letters) - set(names))
    if unknown:
        raise ProblemError(f"{where}: factor {factor!r} differentiates by {unknown}, expected of {', '.join(names)}")
    if len(letters) > most:
        raise ProblemError(f"{where}: factor {factor!r} is of order {len(letters)}, expected at most {most}")
    return tuple(letters.count(name) for name in names)
