"""What cases of an operator must be: shapes that agree, finite numbers, places and times in order."""

from __future__ import annotations

from typing import Any

import numpy as np
from edgepde_runtime import npz
from numpy.typing import NDArray

from edgepde.errors import DataError

Real = NDArray[np.float64]
LEAST_PLACES = 3


def check_period(period: float, where: str) -> None:
    """Raise DataError where it is no length."""
    if not 0.0 < period < np.inf:
        raise DataError(f"{where}: period: expected a number above 0, got {period:g}")


def check_places(x: Real, period: float, where: str) -> None:
    """[S] increasing, all within one period."""
    if x.ndim != 1 or len(x) < LEAST_PLACES:
        raise DataError(f"{where}: expected at least {LEAST_PLACES} places in one row, got shape {list(x.shape)}")
    _check_increasing(x, where)
    if x[-1] - x[0] >= period * (1.0 - 1e-9):
        hint = "; the last is the first again: leave it out" if np.isclose(x[-1] - x[0], period) else ""
        raise DataError(f"{where}: expected places within one period of {period:g}, got {x[0]:g} .. {x[-1]:g}{hint}")


def check_times(times: Real, where: str) -> None:
    """[T] increasing, from 0 on."""
    if times.ndim != 1 or not len(times):
        raise DataError(f"{where}: expected times in one row, got shape {list(times.shape)}")
    _check_increasing(times, where)
    if times[0] < 0.0:
        raise DataError(f"{where}: expected times from 0 on, got {times[0]:g} first")


def check_cases(sensors: Real, field: NDArray[Any], shape: tuple[int, int, int], where: str) -> None:
    """sensors [N, S] and field [N, T, n] of (S, T, n), N > 0, finite."""
    s, t, n = shape
    if sensors.ndim != 2 or not len(sensors) or sensors.shape[1] != s:
        raise DataError(
            f"{where}: sensors: expected [N > 0, {s}], one per place of sensor_x, got {list(sensors.shape)}"
        )
    if field.shape != (len(sensors), t, n):
        raise DataError(
            f"{where}: field: expected [{len(sensors)}, {t}, {n}] (cases, times, x), got {list(field.shape)}"
        )
    for name, values in (("sensors", sensors), ("field", field)):
        bad = ~np.isfinite(values)
        if bad.any():
            at = [int(i) for i in np.argwhere(bad)[0]]
            raise DataError(
                f"{where}: {name}{at}: expected a finite number, got {values[tuple(at)]} ({bad.sum()} such in all)"
            )


def _check_increasing(values: Real, where: str) -> None:
    npz.check_finite(values, where, DataError)
    steps = np.diff(values)
    if len(steps) and steps.min() <= 0.0:
        at = int(np.argmin(steps))
        raise DataError(f"{where}: expected them to increase, got {values[at]:g} then {values[at + 1]:g} at {at + 1}")
