"""The residual of an equation from a field's derivatives: one number per row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from edgepde.errors import ProblemError
from edgepde.problems.equation import Equation


class Residual(nn.Module):
    """sum_t coefficient_t(x; mu) prod_k D_tk u at points, from the factors by name [M, R] or [M, 1].

    coordinates: by name, [R] or [M, 1]; parameters by name [M, 1].
    """

    def __init__(self, equation: Equation) -> None:
        super().__init__()
        self.equation = equation

    def at(self, factors: Mapping[str, Tensor], coordinates: Mapping[str, Tensor], mu: Mapping[str, Tensor]) -> Tensor:
        """The residual itself, shaped as the factors; ProblemError where a coefficient asks for another name."""
        total: Tensor | None = None
        for i, term in enumerate(self.equation.terms):
            try:
                value = term.coefficient(coordinates, mu)
            except KeyError as error:
                raise ProblemError(_unknown(self.equation, i, error)) from error
            part = _coefficient(value, next(iter(factors.values())))
            for factor in term.factors:
                part = part * factors[factor]
            total = part if total is None else total + part
        assert total is not None
        return total


@final
class AtPoints(Residual):
    """|r| [M] of a network of points."""

    def __init__(self, equation: Equation, columns: Mapping[str, int]) -> None:
        super().__init__(equation)
        self.columns = dict(columns)

    def forward(self, x: Tensor, factors: Mapping[str, Tensor]) -> Tensor:
        """x [M, d], factors [M] or [M, 1] -> [M]."""
        given = {name: x[:, i : i + 1] for name, i in self.columns.items()}
        coordinates = {name: given[name] for name in self.equation.coordinates.names}
        names = () if self.equation.parameters is None else self.equation.parameters.names
        rows = {name: part if part.dim() == 2 else part[:, None] for name, part in factors.items()}
        return self.at(rows, coordinates, {name: given[name] for name in names}).abs()[:, 0]


@final
class OverGrid(Residual):
    """The root of the mean of r^2 over the places of a grid that count, [M]."""

    def __init__(
        self, equation: Equation, columns: Mapping[str, int], places: Mapping[str, Tensor], weight: Tensor
    ) -> None:
        super().__init__(equation)
        self.columns = dict(columns)
        for name in equation.coordinates.names:
            self.register_buffer(f"place_{name}", places[name].reshape(-1).to(weight.dtype), persistent=False)
        self.register_buffer("weight", (weight / weight.sum()).reshape(-1, 1), persistent=False)

    def forward(self, x: Tensor, factors: Mapping[str, Tensor]) -> Tensor:
        """x [M, d], factors [M, n_1 .. n_a] -> [M]."""
        coordinates = {name: self.get_buffer(f"place_{name}") for name in self.equation.coordinates.names}
        names = () if self.equation.parameters is None else self.equation.parameters.names
        mu = {name: x[:, self.columns[name] : self.columns[name] + 1] for name in names}
        flat = {name: part.reshape(part.shape[0], -1) for name, part in factors.items()}
        r = self.at(flat, coordinates, mu)
        return torch.sqrt(((r * r) @ self.get_buffer("weight"))[:, 0])


def _coefficient(given: object, like: Tensor) -> Tensor:
    return torch.as_tensor(given, dtype=like.dtype, device=like.device)


def _unknown(equation: Equation, term: int, error: KeyError) -> str:
    known = [*equation.coordinates.names, *(() if equation.parameters is None else equation.parameters.names)]
    return f"equation {equation.name}: terms[{term}]: coefficient expected names of {', '.join(known)}, got {error}"
