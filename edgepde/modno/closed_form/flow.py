"""The equation that a set of cases obeys, found in the cases alone, and solutions of it from other starts.

  d^p u / dt^p = sum_jd c_jd (d/dx)^d u^j,   p = 1, or 2 from rest,
is linear in its coefficients once it is integrated over time p times, so they are a least squares problem (the integral
form of sparse identification of dynamics, S. Brunton et al. 2016). It holds where it predicts cases it never saw.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from edgepde.problems.etdrk4 import Step
from edgepde.problems.fourier import on_grid, spectrum, wavenumbers

from .. import linear_part
from ..spectral import Spectral
from .kernels import Floats
from .starts import Start

if TYPE_CHECKING:
    from edgepde.problems.operator_data import OperatorData

Complex = NDArray[np.complex128]
POWERS = ((1,), (1, 2), (1, 3), (1, 4), (1, 3, 5), (1, 2, 3))
"""Which powers of u an equation may have, the simplest first."""
PULLS = (0.0, 0.75)
"""Share of the largest slope of the nonlinear terms that is stepped as if it were linear."""
STEPS = 48
"""Time steps in a horizon."""
LOUD, MOST_MODES = 1e-5, 80
"""Modes above LOUD of the whole are stepped, MOST_MODES of them at most."""
NEAR, HOLDS, GOOD = 0.05, 2e-3, 1e-4
"""Relative error of the fit from which an equation is tried; on unseen cases at which it holds, and is good enough."""
LEARNED, CHECKED, TOGETHER = 60, 24, 128
"""Cases that are learned from, cases that are checked, cases that are stepped together."""
HIGHEST = 4
"""Derivative in space."""
DAMPED, SMALL = 1e-12, 1e-4
"""Singular values, and terms by their share of the change of u, that are left out."""
CALMEST = 1e5
"""Largest condition number of the interpolation in time."""
FEWEST = 6
"""Times."""
TINY, FAR = 1e-300, 1e3


@final
@dataclass(frozen=True, eq=False)
class Flow:
    """coefficients [J, D+1] of (d/dx)^d u^j and their factors [J, m+1] of modes; order: p; pull [m+1]: what is stepped
    as linear beside factors[0]; error: relative L2, of the fit, then of cases it was not learned from."""

    order: int
    powers: tuple[int, ...]
    coefficients: Floats
    factors: Complex
    pull: Complex
    step: float
    error: float = np.inf

    @cached_property
    def _frequency(self) -> Complex:
        found = np.sqrt(-(self.factors[0] + self.pull) + 0j)
        return np.where(np.abs(found) < 1e-8, 1e-8, found)

    @property
    def _rates(self) -> Complex:
        waves = self._frequency
        return np.stack([1j * waves, -1j * waves]) if self.order == 2 else self.factors[0] + self.pull

    def _field(self, state: Complex) -> Complex:
        made: Complex = (state[:, 0] - state[:, 1]) / (2j * self._frequency) if self.order == 2 else state
        return made

    def _bent(self, state: Complex) -> Complex:
        """What is not stepped as linear."""
        field = self._field(state)
        found: Complex = -self.pull * field
        for factor, term in zip(self.factors[1:], powers_of(field, self.powers[1:]), strict=True):
            found = np.asarray(found + factor * term, np.complex128)
        made: Complex = found[:, None] if self.order == 2 else found
        return made

    @property
    def statement(self) -> str:
        """In words of mathematics."""
        found = []
        for j, row in zip(self.powers, self.coefficients, strict=True):
            power = "u" if j == 1 else f"(u^{j})"
            found += [f"{c:+.4g} {power}{'_' + 'x' * d if d else ''}" for d, c in enumerate(row) if c]
        return f"u_{'t' * self.order} = {' '.join(found) or '0'}"

    def solve(self, start: Complex, times: Floats) -> Complex:
        """Half spectra [N, T, m+1] at increasing times from start [N, m+1] (from rest for order 2)."""
        made = np.empty((len(start), len(times), start.shape[1]), np.complex128)
        plan = self._plan(times)
        with np.errstate(all="ignore"):
            for i in range(0, len(start), TOGETHER):
                made[i : i + TOGETHER] = self._solved(start[i : i + TOGETHER], plan)
        return made

    def _plan(self, times: Floats) -> list[tuple[int, Step | None]]:
        counts = [int(np.ceil(gap / self.step - 1e-9)) for gap in np.diff(times, prepend=0.0)]
        gaps = np.diff(times, prepend=0.0)
        return [(n, Step.of(self._rates, gap / n) if n else None) for n, gap in zip(counts, gaps, strict=True)]

    def _solved(self, start: Complex, plan: list[tuple[int, Step | None]]) -> Complex:
        waves = 1j * self._frequency * start
        state: Any = np.stack([waves, -waves], 1) if self.order == 2 else start
        bent: Any = self._bent
        frames = []
        for count, step in plan:
            for _ in range(count):
                assert step is not None
                state = step.take(state, bent)
            frames.append(self._field(state))
        return np.stack(frames, 1)


def powers_of(field: Complex, powers: tuple[int, ...]) -> list[Complex]:
    """u^j of half spectra [.., m+1], the same modes, without what a product of two folds back."""
    if not powers:
        return []
    modes, most = field.shape[-1], max(powers)
    values = on_grid(field, (3 if most < 3 else 4) * modes)
    found: list[Complex] = []
    power = values
    for j in range(1, most + 1):
        power = values if j == 1 else power * values
        if j in powers:
            found.append(np.asarray(field if j == 1 else spectrum(power)[..., :modes], np.complex128))
    return found


def find(data: OperatorData, others: OperatorData, start: Start, horizon: float) -> Flow | None:
    """The simplest equation that holds on other cases of the operator; None where none does.

    data: fields from t = 0 on. start: what u(0, .) is, by the sensors.
    """
    integrals = _integrals(data.times, horizon)
    if integrals is None:
        return None
    modes = _modes(data, others)
    learned = half_spectra(data.take(slice(0, LEARNED)), modes)
    wanted = half_spectra(others.take(slice(0, CHECKED)), modes)
    given = start.spectra(others.sensors[:CHECKED], modes)
    best: Flow | None = None
    for order, powers, share in product((1, 2), POWERS, PULLS):
        if share and len(powers) == 1:
            continue
        flow = _learned(learned, integrals[order - 1], order, powers, share, horizon, data.period)
        if flow.error > NEAR:
            continue
        flow = replace(flow, error=_error(flow.solve(given, others.times), wanted))
        if flow.error <= (HOLDS if best is None else 0.5 * best.error):
            best = flow
        if flow.error <= GOOD:
            break
    return best


def half_spectra(data: OperatorData, modes: int) -> Complex:
    """[N, T, m+1] of the fields, least squares."""
    m = min(modes, (len(data.x) - 1) // 2)
    space = Spectral(data.period, m, 1.0, 0).space_matrix(data.x)
    found = linear_part.modes(np.asarray(data.field, np.float64) @ np.linalg.pinv(space))
    found[..., 1:] *= 0.5
    return np.pad(found, [(0, 0), (0, 0), (0, modes - m)])


def _modes(data: OperatorData, others: OperatorData) -> int:
    """How many modes are louder than LOUD."""
    most = min(MOST_MODES, *((len(one.x) - 1) // 2 for one in (data, others)))
    loud = np.sqrt((np.abs(half_spectra(data.take(slice(0, LEARNED)), most)) ** 2).mean((0, 1)))
    return max(1, int(np.flatnonzero(loud > LOUD * np.sqrt((loud**2).sum())).max(initial=1)))


def _integrals(times: Floats, horizon: float) -> tuple[Floats, Floats] | None:
    """[T, T]: values at the times to their integrals from 0 to the times, once and twice; None for too few times."""
    terms = len(times)
    if times[0] != 0.0 or terms < FEWEST:
        return None
    tau = 2.0 * times / horizon - 1.0
    while terms > FEWEST and np.linalg.cond(chebyshev.chebvander(tau, terms - 1)) > CALMEST:
        terms -= 1
    values = np.linalg.pinv(chebyshev.chebvander(tau, terms - 1))

    def integrated(order: int) -> Floats:
        columns = chebyshev.chebint(np.eye(terms), order, lbnd=-1, scl=0.5 * horizon)
        return np.asarray(chebyshev.chebval(tau, columns).T @ values)

    return integrated(1), integrated(2)


def _learned(
    known: Complex, integral: Floats, order: int, powers: tuple[int, ...], share: float, horizon: float, period: float
) -> Flow:
    """Least squares for u(t) - u(0) = sum_jd c_jd (d/dx)^d integral of u^j; terms that hardly matter are left out."""
    slopes = np.stack([(1j * wavenumbers(known.shape[-1] - 1, period)) ** d for d in range(HIGHEST + 1)])
    terms = np.stack([np.einsum("ab,nbk->nak", integral, term) for term in powers_of(known, powers)])
    rows = known - known[:, :1]
    parts = [_split(slope * term) for term in terms for slope in slopes]
    size = np.array([np.linalg.norm(part) for part in parts]) + TINY
    columns = np.stack(parts, 1) / size
    wanted = _split(rows)
    normal, given, whole = columns.T @ columns, columns.T @ wanted, float(np.linalg.norm(wanted))
    kept = np.arange(len(size))
    while True:
        found = np.linalg.lstsq(normal[np.ix_(kept, kept)], given[kept], rcond=DAMPED)[0]
        matters = np.abs(found) > SMALL * whole
        if matters.all() or not matters.any():
            break
        kept = kept[matters]
    flat = np.zeros(len(size))
    flat[kept] = found / size[kept]
    coefficients: Floats = flat.reshape(len(powers), -1)
    top = float(np.abs(on_grid(known, 3 * known.shape[-1])).max())
    factors: Complex = np.asarray(coefficients @ slopes, np.complex128)
    pulled = (j * top ** (j - 1) * factor for j, factor in zip(powers[1:], factors[1:], strict=True))
    pull: Complex = share * sum(pulled, np.zeros_like(factors[0]))
    left = float(np.linalg.norm(columns[:, kept] @ found - wanted)) / max(whole, TINY)
    return Flow(order, powers, coefficients, factors, pull, horizon / STEPS, left)


def _split(values: Complex) -> Floats:
    """Real and imaginary parts in one row."""
    return np.concatenate([values.real.ravel(), values.imag.ravel()])


def _error(found: Complex, wanted: Complex) -> float:
    """Mean relative L2 error of cases; infinite where anything is not finite."""
    weight = np.r_[1.0, np.full(wanted.shape[-1] - 1, 2.0)]
    if not np.isfinite(found).all() or np.abs(found).max() > FAR * np.abs(wanted).max():
        return np.inf
    wrong, size = ((weight * np.abs(v) ** 2).sum((1, 2)) for v in (found - wanted, wanted))
    return float(np.sqrt(wrong / np.maximum(size, TINY)).mean())
