"""Are the symmetries that an operator has found in its training cases, all of them and no other?

What is true is asked of the solver: whether solutions from changed inputs are the changed solutions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _harness import OURS, Row, say

from edgepde.modno.sizes import encoding_of, input_modes, output_sizes
from edgepde.modno.spectral import Spectral
from edgepde.modno.symmetry import TRANSFORMS, symmetries
from edgepde.problems import operators
from edgepde.problems.operator_data import OperatorData
from modno_parts import _study

SAME, FEW = 1e-2, 4


def rows(quick: bool, runs: Path) -> list[Row]:
    """How many operators' symmetries are right, of the first seed."""
    made = _study.plan(quick)
    seed, wrong = made.seeds[0], []
    for name in made.names:
        own = _study.study(runs, made, name, seed)
        found, wanted = found_in(own.train, own.horizon), true_of(own.train)
        say(f"  {name}: {', '.join(found)}")
        if found != wanted:
            wrong.append(f"{name}: found {', '.join(found)}, has {', '.join(wanted)}")
    right, whole = len(made.names) - len(wrong), len(made.names)
    return [Row("symmetries found in cases", OURS, "operators", right, whole, ">=", note="; ".join(wrong))]


def found_in(data: OperatorData, horizon: float) -> tuple[str, ...]:
    """By the test that training uses."""
    sizes = output_sizes(data, horizon)
    form = Spectral(data.period, sizes.modes, horizon, sizes.terms - 1)
    encoding = encoding_of([data], input_modes(data))
    return symmetries(encoding.coefficients(data.sensors), form.coefficients(data.field, data.times, data.x))


def true_of(data: OperatorData) -> tuple[str, ...]:
    """By the solver, on a few inputs, in as many modes of the solution as the places of the data tell."""
    some = data.take(slice(0, FEW))
    given = encoding_of([some], input_modes(some)).coefficients(some.sensors)
    modes = (len(some.x) - 1) // 2
    space = Spectral(some.period, modes, 1.0, 0).space_matrix(some.x)
    back = np.linalg.pinv(space)
    plain = _solved(some, given) @ back
    holds = []
    for name, change in TRANSFORMS.items():
        changed, wanted = change(given, plain, np.random.default_rng(0))
        far = np.linalg.norm(_solved(some, changed) @ back - wanted) / np.linalg.norm(wanted)
        holds += [name] if far < SAME else []
    return tuple(holds)


def _solved(data: OperatorData, given: np.ndarray) -> np.ndarray:
    """u [N, T, n] from coefficients of inputs."""
    m = given.shape[1] // 2
    spectrum = np.concatenate([given[:, :1] + 0j, 0.5 * (given[:, 1 : m + 1] - 1j * given[:, m + 1 :])], axis=1)
    return operators.operator(data.name).fields(spectrum, data.times, data.x)
