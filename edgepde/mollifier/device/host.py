"""One case recovered by a network: a Tucker host and a spline for lambda, by Gauss-Newton on both at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from edgepde.train.run_folder import Run

from ..coefficient import Spline
from ..derivator import Fields
from ..gauss_newton import Newton, ranks, solve
from ..grid import Grid
from ..hosts.tucker import Tucker
from ..layer import MollifierLayer
from ..members._terms import Terms
from .readings import Given

if TYPE_CHECKING:
    from .methods import Row
    from .settings import InverseSettings

NAME, SPLINES, DRAW, MOST_STEPS = "network", 10, 7, 3


def fitted(case: Given, config: InverseSettings, grid: Grid, run: Run) -> Row:
    """lambda of the readings, of which some may be missing; rounds resume from the run."""
    from .methods import Row

    stated = config.stated()
    terms = Terms(stated, grid).double()
    layer = MollifierLayer(grid, tuple(dict.fromkeys(("u", *terms.names))), dtype=torch.float64)
    known = case.values[np.isfinite(case.values)]
    torch.manual_seed(run.seed + DRAW)
    low, high = ([float(axis.values[i]) for axis in grid.axes] for i in (0, -1))
    scale = float(known.std()) or 1.0
    net = Tucker(low, high, width=192, depth=1, offset=float(known.mean()), scale=scale, ranks=ranks(grid)).double()
    middle = sum(config.bounds) / 2.0
    count = min(SPLINES if len(stated.over) == 2 else 4 * SPLINES, *(grid.axis(a).size for a in stated.over))
    coefficient = Spline(grid, tuple(stated.over), count, start=middle)

    def residual(fields: Fields, lam: Tensor) -> Tensor:
        named = {name: getattr(fields, name)[None] for name in terms.names}
        wanted, factor = terms(named)
        made: Tensor = wanted[0] - lam * factor[0]
        return made

    how = Newton(rounds=4, steps=min(MOST_STEPS, config.steps), weight=10.0, growth=6.0)
    solve(net, coefficient, layer, residual, case.values, how, run, NAME, run.seed)
    return Row(NAME, np.clip(coefficient.map(), *config.bounds))
