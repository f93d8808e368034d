"""The field table as a torch module: coefficients and points in, field out, in float32."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from edgepde.problems.derivatives import parameters_by_name
from edgepde.problems.problem import Problem
from edgepde.s2gpt.field_table import STENCIL, FieldTable, lagrange_coefficients
from edgepde.s2gpt.grid import Axis


class Stencil(nn.Module):
    """One axis of the field table: coordinate [M] float32 -> first node [M] int64 and powers of the local place [M, 6].

    The local place is measured in nodes from the middle of the six.
    """

    def __init__(self, axis: Axis, nodes: int) -> None:
        super().__init__()
        self.axis = axis
        self.nodes = nodes

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s = torch.clamp(self._mapped(x), 0.0, 1.0) * (self.nodes - 1)
        first = torch.clamp(torch.floor(s) - (STENCIL // 2 - 1), 0.0, float(self.nodes - STENCIL))
        local = s - first - (STENCIL - 1) / 2.0
        powers = [torch.ones_like(local), local]
        while len(powers) < STENCIL:
            powers.append(powers[-1] * local)
        return first.to(torch.int64), torch.stack(powers, dim=1)

    def _mapped(self, x: Tensor) -> Tensor:
        axis = self.axis
        if axis.width == 0.0:
            return (x - axis.low) * (1.0 / (axis.high - axis.low))
        a, b = axis.ends
        y = (x - axis.centre) * (1.0 / axis.width)
        size = torch.abs(y)
        inverse = torch.sign(y) * torch.log(size + torch.sqrt(size * size + 1.0))
        return (inverse - a) * (1.0 / (b - a))


class Field(nn.Module):
    """coefficients [B, N] float64, parameters [B, P] float64, points [M, d] float32 -> u [B, M] float32.

    The Tucker core and factors give the field on the table's nodes, once per row of parameters; every point then
    interpolates its 6^d neighbours, fetched as 6^(d-1) windows of six along the last axis.
    """

    core: Tensor
    offsets: Tensor

    def __init__(self, problem: Problem, table: FieldTable) -> None:
        super().__init__()
        self.problem = problem
        self.nodes = [len(factor) for factor in table.factors]
        self.ranks = [factor.shape[1] for factor in table.factors]
        self.stencils = nn.ModuleList(Stencil(a, n) for a, n in zip(table.axes, self.nodes, strict=True))
        for i, factor in enumerate(table.factors):
            self.register_buffer(f"factor{i}", torch.from_numpy(factor.T.astype(np.float32).copy()))
            self.register_buffer(f"weights{i}", _spread_weights(i, len(self.nodes)))
        core = np.moveaxis(table.core, -1, 0).reshape(table.core.shape[-1], -1)
        self.register_buffer("core", torch.from_numpy(np.ascontiguousarray(core, dtype=np.float32)))
        windows = [*self.nodes[:-1], self.nodes[-1] - STENCIL + 1]
        self.strides = [math.prod(windows[i + 1 :]) for i in range(len(windows))]
        reach = torch.zeros(1, dtype=torch.int64)
        for stride in self.strides[:-1]:
            reach = (reach[:, None] + stride * torch.arange(STENCIL)).reshape(-1)
        self.register_buffer("offsets", reach)

    def forward(self, coefficients: Tensor, parameters: Tensor, points: Tensor) -> Tensor:
        columns, sign = self._folded(points)
        index, weights = self._neighbours(columns)
        windows = self._windows(self._nodal(coefficients))
        values = torch.index_select(windows, 1, index.reshape(-1)).reshape(windows.shape[0], *weights.shape)
        field = (weights * values).sum(dim=2) + self._lift(columns, parameters)
        return field if sign is None else sign * field

    def _folded(self, points: Tensor) -> tuple[list[Tensor], Tensor | None]:
        """The coordinates of the folded domain, and the sign that odd ones give."""
        columns, sign = [], None
        for i, name in enumerate(self.problem.coordinates.names):
            column = points[:, i]
            if name in self.problem.odd:
                side = torch.sign(column)
                sign = side if sign is None else sign * side
                column = torch.abs(column)
            columns.append(column)
        return columns, sign

    def _neighbours(self, columns: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Window numbers [M, 6^(d-1)] and the weights of their nodes [M, 6^d]."""
        index, weights = self._along(0, columns[0])
        for i, column in enumerate(columns[1:], start=1):
            first, w = self._along(i, column)
            index, weights = index + first, weights * w
        return index[:, None] + self.offsets, weights

    def _along(self, i: int, column: Tensor) -> tuple[Tensor, Tensor]:
        first, powers = self.stencils[i](column)
        return first * self.strides[i], powers @ getattr(self, f"weights{i}")

    def _nodal(self, coefficients: Tensor) -> Tensor:
        """The field without its lift on all nodes: [B, n_1, .., n_d]."""
        batch = coefficients.shape[0]
        value = coefficients.to(torch.float32) @ self.core
        for i in range(len(self.ranks)):
            head, tail = math.prod(self.nodes[:i]), math.prod(self.ranks[i + 1 :])
            value = value.reshape(batch * head, self.ranks[i], tail).transpose(1, 2)
            value = (value @ getattr(self, f"factor{i}")).transpose(1, 2)
        return value.reshape(batch, -1, self.nodes[-1])

    def _windows(self, nodal: Tensor) -> Tensor:
        """Six neighbours along the last axis from every node on: [B, windows, 6]."""
        count = self.nodes[-1] - STENCIL + 1
        stacked = torch.stack([nodal[:, :, j : j + count] for j in range(STENCIL)], dim=3)
        return stacked.reshape(nodal.shape[0], -1, STENCIL)

    def _lift(self, columns: list[Tensor], parameters: Tensor) -> Tensor:
        coordinates = dict(zip(self.problem.coordinates.names, columns, strict=True))
        return self.problem.lift(coordinates, parameters_by_name(self.problem, parameters.to(torch.float32)))


def _spread_weights(axis: int, count: int) -> Tensor:
    """Powers of axis `axis` -> Lagrange weights, repeated over the other axes of the 6^d stencil: [6, 6^d]."""
    shape = [1] * count
    shape[axis] = STENCIL
    each = lagrange_coefficients().reshape(STENCIL, *shape)
    full = np.broadcast_to(each, (STENCIL, *[STENCIL] * count)).reshape(STENCIL, -1)
    return torch.from_numpy(np.ascontiguousarray(full, dtype=np.float32))
