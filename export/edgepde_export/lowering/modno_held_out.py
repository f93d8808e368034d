"""Cases that a run's operators were neither trained nor chosen on: drawn anew, or those that the run kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgepde.errors import RunError
from edgepde.modno.cases import HELD
from edgepde.modno.cassette import Cassette
from edgepde.modno.held_out import kept
from edgepde.modno.store import Loaded
from edgepde.problems.operator_data import OperatorData, generate

from .modno_grid import Array, Places, among, box_of, known, listed

COUNT = 200
SEED = 9_000_000
"""The first seed of the draws of bundles; trainings have others."""
GIVEN = "held-out cases"


@final
@dataclass(frozen=True, eq=False)
class Draws:
    """sensors [N, S] inside the operator's box; field [N, T, n] at times [T] and x [n], None where nobody knows it.

    source: what they are, in words; outside: how many more were outside the box; where: times and places, in words;
    unknown: why the field is not known at all times of the bundle, "" where it is.
    """

    sensors: NDArray[np.float32]
    times: Array
    x: Array
    field: Array | None
    source: str
    outside: int = 0
    where: str = "on the grid"
    unknown: str = ""

    @property
    def refused(self) -> str:
        """How many were outside the box, "" for none."""
        return f" ({self.outside} more were outside the box, which a device refuses)" if self.outside else ""

    def advice(self, wanted: int) -> str:
        """How to have so many, "" where that is nobody's to change."""
        return f": give {HELD * wanted} cases or more, without --quick" if self.source == GIVEN else ""


def fractions(loaded: Loaded) -> dict[str, Array]:
    """Of operators of one's own: the times of their held-out cases as fractions of their horizons."""
    made = {}
    for name, cassette in loaded.shared.cassettes.items():
        own = kept(loaded.run.path, name)
        if own is not None:
            made[name] = own.times / cassette.horizon
    return made


def drawn(loaded: Loaded, name: str, at: Places, seed: int) -> Draws:
    """The cases the run kept of an operator; else fresh ones of a known equation; else random rows of its box."""
    cassette = loaded.shared.cassettes[name]
    own = kept(loaded.run.path, name)
    if own is None and known(loaded.shared, name):
        times, sensors = at.times * cassette.horizon, len(loaded.shared.model.encoding.sensor_x)
        fresh = generate(name, COUNT, SEED + seed, split="test", times=times, sensors=sensors, x=at.x)
        return _of(loaded, cassette, fresh, "fresh draws")
    if own is not None:
        return _given(loaded, cassette, own, at)
    low, high = box_of(cassette)
    sensors_ = np.random.default_rng(seed).uniform(low, high, (COUNT, len(low))).astype(np.float32)
    return _inside(cassette, Draws(sensors_, at.times * cassette.horizon, at.x, None, "random rows of the box"))


def _given(loaded: Loaded, cassette: Cassette, data: OperatorData, at: Places) -> Draws:
    """At the times of the bundle alone where the cases have them all, else at all of theirs."""
    has = data.times / cassette.horizon
    missing = at.times[~among(at.times, has)]
    if missing.size:
        when = f"at the {len(has)} times of its file ({listed(has)} of the horizon)"
        unknown = (
            f"the bundle has t = {listed(missing)} of the horizon, held-out cases are at {listed(has)} alone; "
            "--grid t=.. on these gives a number"
        )
    else:
        at_times = among(has, at.times)
        data = replace(data, times=data.times[at_times], field=data.field[:, at_times])
        when, unknown = "at the times of the grid", ""
    same = len(data.x) == len(at.x) and bool(among(at.x, data.x).all())
    there = (
        "the places of the grid"
        if same
        else f"the {len(data.x)} places of its file (x = {data.x[0]:g} to {data.x[-1]:g})"
    )
    return replace(_of(loaded, cassette, data, GIVEN), where=f"{when} and {there}", unknown=unknown)


def _of(loaded: Loaded, cassette: Cassette, data: OperatorData, source: str) -> Draws:
    sensor_x = loaded.shared.model.encoding.sensor_x
    if data.sensor_x.shape != sensor_x.shape or not np.allclose(data.sensor_x, sensor_x):
        raise RunError(f"{loaded.run.path}: held-out cases of {cassette.name}: expected the run's own sensors")
    field = np.asarray(data.field, np.float64)
    return _inside(cassette, Draws(data.sensors.astype(np.float32), data.times, data.x, field, source))


def _inside(cassette: Cassette, draws: Draws) -> Draws:
    """Those inside the operator's box, in the precision of a device."""
    low, high = box_of(cassette)
    x = draws.sensors.astype(np.float64)
    kept = ((x >= low) & (x <= high)).all(axis=1)
    field = None if draws.field is None else draws.field[kept]
    return replace(draws, sensors=draws.sensors[kept], field=field, outside=int((~kept).sum()))
