"""A problem's closed-form parts at given points: lift and mask with their derivatives, term coefficients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgepde.errors import ProblemError
from edgepde.problems.jet import Jet, variables
from edgepde.problems.problem import Problem, Term


def by_name(names: Sequence[str], columns: Tensor) -> dict[str, Tensor]:
    """Columns [R, d] as a mapping name -> [R]."""
    return {name: columns[:, i] for i, name in enumerate(names)}


def parameters_by_name(problem: Problem, parameters: Tensor) -> dict[str, Tensor]:
    """Parameters [B, P] as a mapping name -> [B, 1], ready to broadcast against coordinates [R]."""
    return {name: parameters[:, i : i + 1] for i, name in enumerate(problem.parameters.names)}


def _jet(value: object) -> Jet:
    if not isinstance(value, Jet):
        raise ProblemError(f"lift and mask expected an expression in the coordinates, got {type(value).__name__}")
    return value


def lift_factors(problem: Problem, factors: Sequence[str], points: Tensor, parameters: Tensor) -> Tensor:
    """Every factor applied to the lift: points [R, d], parameters [B, P] -> [B, F, R]."""
    shape = (parameters.shape[0], points.shape[0])
    jet = _jet(
        problem.lift(variables(by_name(problem.coordinates.names, points)), parameters_by_name(problem, parameters))
    )
    return torch.stack([jet.part(problem.order(factor)).expand(shape) for factor in factors], dim=1)


def mask_derivatives(problem: Problem, orders: Sequence[tuple[int, ...]], points: Tensor) -> list[Tensor]:
    """D^a mask at points [R, d] for each multi-index a: a list of [R]."""
    jet = _jet(problem.mask(variables(by_name(problem.coordinates.names, points))))
    return [jet.part(order).expand(points.shape[0]) for order in orders]


def term_coefficients(problem: Problem, points: Tensor, parameters: Tensor) -> Tensor:
    """Every term's coefficient: points [R, d], parameters [B, P] -> [B, T, R]."""
    coordinates = by_name(problem.coordinates.names, points)
    mu = parameters_by_name(problem, parameters)
    shape = (parameters.shape[0], points.shape[0])

    def value(term: Term) -> Tensor:
        return torch.as_tensor(term.coefficient(coordinates, mu), dtype=points.dtype, device=points.device).expand(
            shape
        )

    return torch.stack([value(term) for term in problem.terms], dim=1)


def term_table(problem: Problem) -> list[list[int]]:
    """Factor numbers per term, padded with len(factors): the integer table [T, K] of the op gauss_newton_solve."""
    factors = problem.factors
    width = max(1, *(len(term.factors) for term in problem.terms))
    rows = [[factors.index(f) for f in term.factors] for term in problem.terms]
    return [row + [len(factors)] * (width - len(row)) for row in rows]
