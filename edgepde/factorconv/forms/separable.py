"""Depthwise-separable: a few filters of its own for every input, then a mix of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from edgepde.factorconv.geometry import Geometry
from edgepde.factorconv.steps import Factor, pointwise

from ._form import Factors, Form, Link


@final
class Separable(Form):
    """K_ts = sum_m point_tsm depth_sm: depth [S, M, k_1..k_d], point [T, S, M]; the rank is M."""

    name = "separable"
    by_output = ("point",)

    def limits(self, where: Geometry) -> tuple[int, ...]:
        """min(T, k_1..k_d)."""
        return (min(where.outputs, where.points),)

    def usual(self, where: Geometry) -> tuple[int, ...]:
        """One filter for each input."""
        del where
        return (1,)

    def shapes(self, where: Geometry, ranks: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """S M (k_1..k_d + T) numbers."""
        (m,) = ranks
        return {"depth": (where.inputs, m, *where.kernel), "point": (where.outputs, where.inputs, m)}

    def fans(self, where: Geometry, ranks: Sequence[int]) -> dict[str, float]:
        """k_1..k_d, S M."""
        return {"depth": where.points, "point": where.inputs * ranks[0]}

    def steps(self, where: Geometry, factors: Factors) -> list[Factor]:
        """Every input by itself, then a mix."""
        depth = factors["depth"].flatten(0, 1).unsqueeze(1)
        filtered = Factor(depth, where.inputs, tuple(range(where.axes)))
        return [filtered, pointwise(factors["point"].flatten(1), where.axes)]

    def kernel(self, where: Geometry, factors: Factors) -> Tensor:
        """The sum over m."""
        made = torch.einsum("tsm,smk->tsk", factors["point"], factors["depth"].flatten(2))
        return made.reshape(where.dense_shape)

    def links(self, where: Geometry) -> tuple[Link, ...]:
        """s and m."""
        del where
        return (Link((("depth", (0, 1)), ("point", (1, 2)))),)

    def component_norms(self, where: Geometry, factors: Factors) -> Tensor:
        """|point_sm| |depth_sm|: [S, M]."""
        del where
        return factors["point"].norm(dim=0) * factors["depth"].flatten(2).norm(dim=2)

    def squared_norm(self, where: Geometry, factors: Factors) -> Tensor:
        """For every input, inner products of its filters between those of its columns."""
        del where
        depth = factors["depth"].flatten(2)
        filters = torch.einsum("smk,snk->smn", depth, depth)
        columns = torch.einsum("tsm,tsn->smn", factors["point"], factors["point"])
        return (filters * columns).sum()


FORM = Separable()
