"""Where a bundle of many operators has its field: times as fractions of an operator's horizon, places in its period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.modno.cassette import Cassette
from edgepde.modno.store import Shared
from edgepde.mollifier.grid import Grid
from edgepde.problems import operators
from edgepde.problems.operator_data import BEYOND

TIMES, POINTS = 10, 128
SAME = 1e-6
"""Relative difference of numbers that are the same time or place."""
MOST = 1 << 20
LISTED = 4
Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Places:
    """times [T]: fractions of the horizon; x [n]."""

    times: Array
    x: Array


def places(shared: Shared, grid: Grid | None, held: Mapping[str, Array] | None = None) -> Places:
    """The grid asked for, else 10 times, T/10 to T, and 128 places from 0.

    held: of operators of one's own, the times of their held-out cases as fractions of their horizons; where all share
    some, these are the times instead, 10 at most.
    Raises InputError for other axes than t and x, times that an operator has no cases around or was not trained for,
    places outside the period, too many.
    """
    period, held = shared.model.encoding.period, held or {}
    if grid is None:
        return Places(default_times(held), period * np.arange(POINTS) / POINTS)
    if [axis.name for axis in grid.axes] != ["t", "x"]:
        raise InputError(_both(shared, grid, held))
    t, x = (axis.values for axis in grid.axes)
    _check_times(shared, t, held)
    if x[0] < 0.0 or x[-1] > period:
        raise InputError(f"--grid: axis x: expected places in the period, 0 to {period:g}, got {x[0]:g} to {x[-1]:g}")
    if t.size * x.size > MOST:
        raise InputError(f"--grid: expected at most {MOST} places, got {t.size} x {x.size}")
    return Places(t, x)


def _both(shared: Shared, grid: Grid, held: Mapping[str, Array]) -> str:
    """What is wanted of --grid."""
    ends = [_times(shared, name, held) for name in shared.cassettes]
    low, high, period = max(a for a, _ in ends), min(b for _, b in ends), shared.model.encoding.period
    return (
        f"--grid: expected the axes t (fractions of an operator's horizon, {low:.7g} to {high:.7g}) and x (places in "
        f"the period, 0 to {period:g}), both and in this order, as in t={low or 0.1 * high:.7g}:{high:.7g}*10,"
        f"x=0:{0.99 * period:g}*100; got {', '.join(axis.name for axis in grid.axes)}"
    )


def default_times(held: Mapping[str, Array]) -> Array:
    """Of what all share without 0, all or those next to T/10, 2 T/10 .. T; these themselves where nothing is shared."""
    even = np.arange(1, TIMES + 1) / TIMES
    if not held:
        return even
    first, *others = held.values()
    shared = first[(first > 0.0) & np.array([among(first, other) for other in (first, *others)]).all(0)]
    if not shared.size:
        return even
    if shared.size <= TIMES:
        return shared
    return np.asarray(shared[np.unique(np.abs(shared - even[:, None]).argmin(1))])


def among(values: Array, others: Array) -> NDArray[np.bool_]:
    """Which of the values are one of the others, up to SAME."""
    return np.asarray(np.isclose(values[:, None], others, rtol=SAME, atol=0.0).any(1))


def known(shared: Shared, name: str) -> bool:
    """Whether the run learned the equation of that name, not data of one's own that happen to be called so."""
    stated = shared.about[name].get("statement")
    return name in operators.names() and stated == operators.operator(name).statement


def listed(values: Array) -> str:
    """All, or the first ones and the last."""
    if len(values) <= LISTED + 2:
        return ", ".join(f"{v:g}" for v in values)
    return ", ".join(f"{v:g}" for v in values[:LISTED]) + f", .. {values[-1]:g}"


def _check_times(shared: Shared, t: Array, held: Mapping[str, Array]) -> None:
    for name in sorted(shared.cassettes, key=lambda one: (one not in held, one)):
        low, high = _times(shared, name, held)
        if t[0] < low * (1.0 - SAME) or t[-1] > high * (1.0 + SAME):
            why = f", as its held-out cases are at {listed(held[name])}" if name in held else ""
            raise InputError(
                f"--grid: axis t: expected fractions of the horizon, {low:.7g} to {high:.7g} for {name}{why}; "
                f"got {t[0]:.7g} to {t[-1]:.7g} ({t.size} times)"
            )


def _times(shared: Shared, name: str, held: Mapping[str, Array]) -> tuple[float, float]:
    """The first and the last time that anything is known at, as fractions of the cassette's horizon."""
    if name in held:
        return float(held[name][0]), float(held[name][-1])
    if not known(shared, name):
        return 0.0, 1.0
    equation = operators.operator(name)
    last = equation.horizon * (BEYOND if equation.inputs == "mixture" else 1.0)
    return 0.0, last / shared.cassettes[name].horizon


def box_of(cassette: Cassette) -> tuple[Array, Array]:
    """The box of a cassette: one range for all sensors where shifts change nothing; no range is empty."""
    low, high = (np.asarray(v, np.float64) for v in (cassette.low, cassette.high))
    if cassette.frame:
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    room = np.where(high > low, 0.0, np.maximum(1e-3, 1e-3 * np.abs(high)))
    return low - room, high + room
