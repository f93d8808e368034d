"""Shared-factor CP over channels and axes (1412.6553): what the op `factorized_conv` computes in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from edgepde.factorconv.geometry import Geometry
from edgepde.factorconv.steps import Factor, along, outer, pointwise, split

from ._form import Factors, Form, Link, without_largest


@final
class Shared(Form):
    """K_ts = sum_r write_tr read_rs f_r^1 o .. o f_r^d: read [R, S], filters [R, k_1 + .. + k_d], write [T, R].

    A mix of channels, d filters of one axis, each map its own, a mix again: R (S + T + k_1 + .. + k_d) numbers.
    """

    name = "shared"

    def limits(self, where: Geometry) -> tuple[int, ...]:
        """S T k_1..k_d without the largest of these."""
        return (without_largest(where.dense_shape),)

    def usual(self, where: Geometry) -> tuple[int, ...]:
        """2 min(S, T)."""
        return (min(2 * min(where.inputs, where.outputs), *self.limits(where)),)

    def shapes(self, where: Geometry, ranks: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """As the op takes them."""
        (r,) = ranks
        return {"read": (r, where.inputs), "filters": (r, sum(where.kernel)), "write": (where.outputs, r)}

    def fans(self, where: Geometry, ranks: Sequence[int]) -> dict[str, float]:
        """S, k_1, .., k_d, R."""
        ways = {f"filter{a + 1}": float(k) for a, k in enumerate(where.kernel)}
        return {"read": where.inputs, **ways, "write": ranks[0]}

    def views(self, where: Geometry, factors: Factors) -> dict[str, Tensor]:
        """The filters of each axis [R, k_a]."""
        ways = {f"filter{a + 1}": way for a, way in enumerate(split(factors["filters"], where.kernel))}
        return {"read": factors["read"], **ways, "write": factors["write"]}

    def steps(self, where: Geometry, factors: Factors) -> list[Factor]:
        """Mix, filter along every axis, mix."""
        ways = split(factors["filters"], where.kernel)
        rank = len(factors["read"])
        filtered = [along(way.unsqueeze(1), a, where.axes, rank) for a, way in enumerate(ways)]
        return [pointwise(factors["read"], where.axes), *filtered, pointwise(factors["write"], where.axes)]

    def kernel(self, where: Geometry, factors: Factors) -> Tensor:
        """The sum over r."""
        spatial = outer(split(factors["filters"], where.kernel)).flatten(1)
        mixed = torch.einsum("tr,rs,rk->tsk", factors["write"], factors["read"], spatial)
        return mixed.reshape(where.dense_shape)

    def links(self, where: Geometry) -> tuple[Link, ...]:
        """r, in every factor."""
        ways = tuple((f"filter{a + 1}", (0,)) for a in range(where.axes))
        return (Link((("read", (0,)), *ways, ("write", (1,)))),)

    def component_norms(self, where: Geometry, factors: Factors) -> Tensor:
        """|write_r| |f_r^1| .. |f_r^d| |read_r|: [R]."""
        made = factors["write"].norm(dim=0) * factors["read"].norm(dim=1)
        return made * math.prod(way.norm(dim=1) for way in split(factors["filters"], where.kernel))

    def squared_norm(self, where: Geometry, factors: Factors) -> Tensor:
        """Sum over all pairs of terms of the product of their factors' inner products."""
        return inner(where, factors, factors)


def inner(where: Geometry, one: Factors, other: Factors) -> Tensor:
    """<K, K'> of two sums of terms, by R x R' inner products of their factors."""
    made = (one["write"].T @ other["write"]) * (one["read"] @ other["read"].T)
    for a, b in zip(split(one["filters"], where.kernel), split(other["filters"], where.kernel), strict=True):
        made = made * (a @ b.T)
    return made.sum()


FORM = Shared()
