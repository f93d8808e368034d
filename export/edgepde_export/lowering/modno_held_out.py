"""Cases that a run's operators were neither trained nor chosen on: drawn anew, or those that the run kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgepde.errors import RunError
from edgepde.modno.cassette import Cassette
from edgepde.modno.store import Loaded
from edgepde.problems import operators
from edgepde.problems.operator_data import generate

from .modno_grid import Places, box_of
from .options import Options

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


def drawn(loaded: Loaded, name: str, at: Places, options: Options) -> Draws:
    """The cases of an operator: fresh ones of a known equation; else random rows of its box, solution unknown."""
    cassette = loaded.shared.cassettes[name]
    times = at.times * cassette.horizon
    if name in operators.names():
        return _fresh(loaded, cassette, at, options.seed)
    rng = np.random.default_rng(options.seed)
    low, high = box_of(cassette)
    sensors = rng.uniform(low, high, (COUNT, len(low))).astype(np.float32)
    return _inside(cassette, Draws(sensors, times, at.x, None, "random rows of the box"))


def _fresh(loaded: Loaded, cassette: Cassette, at: Places, seed: int) -> Draws:
    sensor_x = loaded.shared.model.encoding.sensor_x
    times = at.times * cassette.horizon
    found = generate(cassette.name, COUNT, SEED + seed, split="test", times=times, sensors=len(sensor_x), x=at.x)
    if not np.allclose(found.sensor_x, sensor_x):
        raise RunError(
            f"{loaded.run.path}: sensor_x: expected those of {cassette.name}, {len(sensor_x)} even ones from 0"
        )
    field = found.field.astype(np.float64)
    return _inside(cassette, Draws(found.sensors.astype(np.float32), found.times, found.x, field, "fresh draws"))


def _inside(cassette: Cassette, draws: Draws) -> Draws:
    """Those inside the operator's box, in the precision of a device."""
    low, high = box_of(cassette)
    x = draws.sensors.astype(np.float64)
    kept = ((x >= low) & (x <= high)).all(axis=1)
    field = None if draws.field is None else draws.field[kept]
    return replace(draws, sensors=draws.sensors[kept], field=field, outside=int((~kept).sum()))
