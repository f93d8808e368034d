"""Cases that a run's operators were neither trained nor chosen on: drawn anew, or those that the run kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgepde.errors import RunError
from edgepde.modno.cassette import Cassette
from edgepde.modno.held_out import kept
from edgepde.modno.store import Loaded
from edgepde.problems import operators
from edgepde.problems.operator_data import OperatorData, generate

from .modno_grid import Places, box_of

COUNT = 200
SEED = 9_000_000
"""The first seed of the draws of bundles; trainings have others."""


@final
@dataclass(frozen=True, eq=False)
class Draws:
    """sensors [N, S] inside the operator's box; field [N, T, n] at times [T] and x [n], None where nobody knows it.

    source: what they are, in words; outside: how many more were outside the box.
    """

    sensors: NDArray[np.float32]
    times: NDArray[np.float64]
    x: NDArray[np.float64]
    field: NDArray[np.float64] | None
    source: str
    outside: int = 0

    @property
    def refused(self) -> str:
        """How many were outside the box, "" for none."""
        return f" ({self.outside} more were outside the box, which a device refuses)" if self.outside else ""


def drawn(loaded: Loaded, name: str, at: Places, seed: int) -> Draws:
    """The cases the run kept of an operator; else fresh ones of a known equation; else random rows of its box."""
    cassette = loaded.shared.cassettes[name]
    own = kept(loaded.run.path, name)
    if own is None and _known(loaded, name):
        times, sensors = at.times * cassette.horizon, len(loaded.shared.model.encoding.sensor_x)
        fresh = generate(name, COUNT, SEED + seed, split="test", times=times, sensors=sensors, x=at.x)
        return _of(loaded, cassette, fresh, "fresh draws")
    if own is not None:
        return _of(loaded, cassette, own, "held-out cases")
    low, high = box_of(cassette)
    sensors_ = np.random.default_rng(seed).uniform(low, high, (COUNT, len(low))).astype(np.float32)
    return _inside(cassette, Draws(sensors_, at.times * cassette.horizon, at.x, None, "random rows of the box"))


def _known(loaded: Loaded, name: str) -> bool:
    """Whether the run learned the equation of that name, not data of one's own that happen to be called so."""
    stated = loaded.shared.about[name].get("statement")
    return name in operators.names() and stated == operators.operator(name).statement


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
