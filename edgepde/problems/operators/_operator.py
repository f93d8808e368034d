"""What a solution operator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgepde.errors import ProblemError

from ..fourier import Complex, Real, at, grid, spectrum

Inputs = Literal["fourier", "porous", "mixture"]


@dataclass(frozen=True, kw_only=True)
class Operator(ABC):
    """s -> u(t, .) of an equation on [0, period), t in [0, horizon]; second order in time: from rest, u_t(0, .) = 0.

    statement: the equation. group: the experiment of the paper it is from (arXiv 2404.02892). inputs: which
    functions s are drawn (operator_inputs.py). is_linear: in s. order_in_time: 1 or 2. conserves_mean: the mean over
    x of u stays what it was. unit: of u.
    """

    name: str
    statement: str
    group: int
    horizon: float
    inputs: Inputs = "fourier"
    is_linear: bool = False
    order_in_time: int = 1
    conserves_mean: bool = True
    period: float = 2.0
    unit: str = "1"

    @abstractmethod
    def evolve(self, coefficients: Complex, times: Real) -> Complex:
        """Half spectra [N, T, m'] of u at the times, from those of u(0, .) [N, m + 1]."""

    def initial(self, inputs: Complex) -> Complex:
        """Half spectra of u(0, .) from those of s; the same but for the porous medium."""
        return inputs

    def fields(self, inputs: Complex, times: Real, x: Real) -> Real:
        """u [N, T, n] at the times and any places x [n], from half spectra of s [N, m + 1]."""
        return at(self.evolve(self.initial(inputs), times), x, self.period)

    def solve(self, initial: Real, times: Real) -> Real:
        """u [N, T, n] at the n points of u(0, .) [N, n] (equal steps from 0) and the increasing times [T] >= 0, in s.

        Raises ProblemError for other shapes, numbers that are not finite, or times that do not increase.
        """
        initial = np.asarray(initial, dtype=np.float64)
        if initial.ndim != 2 or initial.shape[1] < 3:
            raise ProblemError(f"{self.name}: initial: expected [N, n >= 3], got {list(initial.shape)}")
        points = initial.shape[1]
        made = self.evolve(spectrum(initial), times)
        return at(made, grid(points, self.period), self.period)

    def checked(self, coefficients: Complex, times: Real) -> Real:
        """The times as float64 [T]; raises ProblemError as solve."""
        times = np.atleast_1d(np.asarray(times, dtype=np.float64))
        if not np.isfinite(coefficients).all():
            raise ProblemError(f"{self.name}: initial: expected finite numbers")
        if times.ndim != 1 or not len(times) or not np.isfinite(times).all():
            raise ProblemError(f"{self.name}: times: expected finite numbers in one row, got {times.tolist()}")
        if times[0] < 0.0 or np.any(np.diff(times) <= 0.0):
            raise ProblemError(f"{self.name}: times: expected increasing, from 0 on, got {times.tolist()}")
        return times
