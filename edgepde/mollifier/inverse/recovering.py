"""lambda from readings on a grid, with a band, a mask and the reason for the method."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from scipy.special import ndtri

from ..grid import Grid, reals
from .spline import noise_of_operator
from .statement import Statement
from .task import Estimate, Task

Array = NDArray[np.float64]
BASELINE = "savgol"
EXPLAINED = 5.0
"""A solver's misfit of the readings may exceed 1, which pure noise leaves, by so many standard deviations of it."""
CLEAR = 4.0
"""lambda is masked where the pooled squares of the operator are below CLEAR of what noise alone would give them."""


@final
@dataclass(frozen=True, eq=False)
class Recovered:
    """lambda on its own axes [n..] with low .. high, a band of `level` pointwise, NaN where a method states none.

    mask: True where the readings say something of lambda by themselves; elsewhere it is only smooth continuation.
    method and reason: what was used and why. sigma: the readings' noise. figures: every estimate made, by method,
    the Savitzky-Golay baseline always among them unless its axes do not allow it; seconds by method.
    """

    lam: Array
    low: Array
    high: Array
    mask: NDArray[np.bool_]
    level: float
    method: str
    reason: str
    sigma: float
    figures: Mapping[str, Estimate]
    seconds: Mapping[str, float]


def recover(
    values: Array,
    grid: Grid,
    statement: Statement,
    method: str = "auto",
    noise: float | None = None,
    level: float = 0.9,
    widening: float = 1.0,
    baseline: bool = True,
) -> Recovered:
    """lambda of the readings [n_1..n_d], NaN where there are none.

    method: a name of task.methods(), or auto. noise: standard deviation of the readings, if known. The band is
    lam +- widening * z(level) * deviation; deviation knows noise and the smoothness of lambda, not the errors of
    smoothing: band.widening finds a factor on simulated cases. baseline: make the Savitzky-Golay estimate too.
    InputError for input that does not fit, naming it.
    """
    if not 0.0 < level < 1.0:
        raise InputError(f"level: expected between 0 and 1, got {level:g}")
    if not 0.0 < widening < np.inf:
        raise InputError(f"widening: expected a positive factor, got {widening:g}")
    task = Task(reals(values, "readings"), grid, statement, noise)
    seconds: dict[str, float] = {}

    def run(name: str) -> Estimate:
        start = time.perf_counter()
        found = task.estimate(name)
        seconds.setdefault(name, time.perf_counter() - start)
        return found

    name, reason = _chosen(task, run) if method == "auto" else (method, "asked for")
    made = run(name)
    if baseline and name != BASELINE:
        try:
            run(BASELINE)
        except InputError:
            reason += "; no Savitzky-Golay baseline on uneven axes"
    half = float(ndtri(0.5 + 0.5 * level)) * widening * made.deviation
    return Recovered(
        made.lam,
        made.lam - half,
        made.lam + half,
        informed(task),
        level,
        name,
        reason,
        task.smoothed.sigma,
        dict(task.known),
        seconds,
    )


def informed(task: Task) -> NDArray[np.bool_]:
    """Where the operator, pooled over the axes lambda has not, stands out of its noise."""
    signal = (task.fields.operator**2).sum(task.pooled)
    floor = noise_of_operator(task.fields, task.smoothed).sum(task.pooled)
    return np.asarray(signal > CLEAR * floor)


def _chosen(task: Task, run: Callable[[str], Estimate]) -> tuple[str, str]:
    """The solver where it explains the readings to their noise, else spline or weak form, whichever is surer."""
    try:
        made = run("solver")
    except InputError as error:
        return _surer(run, str(error))
    n = int(task.smoothed.read.sum())
    limit = 1.0 + EXPLAINED * float(np.sqrt(2.0 / n))
    if made.misfit <= limit:
        return "solver", f"it explains the readings to their noise: misfit {made.misfit:.3f}, at most {limit:.3f}"
    return _surer(run, f"solver: misfit {made.misfit:.3f} of the readings, expected at most {limit:.3f}")


def _surer(run: Callable[[str], Estimate], why: str) -> tuple[str, str]:
    spline, weak = run("spline"), None
    try:
        weak = run("weak")
    except InputError as error:
        return "spline", f"{why}; {error}"
    a, b = (float(np.sqrt((e.deviation**2).mean())) for e in (spline, weak))
    name = "spline" if a <= b else "weak"
    return name, f"{why}; deviation of the spline {a:.3g}, of the weak form {b:.3g}"
