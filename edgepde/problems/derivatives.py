"""Derivatives of the closed-form parts of a problem (lift, mask) by forward-mode differentiation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.func import jvp

from edgepde.problems.problem import Named, Problem, Term


def by_name(names: Sequence[str], columns: Tensor) -> dict[str, Tensor]:
    """Columns [R, d] as a mapping name -> [R]."""
    return {name: columns[:, i] for i, name in enumerate(names)}


def parameters_by_name(problem: Problem, parameters: Tensor) -> dict[str, Tensor]:
    """Parameters [B, P] as a mapping name -> [B, 1], ready to broadcast against coordinates [R]."""
    return {name: parameters[:, i : i + 1] for i, name in enumerate(problem.parameters.names)}


def differentiate(f: Callable[[Named], Tensor], coordinates: Named, order: Sequence[int]) -> Tensor:
    """D^order f at coordinates (name -> [R]), the multi-index ordered like the mapping; nested forward mode."""
    for name, count in zip(coordinates, order, strict=True):
        if count:
            rest = [k - (n == name) for n, k in zip(coordinates, order, strict=True)]

            def g(value: Tensor, name: str = name, rest: list[int] = rest) -> Tensor:
                return differentiate(f, {**coordinates, name: value}, rest)

            value = coordinates[name]
            return jvp(g, (value,), (torch.ones_like(value),))[1]
    return f(coordinates)


def lift_factors(problem: Problem, factors: Sequence[str], points: Tensor, parameters: Tensor) -> Tensor:
    """Every factor applied to the lift: points [R, d], parameters [B, P] -> [B, F, R]."""
    coordinates = by_name(problem.coordinates.names, points)
    mu = parameters_by_name(problem, parameters)
    shape = (parameters.shape[0], points.shape[0])
    values = [
        differentiate(lambda c: problem.lift(c, mu), coordinates, problem.order(f)).expand(shape) for f in factors
    ]
    return torch.stack(values, dim=1)


def mask_derivatives(problem: Problem, orders: Sequence[tuple[int, ...]], points: Tensor) -> list[Tensor]:
    """D^a mask at points [R, d] for each multi-index a: a list of [R]."""
    coordinates = by_name(problem.coordinates.names, points)
    return [differentiate(problem.mask, coordinates, order).expand(points.shape[0]) for order in orders]


def term_coefficients(problem: Problem, points: Tensor, parameters: Tensor) -> Tensor:
    """Every term's coefficient: points [R, d], parameters [B, P] -> [B, T, R]."""
    coordinates = by_name(problem.coordinates.names, points)
    mu = parameters_by_name(problem, parameters)
    shape = (parameters.shape[0], points.shape[0])

    def value(term: Term) -> Tensor:
        return torch.as_tensor(term.coefficient(coordinates, mu), dtype=points.dtype, device=points.device).expand(shape)

    return torch.stack([value(term) for term in problem.terms], dim=1)


def term_table(problem: Problem) -> list[list[int]]:
    """Factor numbers per term, padded with len(factors): the integer table [T, K] of the op gauss_newton_solve."""
    factors = problem.factors
    width = max(1, max(len(term.factors) for term in problem.terms))
    rows = [[factors.index(f) for f in term.factors] for term in problem.terms]
    return [row + [len(factors)] * (width - len(row)) for row in rows]
