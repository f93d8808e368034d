"""Tensor train over inputs, axes and outputs: one filter of one axis after the other, each mixing its channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
from torch import Tensor

from edgepde.factorconv.geometry import Geometry
from edgepde.factorconv.steps import Factor, along, pointwise

from ._form import Factors, Form, Link


@final
class TT(Form):
    """K_ts = write G^d .. G^1 read: read [r_0, S], way<a> [r_a, r_{a-1}, k_a], write [T, r_d]; ranks (r_0, .., r_d)."""

    name = "tt"

    def limits(self, where: Geometry) -> tuple[int, ...]:
        """At every cut the smaller side of (S, k_1, .., k_d, T)."""
        sizes = (where.inputs, *where.kernel, where.outputs)
        return tuple(min(math.prod(sizes[: a + 1]), math.prod(sizes[a + 1 :])) for a in range(where.axes + 1))

    def tight(self, where: Geometry, ranks: Sequence[int]) -> tuple[int, ...]:
        """r_a <= r_{a-1} k_a and r_{a-1} <= r_a k_a."""
        made = list(ranks)
        for a, k in enumerate(where.kernel):
            made[a + 1] = min(made[a + 1], made[a] * k)
        for a in reversed(range(where.axes)):
            made[a] = min(made[a], made[a + 1] * where.kernel[a])
        return tuple(made)

    def shapes(self, where: Geometry, ranks: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """S r_0 + sum_a r_{a-1} k_a r_a + r_d T numbers."""
        ways = {f"way{a + 1}": (ranks[a + 1], ranks[a], k) for a, k in enumerate(where.kernel)}
        return {"read": (ranks[0], where.inputs), **ways, "write": (where.outputs, ranks[-1])}

    def fans(self, where: Geometry, ranks: Sequence[int]) -> dict[str, float]:
        """S, r_{a-1} k_a, r_d."""
        ways = {f"way{a + 1}": float(ranks[a] * k) for a, k in enumerate(where.kernel)}
        return {"read": where.inputs, **ways, "write": ranks[-1]}

    def steps(self, where: Geometry, factors: Factors) -> list[Factor]:
        """Mix, filter and mix along every axis, mix."""
        ways = [along(factors[f"way{a + 1}"], a, where.axes, 1) for a in range(where.axes)]
        return [pointwise(factors["read"], where.axes), *ways, pointwise(factors["write"], where.axes)]

    def kernel(self, where: Geometry, factors: Factors) -> Tensor:
        """The product of the train."""
        made = factors["read"].T  # [S k_1 .. k_a, r_a]
        for a in range(where.axes):
            made = torch.einsum("xp,qpk->xkq", made, factors[f"way{a + 1}"]).flatten(0, 1)
        return (made @ factors["write"].T).T.reshape(where.dense_shape)

    def links(self, where: Geometry) -> tuple[Link, ...]:
        """Every rank, between its neighbours."""
        names = ["read", *(f"way{a + 1}" for a in range(where.axes)), "write"]
        return tuple(Link(((left, (0,)), (right, (1,)))) for left, right in pairwise(names))

    def component_norms(self, where: Geometry, factors: Factors) -> Tensor:
        """sum over all other ranks of the products of norms, by the last rank: [r_d]."""
        made = factors["read"].norm(dim=1)
        for a in range(where.axes):
            made = factors[f"way{a + 1}"].norm(dim=2) @ made
        return made * factors["write"].norm(dim=0)

    def squared_norm(self, where: Geometry, factors: Factors) -> Tensor:
        """From left to right, with inner products of what is before."""
        made = factors["read"] @ factors["read"].T
        for a in range(where.axes):
            way = factors[f"way{a + 1}"]
            made = torch.einsum("pxk,xy,qyk->pq", way, made, way)
        return (made * (factors["write"].T @ factors["write"])).sum()


FORM = TT()
