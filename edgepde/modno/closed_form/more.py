"""More cases of an operator than were given: solutions, from other starts and to later times, of the equation found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from edgepde.problems.fourier import at

from ..encoding import Encoding, canonical
from . import flow, kernels, starts
from .flow import Flow
from .kernels import Floats
from .starts import Start

if TYPE_CHECKING:
    from edgepde.problems.operator_data import OperatorData

LATER = 8
"""Times beyond the horizon."""
SET_ASIDE, HIGHEST_DEGREE = 0.2, 4
"""Of the times, to choose a degree by; the degrees that are tried."""


@final
@dataclass(frozen=True, eq=False)
class Law:
    """What cases obey: an equation from a start."""

    flow: Flow
    start: Start


def law(data: OperatorData, others: OperatorData, encoding: Encoding, horizon: float) -> Law | None:
    """Found in the cases, checked on others; None where none holds."""
    start = starts.find(data, encoding)
    found = flow.find(data, others, start, horizon) if start is not None else None
    return Law(found, start) if found is not None and start is not None else None


def with_more(data: OperatorData, known: Law, sensors: Floats, reach: float, horizon: float) -> OperatorData:
    """The cases as they are, to reach * horizon where reach > 1, and then those of other inputs [M, S]."""
    late = horizon * np.linspace(1.0, reach, LATER + 1)[1:] if reach > 1.0 else np.zeros(0)
    inside = data.times[data.times <= horizon]
    times = np.r_[inside, late]
    field = np.asarray(data.field[:, : len(inside)], np.float64)
    if len(late):
        field = np.concatenate([field, solved(data, known, data.sensors, late)], axis=1)
    if len(sensors):
        field = np.concatenate([field, solved(data, known, sensors, times)])
    return replace(data, sensors=np.concatenate([data.sensors, sensors]), times=times, field=field)


def carried(data: OperatorData, reach: float, horizon: float) -> OperatorData:
    """To reach * horizon without an equation: polynomials in time of the degree that serves the last times best.

    The last fifth of the times is predicted from those before it; then the same degree goes on from all of them.
    """
    inside = data.times <= horizon
    times, field = data.times[inside], np.asarray(data.field[:, inside], np.float64)
    known = max(1, int(np.searchsorted(times, (1.0 - SET_ASIDE) * horizon)))
    wrong = {
        degree: float(
            np.linalg.norm(_extended(times[:known], field[:, :known], times[known:], degree) - field[:, known:])
        )
        for degree in range(min(HIGHEST_DEGREE, known - 1) + 1)
    }
    late = horizon * np.linspace(1.0, reach, LATER + 1)[1:]
    more = _extended(times, field, late, min(wrong, key=lambda degree: wrong[degree]))
    return replace(data, times=np.r_[times, late], field=np.concatenate([field, more], axis=1))


def _extended(times: Floats, field: Floats, late: Floats, degree: int) -> Floats:
    """The polynomial through the last value that fits the last half of the times best: [N, late, n]."""
    begun = min(len(times) // 2, max(0, len(times) - 1 - degree))
    powers = np.arange(1, degree + 1)
    past, ahead = ((t[:, None] - times[-1]) ** powers for t in (times[begun:], late))
    last = field[:, -1:]
    return np.asarray(last + (ahead @ np.linalg.pinv(past)) @ (field[:, begun:] - last))


def solved(data: OperatorData, known: Law, sensors: Floats, times: Floats) -> Floats:
    """u [N, T, n] at the places of the data."""
    modes = known.flow.factors.shape[1] - 1
    found = known.flow.solve(known.start.spectra(sensors, modes), times)
    return at(found, data.x, data.period)


def inputs(data: OperatorData, encoding: Encoding, count: int, seed: int) -> Floats:
    """Sensors [count, S] of new inputs like those of the data: the way that comes nearest to them, see WAYS.

    Nearest in the sense of the mean of Gaussian functions of canonical coefficients (maximum mean discrepancy).
    """
    if not count:
        return np.zeros((0, len(data.sensor_x)))
    given = encoding.coefficients(data.sensors)
    own = canonical(given)
    width = kernels.size(own)
    best: tuple[float, Floats] | None = None
    for way in WAYS:
        made = way(given, count, np.random.default_rng(seed))
        far = _apart(own, canonical(made), width)
        if best is None or far < best[0]:
            best = far, made
    assert best is not None
    return np.asarray(best[1] @ np.linalg.pinv(encoding.analysis))


def _apart(a: Floats, b: Floats, width: float) -> float:
    """Squared maximum mean discrepancy."""
    return float(
        sum(sign * kernels.gaussian(x, y, width).mean() for sign, x, y in ((1.0, a, a), (1.0, b, b), (-2.0, a, b)))
    )


def _mode_by_mode(given: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Every mode from another case, turned by any angle."""
    m = given.shape[1] // 2
    rows = rng.integers(len(given), size=(count, m + 1))
    z = (given[:, 1 : m + 1] - 1j * given[:, m + 1 :])[rows[:, 1:], np.arange(m)]
    z = z * np.exp(2j * np.pi * rng.uniform(size=z.shape))
    return np.concatenate([given[rows[:, :1], 0], z.real, -z.imag], axis=1)


def _mixed(given: Floats, count: int, rng: np.random.Generator) -> Floats:
    """cos(a) s_i + sin(a) s_j of two shifted cases, a in [0, pi / 2]."""
    m = given.shape[1] // 2
    angle = rng.uniform(0.0, 0.5 * np.pi, count)
    z = np.concatenate([given[:, :1] + 0j, given[:, 1 : m + 1] - 1j * given[:, m + 1 :]], axis=1)
    found: NDArray[np.complex128] = np.zeros((count, m + 1), np.complex128)
    for share in (np.cos(angle), np.sin(angle)):
        turn = np.exp(1j * rng.uniform(0.0, 2.0 * np.pi, (count, 1)) * np.arange(m + 1))
        found += share[:, None] * z[rng.integers(len(given), size=count)] * turn
    return np.concatenate([found[:, :1].real, found[:, 1:].real, -found[:, 1:].imag], axis=1)


WAYS = (_mode_by_mode, _mixed)
