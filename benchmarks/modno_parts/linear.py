"""Is the linear part exact, also for inputs with modes that no training input had?

Linear operators, from the given cases alone: on random fields (which have more modes than sums of four waves), and on
these with unseen modes left out instead of being told by the law of the seen ones. Test cases are in the table.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from _harness import OURS, Row

from edgepde.modno import branches
from edgepde.modno.figures import errors
from edgepde.modno.linear_part import seen
from edgepde.modno.model import model_for
from edgepde.modno.prepared import cassette, prepare
from edgepde.modno.sizes import encoding_of, input_modes, output_sizes
from edgepde.problems import operators
from modno_parts import _study
from modno_parts._study import Study

UNIT, TARGET = "%", 0.1
LEFT_OUT = "unseen modes left out"


def rows(quick: bool, runs: Path) -> list[Row]:
    """Two per linear operator, of the first seed: mean relative errors."""
    made = _study.plan(quick)
    seed = made.seeds[0]
    found = []
    for name in made.names:
        if operators.operator(name).is_linear:
            own = _study.study(runs, made, name, seed)
            fields = _study.obtained(runs, made, name, seed, "grf", made.test)
            for rival, error in compared(replace(own, test=fields)).items():
                target = TARGET if rival == OURS else None
                found.append(Row(f"{name}, random fields", rival, UNIT, 100.0 * error, target))
    return found


def compared(own: Study) -> dict[str, float]:
    """Errors of the test cases with all modes, and with those that training inputs have."""
    data = own.train
    encoding = encoding_of([data], input_modes(data))
    branch = branches.build({"kind": "gaussian", "inputs": encoding.width, "features": 1, "units": 1})
    fitted = prepare(data, encoding, *output_sizes(data, own.horizon), True, own.horizon)
    nothing = np.zeros((encoding.width + 2, 0)), np.zeros((0, *fitted.outputs.shape[1:]))
    whole = cassette(fitted, data.sensors, *nothing)
    less = replace(whole, multiplier=whole.multiplier * seen(fitted.inputs)[: whole.multiplier.shape[-1]])
    made = {OURS: whole, LEFT_OUT: less}
    return {rival: errors(model_for(encoding, branch, [one]), one, own.test).mean for rival, one in made.items()}
