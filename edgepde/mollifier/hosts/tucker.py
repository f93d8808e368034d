"""Networks of one coordinate each, multiplied in all ways: linear in its core, which Gauss-Newton finds at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from ._host import tanh_layers, whole
from ._jets import network_series
from ._separable import SeparableHost

SMALLEST = 1e-9
"""Singular values of a network's hidden layer, relative to the largest, below which it is not taken further."""


@final
class Tucker(SeparableHost):
    """u(x) = offset + scale * sum core[i, j, ..] network_1(x_1)_i network_2(x_2)_j ..; ranks: outputs per axis."""

    name = "tucker"

    def __init__(self, low: Sequence[float], *given: Any, ranks: int | Sequence[int] = 8, **settings: Any) -> None:
        held = [ranks] * len(low) if isinstance(ranks, int) else list(ranks)
        if len(held) != len(low):
            raise InputError(f"mollifier: host tucker: ranks: expected {len(low)} numbers, got {held}")
        for rank in held:
            whole("mollifier: host tucker", ranks=rank)
        super().__init__(held, [_slope(rank) for rank in held], low, *given, **settings)
        self.ranks = tuple(held)
        self.core = nn.Parameter(torch.randn(self.ranks) / 10.0)

    def description(self) -> dict[str, Any]:
        """What builds this host again, without its weights, as JSON."""
        return {**super().description(), "ranks": list(self.ranks)}

    def forward(self, *inputs: Tensor) -> Tensor:
        """u [M] at points [M, d]."""
        (points,) = inputs
        unit = self.unit(points)
        tables = [tanh_layers(self.layers(a), unit[:, a : a + 1]) for a in range(self.dimension)]
        rows = self.core.flatten(1).T @ tables[0].T
        for table in tables[1:]:
            rows = (rows.unflatten(0, (table.shape[1], -1)) * table.T[:, None]).sum(0)
        return self.offset + self.scale * rows[0]

    def assembled(self, tables: Sequence[Tensor]) -> Tensor:
        """The core multiplied by a table on every axis."""
        made: Tensor = self.core
        for place, table in enumerate(tables):
            made = torch.movedim(torch.tensordot(table, made, dims=([1], [place])), 0, place)
        return made

    def orthonormalise(self, axes: Sequence[Tensor]) -> None:
        """Set the last layers so that the networks' outputs are orthonormal on these axes: the directions that the
        hidden layers span best. InputError where they span fewer than `ranks`.
        """
        with torch.no_grad():
            for place, values in enumerate(axes):
                layers = self.layers(place)
                last, scaled = layers[-1], self.unit_axis(place, values)
                assert isinstance(last, nn.Linear)
                hidden = _hidden(layers, scaled)
                _, sizes, ways = torch.linalg.svd(hidden - hidden.mean(0), full_matrices=False)
                rank = self.ranks[place] - 1
                found = int((sizes > SMALLEST * sizes[0]).sum())
                if found < rank:
                    raise InputError(f"tucker: axis {place}: ranks: expected at most {found + 1}, got {rank + 1}")
                last.weight.zero_()
                last.weight[1:] = ways[:rank] / sizes[:rank, None]
                last.bias.fill_(len(values) ** -0.5)
                last.bias[1:] = -(last.weight[1:] @ hidden.mean(0))

    def unit_axis(self, place: int, values: Tensor) -> Tensor:
        """Coordinates of one axis as [-1, 1]."""
        low, high = (float(v[place]) for v in (self.low, self.high))
        return 2.0 * (values - low) / (high - low) - 1.0


def _slope(rank: int) -> float:
    """The steepest kink of the start: few outputs are nearly polynomials, more of them resolve finer detail."""
    return min((rank / 10.0) ** 2, max(4.0, rank / 6.0))


def _hidden(layers: nn.ModuleList, values: Tensor) -> Tensor:
    return torch.tanh(network_series(layers[:-1], values, 0)[0])


HOST = Tucker
