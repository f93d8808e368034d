"""Cases of gauss_newton_solve, and how far two correct implementations may differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from edgepde_runtime.ops.gauss_newton_solve import reference
from numpy.typing import NDArray
from support.op_cases import Case
from support.polynomial_systems import BURGERS, CUBIC, LINEAR, Array, Planted, planted

Inputs = Sequence[NDArray[Any] | None]


def cases() -> Iterator[Case]:
    yield "linear-square", planted(1, LINEAR, rows=4, unknowns=4).inputs, {}
    yield "linear-overdetermined", planted(2, LINEAR, rows=20, unknowns=4, noise=0.1).inputs, {}
    yield "burgers", planted(3, BURGERS, rows=12, unknowns=4).inputs, {}
    yield "burgers-overdetermined", planted(4, BURGERS, rows=40, unknowns=5, noise=1e-3).inputs, {}
    yield "cube", planted(5, CUBIC, rows=12, unknowns=3).inputs, {}
    yield "constraint", planted(6, BURGERS, rows=12, unknowns=4, constraints=2).inputs, {}
    yield "constraint-alone", planted(7, LINEAR, rows=2, unknowns=3, constraints=3).inputs, {}
    yield "batch", planted(8, BURGERS, rows=15, unknowns=3, batch=5).inputs, {}
    yield "one-unknown", planted(9, BURGERS, rows=3, unknowns=1).inputs, {}
    yield "one-row", planted(10, LINEAR, rows=1, unknowns=1).inputs, {}
    yield "weights-apart", planted(11, BURGERS, rows=12, unknowns=4, spread=3.0).inputs, {}
    yield "columns-apart", columns_apart().inputs, {}
    yield "loose", planted(12, BURGERS, rows=12, unknowns=4).inputs, {"tolerance": 1e-4}
    yield "zero-column", zero_column().inputs, {}
    yield "equal-columns", equal_columns().inputs, {"max_iterations": 60}
    yield "fewer-rows-than-unknowns", planted(13, LINEAR, rows=2, unknowns=4).inputs, {"max_iterations": 60}
    yield "no-iterations", planted(14, BURGERS, rows=12, unknowns=4).inputs, {"max_iterations": 0}
    yield "one-iteration", planted(15, BURGERS, rows=12, unknowns=4).inputs, {"max_iterations": 1}
    yield "no-root", no_root(), {}
    yield "no-root-steep", no_root(steepness=1e8), {}
    yield "nan-coefficient", spoilt(2, np.nan), {}
    yield "inf-coefficient", spoilt(2, np.inf), {}
    yield "nan-lift", spoilt(0, np.nan), {}
    yield "nan-weight", spoilt(3, np.nan), {}
    yield "nan-start", spoilt(4, np.nan), {}
    yield "nan-target", spoilt(7, np.nan), {}


def columns_apart() -> Planted:
    """Unknowns of very different sizes: the columns of the Jacobian span nine orders of magnitude."""
    made = planted(16, BURGERS, rows=12, unknowns=3)
    scale = np.array([1e-6, 1.0, 1e3])
    made.inputs[1] = made.inputs[1] * scale
    made.inputs[4] = made.inputs[4] / scale
    return Planted(made.inputs, made.root / scale)


def zero_column() -> Planted:
    """The second unknown moves nothing."""
    made = planted(17, LINEAR, rows=6, unknowns=3)
    made.inputs[1][:, :, 1] = 0.0
    return made


def equal_columns() -> Planted:
    """Two unknowns that do the same: the Jacobian has rank N - 1."""
    made = planted(18, LINEAR, rows=6, unknowns=3)
    made.inputs[1][:, :, 1] = made.inputs[1][:, :, 0]
    return made


def no_root(steepness: float = 1.0) -> list[NDArray[Any] | None]:
    """v^2 + 1 = 0 from v = 0.3, v = 0.3 + steepness c: the least cost is at v = 0, where the Jacobian vanishes too.

    Only steps of heavy damping lower the cost; where it is steep they are small in c long before the end.
    """
    return [
        np.full((1, 1, 1), 0.3),
        np.full((1, 1, 1), steepness),
        np.ones((1, 2, 1)),
        np.ones((1, 1)),
        np.zeros((1, 1)),
        np.array([[0, 0], [1, 1]]),
        np.zeros((0, 1)),
        np.zeros((1, 0)),
    ]


def spoilt(number: int, value: float) -> list[NDArray[Any] | None]:
    """Three problems, one number of the second's input `number` replaced."""
    made = planted(19, BURGERS, rows=12, unknowns=3, batch=3, constraints=1).inputs
    made[number][1].flat[0] = value
    return list(made)


def magnitude(inputs: Inputs, solution: Array) -> tuple[int, Array]:
    """(terms, magnitude [B, 1]) of the rounding model at solutions [B, N]; inf where J has no full column rank."""
    lift, basis, coefficients, weights, _, terms, matrix, _ = (np.asarray(x) for x in inputs)
    values = reference.factor_values(lift, basis, solution)
    sizes = reference.factor_values(np.abs(lift), np.abs(basis), np.abs(solution))
    r = reference.residual(values, coefficients, weights, terms)
    r_size = reference.residual(sizes, np.abs(coefficients), np.abs(weights), terms)
    jac = reference.jacobian(values, basis, coefficients, weights, terms)
    jac_size = reference.jacobian(sizes, np.abs(basis), np.abs(coefficients), np.abs(weights), terms)
    rows, unknowns = jac.shape[1:]
    found = np.full((len(solution), 1), np.inf)
    for b in np.flatnonzero(np.isfinite(jac).all(axis=(1, 2))):
        least = np.linalg.svd(np.concatenate([jac[b], matrix]), compute_uv=False)[unknowns - 1 :].min(initial=np.inf)
        if rows + len(matrix) >= unknowns and least > 1e-12 * np.abs(jac[b]).max():
            slip = np.linalg.norm(jac_size[b].T @ np.abs(r[b]))
            found[b] = np.linalg.norm(r_size[b]) / least + slip / least**2
    return terms.shape[1] * (unknowns + 1) + len(terms) + rows + len(matrix), found
