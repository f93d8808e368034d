"""Every kernel by itself as a singular value decomposition, over three axes one inside the other (2304.04964)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from edgepde.factorconv.geometry import Geometry
from edgepde.factorconv.steps import Factor, along, outer

from ._form import Factors, Form, Link


@final
class SVD(Form):
    """K_ts = sum_r u_tsr o v_tsr, singular values within u and v; over three axes v_tsr = sum_q v_tsrq o w_tsrq.

    way1 [T, S, R, k_1], way2 [T, S, R, Q, k_2], way3 [T, S, R, Q, k_3]; ranks (R, Q). Over two axes way2 [T, S, R, k_2]
    and ranks (R,); over one axis the kernel itself.
    """

    name = "svd"
    per_kernel = True

    def limits(self, where: Geometry) -> tuple[int, ...]:
        """min(k_1, k_2 k_3), min(k_2, k_3)."""
        k = where.kernel
        return tuple(min(k[a], math.prod(k[a + 1 :])) for a in range(max(1, len(k) - 1)))

    def usual(self, where: Geometry) -> tuple[int, ...]:
        """One term."""
        return (1,) * len(self.limits(where))

    def shapes(self, where: Geometry, ranks: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """S T R k_1, S T R Q k_2, S T R Q k_3 numbers."""
        made = {}
        for a, k in enumerate(where.kernel):
            inner = tuple(ranks[: min(a + 1, where.axes - 1)])
            made[f"way{a + 1}"] = (where.outputs, where.inputs, *inner, k)
        return made

    def fans(self, where: Geometry, ranks: Sequence[int]) -> dict[str, float]:
        """k_1, k_2, .., and S R Q k_d where the terms are summed."""
        fans = {f"way{a + 1}": float(k) for a, k in enumerate(where.kernel)}
        fans[f"way{where.axes}"] *= where.inputs * (math.prod(ranks) if where.axes > 1 else 1)
        return fans

    def steps(self, where: Geometry, factors: Factors) -> list[Factor]:
        """Of the inputs, repeated for every output: filtered along one axis after the other, then summed."""
        t, s = factors["way1"].shape[:2]
        if where.axes == 1:
            return [along(factors["way1"], 0, 1, 1)]
        made, maps = [], t * s
        for a, k in enumerate(where.kernel):
            way = factors[f"way{a + 1}"]
            if a == where.axes - 1:
                made.append(along(way.reshape(t, -1, k), a, where.axes, t))
            else:
                made.append(along(way.reshape(-1, 1, k), a, where.axes, maps))
                maps = way.numel() // k
        return made

    def kernel(self, where: Geometry, factors: Factors) -> Tensor:
        """The sum over r (and q) of every kernel."""
        ways = self._spread(where, factors)
        return outer(ways).sum(dim=2) if where.axes > 1 else factors["way1"]

    def links(self, where: Geometry) -> tuple[Link, ...]:
        """t, s, r between the first two ways; t, s, r, q between the last two."""
        return tuple(
            Link(tuple((f"way{b + 1}", tuple(range(a + 3))) for b in (a, a + 1))) for a in range(where.axes - 1)
        )

    def component_norms(self, where: Geometry, factors: Factors) -> Tensor:
        """Products of norms: [T, S, R Q]."""
        ways = self._spread(where, factors)
        return math.prod((way.norm(dim=-1) for way in ways[1:]), start=ways[0].norm(dim=-1))

    def squared_norm(self, where: Geometry, factors: Factors) -> Tensor:
        """For every kernel over all pairs of its terms."""
        ways = self._spread(where, factors)
        grams = [torch.einsum("tsrk,tsqk->tsrq", way, way) for way in ways]
        return math.prod(grams[1:], start=grams[0]).sum()

    def _spread(self, where: Geometry, factors: Factors) -> list[Tensor]:
        """The ways as terms of a canonical sum: [T, S, R Q, k_a]."""
        if where.axes == 1:
            return [factors["way1"].unsqueeze(2)]
        first, *rest = (factors[f"way{a + 1}"] for a in range(where.axes))
        if where.axes == 2:
            return [first, *rest]
        q = rest[0].shape[3]
        return [first.repeat_interleave(q, 2), *(way.flatten(2, 3) for way in rest)]


FORM = SVD()
