"""Both sides of a separable inverse problem as torch operations: left[u] - source[u], and what stands beside lambda."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from ..grid import Grid
from ..inverse.statement import Piece, Statement
from ..names import canonical, combination


@final
class Terms(nn.Module):
    """Derivatives of u by name, each [M, n_1..n_d] -> (left - source, D[u]), both [M, n_1..n_d].

    left[u] = lambda D[u] + source[u]. D[f(u)] of order 1 and 2 by the chain rule, f a polynomial.
    """

    def __init__(self, stated: Statement, grid: Grid) -> None:
        super().__init__()
        stated.check(grid)
        self.letters, self.stated = grid.letters, stated
        self.names = tuple(dict.fromkeys(name for p in self._pieces() for name in _needed(p, self.letters)))
        self.known: dict[int, list[float | str]] = {}
        coordinates = grid.mesh()
        for place, piece in enumerate(self._pieces()):
            self.known[place] = [
                self._kept(value, f"power_{place}_{k}") for k, value in enumerate(piece.coefficients(coordinates))
            ]

    def forward(self, fields: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """(left - source, D[u])."""
        values = [self._value(place, piece, fields) for place, piece in enumerate(self._pieces())]
        first = len(self.stated.left)
        second = first + len(self.stated.operator)
        left = _sum(values[:first], fields)
        return left - _sum(values[second:], fields), _sum(values[first:second], fields)

    def _pieces(self) -> tuple[Piece, ...]:
        return (*self.stated.left, *self.stated.operator, *self.stated.source)

    def _kept(self, value: float | np.ndarray[tuple[int, ...], np.dtype[np.float64]], label: str) -> float | str:
        if isinstance(value, float):
            return value
        self.register_buffer(label, torch.from_numpy(np.array(value)).float(), persistent=False)
        return label

    def _value(self, place: int, piece: Piece, fields: Mapping[str, Tensor]) -> Tensor:
        powers = [self.get_buffer(p) if isinstance(p, str) else p for p in self.known[place]]
        if piece.linear:
            return _times(powers[1], fields[piece.derivative])
        u = fields["u"]
        if piece.derivative == "u":
            return _polynomial(powers, u)
        numbers = [float(p) for p in powers]
        slope = [k * p for k, p in enumerate(numbers)][1:]
        bend = [k * p for k, p in enumerate(slope)][1:]
        made = _polynomial(slope, u) * fields[piece.derivative]
        squares = [_times(c, fields[a] * fields[b]) for c, a, b in _pairs(piece.derivative, self.letters)]
        return made + _polynomial(bend, u) * _sum(squares, fields) if any(bend) and squares else made


def _needed(piece: Piece, letters: str) -> list[str]:
    if piece.linear:
        return [piece.derivative]
    pairs = [name for _, a, b in _pairs(piece.derivative, letters) for name in (a, b)]
    return list(dict.fromkeys(["u", piece.derivative, *pairs]))


def _pairs(derivative: str, letters: str) -> list[tuple[float, str, str]]:
    """(coefficient, u_a, u_b) of the second derivatives u_ab that a name is a sum of."""
    found = []
    for factor, orders in combination(derivative, letters):
        if sum(orders) == 2:
            a, b = (canonical(tuple(int(i == k) for i in range(len(letters))), letters) for k in _places(orders))
            found.append((factor, a, b))
    return found


def _places(orders: Sequence[int]) -> list[int]:
    return [k for k, order in enumerate(orders) for _ in range(order)]


def _polynomial(powers: Sequence[float | Tensor], u: Tensor) -> Tensor:
    """sum_k powers_k u^k by Horner's rule."""
    made: float | Tensor = powers[-1]
    for p in reversed(powers[:-1]):
        made = made * u
        made = made if isinstance(p, float) and p == 0.0 else made + p
    return made if isinstance(made, Tensor) and made.dim() == u.dim() else made + torch.zeros_like(u)


def _times(factor: float | Tensor, value: Tensor) -> Tensor:
    return value if isinstance(factor, float) and factor == 1.0 else factor * value


def _sum(values: Sequence[Tensor], fields: Mapping[str, Tensor]) -> Tensor:
    if not values:
        return torch.zeros_like(next(iter(fields.values())))
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
