"""One case recovered by a network: a separable host fitted to the readings and to the equation, lambda a spline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from edgepde.train.run_folder import Run

from ..coefficient import Spline
from ..derivator import Fields
from ..grid import Grid
from ..hosts import host as kind_of
from ..layer import MollifierLayer
from ..members._terms import Terms
from ..readings import Readings
from ..training import Fit, fit
from .readings import Given

if TYPE_CHECKING:
    from .methods import Row
    from .settings import InverseSettings

NAME, KIND, SPLINES, DRAW = "network", "separable", 10, 7


def fitted(case: Given, config: InverseSettings, grid: Grid, run: Run) -> Row:
    """lambda of the readings, of which some may be missing; rounds resume from the run."""
    from .methods import Row

    stated = config.stated()
    terms = Terms(stated, grid)
    layer = MollifierLayer(grid, tuple(dict.fromkeys(("u", *terms.names))))
    known = case.values[np.isfinite(case.values)]
    torch.manual_seed(run.seed + DRAW)
    low, high = ([float(axis.values[i]) for axis in grid.axes] for i in (0, -1))
    net = kind_of(KIND)(low, high, width=48, depth=2, offset=float(known.mean()), scale=float(known.std()) or 1.0)
    middle = sum(config.bounds) / 2.0
    count = min(SPLINES if len(stated.over) == 2 else 4 * SPLINES, *(grid.axis(a).size for a in stated.over))
    coefficient = Spline(grid, tuple(stated.over), count, start=middle)

    def residual(fields: Fields, lam: Tensor) -> Tensor:
        named = {name: getattr(fields, name)[None] for name in terms.names}
        wanted, factor = terms(named)
        made: Tensor = wanted[0] - lam * factor[0]
        return made

    how = Fit(readings_rounds=2, rounds=4, steps=config.steps)
    fit(net, coefficient, layer, residual, Readings.of_grid(grid, case.values), how, run, NAME, run.seed)
    return Row(NAME, np.clip(coefficient.map(), *config.bounds))
