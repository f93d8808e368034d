"""Operators of u_t = L u + g(d/dx) f(u) or u_tt = -w(k)^2 u + f(u), pseudo-spectral with ETDRK4 in time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np

from edgepde.errors import ProblemError

from ..etdrk4 import Step
from ..fourier import Complex, Real, on_grid, resized, spectrum, wavenumbers
from ._operator import Operator

DOUBLINGS = 4
TOGETHER = 1 << 14
"""Grid values that are advanced together: so many stay in a core's cache."""


@final
@dataclass(frozen=True, kw_only=True)
class Semilinear(Operator):
    """First order: c_k' = linear(k) c_k + factor(k) f(u)_k; second: c_k'' = -linear(k)^2 c_k + factor(k) f(u)_k.

    points: n of the grid where f is taken; of its n / 2 modes the share `kept` is kept (2/3: products of two make no
    error that way, 1/2: of three). step: the longest time step; it doubles at ramp, 3 ramp, 7 ramp, .. low, high:
    what u(0, .) must lie in for the split into L and f to be stable. from_input: u(0, .) of the input.
    """

    linear: Callable[[Real], Real | Complex]
    factor: Callable[[Real], Real | Complex]
    flux: Callable[[Real], Real]
    points: int
    step: float
    ramp: float = math.inf
    kept: float = 2.0 / 3.0
    low: float = -math.inf
    high: float = math.inf
    from_input: Callable[[Complex], Complex] | None = None

    @property
    def modes(self) -> int:
        """The highest mode kept."""
        return int(self.kept * (self.points // 2)) - 1

    def initial(self, inputs: Complex) -> Complex:
        """Half spectra of u(0, .) from those of s."""
        return inputs if self.from_input is None else self.from_input(inputs)

    def evolve(self, coefficients: Complex, times: Real) -> Complex:
        """By steps that end on the times. ProblemError where u(0, .) is outside of low, high, or what comes is NaN."""
        times = self.checked(coefficients, times)
        start = resized(coefficients, self.modes)
        self._check_range(start)
        schedule = self._schedule(times)
        rows = max(1, TOGETHER // self.points)
        made = np.empty((len(start), len(times), self.modes + 1), dtype=np.complex128)
        with np.errstate(over="ignore", invalid="ignore"):
            for i in range(0, len(start), rows):
                made[i : i + rows] = self._advance(start[i : i + rows], schedule)
        if not np.isfinite(made).all():
            raise ProblemError(f"{self.name}: steps of {self.step:g} s left the finite numbers; a shorter step may do")
        return made

    def _check_range(self, start: Complex) -> None:
        values = on_grid(start, self.points)
        least, most = float(values.min(initial=math.inf)), float(values.max(initial=-math.inf))
        if least < self.low or most > self.high:
            raise ProblemError(
                f"{self.name}: initial: expected within [{self.low:g}, {self.high:g}], got [{least:.6g}, {most:.6g}]"
            )

    def _schedule(self, times: Real) -> list[tuple[bool, int, Step | None]]:
        """Pieces of time, one after the other: whether a time wanted is at the end, how many steps, and which."""
        k = wavenumbers(self.modes, self.period)
        rate = np.asarray(self.linear(k), dtype=np.complex128)
        if self.order_in_time == 2:
            rate = np.stack([1j * rate, -1j * rate])
        made: list[tuple[bool, int, Step | None]] = []
        for start, end, longest in self._pieces(times):
            count = math.ceil((end - start) / longest)
            made.append((bool(np.any(times == end)), count, Step.of(rate, (end - start) / count) if count else None))
        return made

    def _pieces(self, times: Real) -> list[tuple[float, float, float]]:
        """(start, end, longest step) between 0, the times and where steps double."""
        doubled = [self.ramp * (2.0**j - 1.0) for j in range(1, DOUBLINGS + 1)]
        ends = sorted({*(float(t) for t in times), *(t for t in doubled if t < times[-1])})
        starts = [0.0, *ends[:-1]]
        return [
            (start, end, self.step * 2.0 ** sum(t <= start for t in doubled))
            for start, end in zip(starts, ends, strict=True)
        ]

    def _advance(self, start: Complex, schedule: list[tuple[bool, int, Step | None]]) -> Complex:
        k = wavenumbers(self.modes, self.period)
        factor = np.asarray(self.factor(k))
        frequency = np.asarray(self.linear(k))
        is_wave = self.order_in_time == 2

        def field(state: Complex) -> Complex:
            made: Complex = (state[:, 0] - state[:, 1]) / (2j * frequency) if is_wave else state
            return made

        def nonlinear(state: Complex) -> Complex:
            values = self.flux(on_grid(field(state), self.points))
            made: Complex = factor * spectrum(values)[..., : self.modes + 1]
            return made[:, None] if is_wave else made

        state = np.stack([1j * frequency * start, -1j * frequency * start], 1) if is_wave else start
        frames = []
        for is_wanted, count, step in schedule:
            for _ in range(count):
                assert step is not None
                state = step.take(state, nonlinear)
            if is_wanted:
                frames.append(field(state))
        return np.stack(frames, 1)
