"""gauss_newton_solve: rows one at a time, in their own loop around the tiles."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import UnsupportedModel

from ..building import Builder, Call, literal
from ..dims import features, spelled, symbols
from ..operations import Solve
from ..value import Store, Value


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """Every operand must be the same for all rows of a tile."""
    operands = [builder.running(call, call.value(i)) for i in range(8)]
    lift, basis, coefficients, weights, start, terms, matrix, target = operands
    if any(v.varying for v in operands):
        raise UnsupportedModel("its operands differ between the rows of a tile")
    if basis.data is None or terms.data is None or matrix.data is None:
        raise UnsupportedModel("basis, terms and constraint_matrix must be constants for the C99 target")
    factors, rows, unknowns = basis.data.shape
    count, width = terms.data.shape
    constraints = matrix.data.shape[0]
    wanted = (factors * rows, count * rows, rows, unknowns, constraints)
    shapes = [v.shape for v in (lift, coefficients, weights, start, target)]
    if tuple(map(features, shapes)) != wanted:
        raise UnsupportedModel(f"operands do not fit together, row by row: {', '.join(map(spelled, shapes))}")
    batch = start.shape[:1] if symbols(start.shape) else lift.shape[:1]
    sizes = (factors, rows, unknowns, count, width, constraints)
    scratch = Store("scratch", "f64", scratch_doubles(*sizes), False)
    solution = builder.new("f64", (*batch, *(basis.shape[2:])), varying=False)
    converged = builder.new("u8", batch, varying=False)
    most = int(call.attributes["max_iterations"])
    tolerance = literal(np.float64(call.attributes["tolerance"]))
    builder.add(Solve(tuple(operands), solution, call.label, sizes, most, tolerance, converged, scratch))
    return solution, converged


def scratch_doubles(factors: int, rows: int, unknowns: int, terms: int, width: int, constraints: int) -> int:
    """EP_GAUSS_NEWTON_SOLVE_SCRATCH in doubles; the generated file asserts that they agree."""
    del terms, width

    def up(n: int) -> int:
        return -(-n // 8) * 8

    chunk = 16
    return (
        factors * up(rows)
        + up(rows)
        + up(constraints)
        + chunk * factors
        + 2 * up(unknowns)
        + (chunk + up(unknowns) + 1) * up(unknowns + 1)
    )
