"""The solver in the loop: slopes against finite differences, the field against the references, what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.errors import InputError

from edgepde.mollifier.grid import Grid
from edgepde.mollifier.inverse.evolution import Evolution, check, cosines
from edgepde.mollifier.inverse.exponential import Exponential
from edgepde.mollifier.inverse.statement import Piece, Statement, statement
from edgepde.mollifier.inverse.statements.reaction_diffusion import stated
from edgepde.problems.heat_field import HeatField
from edgepde.problems.reaction_diffusion import ReactionDiffusion

HEAT = HeatField(points=21, frames=4, fine=81, horizon=0.2)
MIXTURE = ReactionDiffusion(points=26, frames=4, fine=51, horizon=0.2)
NONLINEAR = Statement(
    "squared",
    (Piece("u_t"),),
    (Piece("laplacian", (0.0, 0.01, 0.02)), Piece("u", (0.3, 0.0, -1.0))),
    (Piece("laplacian", (0.0, 0.005)), Piece("u", (0.0, 0.5, 0.0, -1.0))),
    boundary="zero-flux",
)


def made(name: Statement, case: Any, modes: int, steps: int) -> tuple[Evolution, np.ndarray]:
    grid = Grid.of(**case.axes)
    it = Evolution(name, grid, (modes, modes), float(case.lam.mean()), steps)
    lines = [np.linalg.pinv(cosines(axis, modes, axis.values)) for axis in grid.axes[1:]]
    return it, lines[0] @ case.field[0] @ lines[1].T


@pytest.mark.parametrize(
    ("stated_as", "config", "modes", "close"),
    [(statement("heat_field"), HEAT, 18, 3e-3), (stated(MIXTURE), MIXTURE, 24, 2e-3)],
)
def test_the_field_is_that_of_the_independent_reference(
    stated_as: Statement, config: Any, modes: int, close: float
) -> None:
    case = config.case(1)
    it, first = made(stated_as, case, modes, 8)
    lines = [np.linalg.pinv(cosines(a, modes, a.values)) for a in it.grid.axes[1:]]
    lam = it.values(lines[0] @ case.lam @ lines[1].T)
    sensors = [cosines(a, modes, a.values) for a in it.grid.axes[1:]]
    got = sensors[0] @ it.run(first, lam) @ sensors[1].T
    assert np.sqrt(((got - case.field) ** 2).mean()) < close * case.field.std()


@pytest.mark.parametrize("stated_as", [statement("heat_field"), statement("reaction_diffusion"), NONLINEAR])
def test_slopes_are_finite_differences(stated_as: Statement) -> None:
    case = HEAT.case(2)
    it, first = made(stated_as, case, 7, 2)
    random = np.random.default_rng(0)
    lam = 0.01 + 0.002 * random.random(it.modes)
    by_lam, by_first = 0.01 * random.standard_normal((3, *it.modes)), random.standard_normal((3, *it.modes))
    by_lam[0], by_first[1] = 0.0, 0.0
    v, dv = it.slopes(first, lam, by_lam, by_first)
    np.testing.assert_allclose(v, it.run(first, lam), rtol=1e-12, atol=1e-14)
    h = 1e-6
    for k in range(3):
        apart = [it.run(first + s * h * by_first[k], lam + s * h * by_lam[k]) for s in (1.0, -1.0)]
        wanted = (apart[0] - apart[1]) / (2.0 * h)
        np.testing.assert_allclose(dv[:, k], wanted, rtol=1e-5, atol=1e-7 * max(1.0, np.abs(wanted).max()))


def test_the_scheme_is_of_order_four_and_exact_where_it_is_linear() -> None:
    linear = np.array([[-3.0, -500.0]])
    v = Exponential(linear, 0.3).step(np.ones((1, 2)), np.zeros_like)
    np.testing.assert_allclose(v, np.exp(0.3 * linear), atol=1e-14)

    def end(steps: int) -> float:
        scheme, w = Exponential(np.array([[-1.0]]), 1.0 / steps), np.array([[0.2]])
        for _ in range(steps):
            w = scheme.step(w, lambda u: 3.0 * u - 2.0 * u**2)
        return float(w[0, 0])

    exact = 1.0 / (1.0 + 4.0 * np.exp(-2.0))
    assert 10.0 < abs(end(4) - exact) / abs(end(8) - exact) < 24.0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"left": ()}, "left = u_t"),
        ({"left": (Piece("u_t", (0.0, 2.0)),)}, "left = u_t"),
        ({"boundary": "zero"}, "zero-flux"),
        ({"over": "y"}, "lambda over both"),
        ({"source": (Piece("u_x"),)}, "even derivatives"),
        ({"operator": (Piece("u_t"),)}, "even derivatives"),
    ],
)
def test_what_cannot_be_solved_forwards_is_refused_with_the_reason(change: dict[str, Any], named: str) -> None:
    grid = Grid.of(**HEAT.axes)
    with pytest.raises(InputError, match=named):
        check(replace(statement("heat_field"), **change), grid)


def test_heat_that_runs_backwards_is_refused() -> None:
    with pytest.raises(InputError, match="expected a decay"):
        Evolution(statement("heat_field"), Grid.of(**HEAT.axes), (20, 20), -10.0, 1)
