"""Every kernel by itself as a canonical sum of 1-way filters (2304.04964)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from edgepde.factorconv.geometry import Geometry
from edgepde.factorconv.steps import Factor, along, outer, split

from ._form import Factors, Form, Link, without_largest


@final
class CP(Form):
    """K_ts = sum_r f_tsr^1 o .. o f_tsr^d: filters [T, S, R, k_1 + .. + k_d], S T R (k_1 + .. + k_d) numbers.

    As filters of one axis this needs S R maps for every output; the last axis also sums them.
    """

    name = "cp"
    per_kernel = True

    def limits(self, where: Geometry) -> tuple[int, ...]:
        """k_1..k_d without the largest of these."""
        return (without_largest(where.kernel),)

    def usual(self, where: Geometry) -> tuple[int, ...]:
        """One term."""
        del where
        return (1,)

    def shapes(self, where: Geometry, ranks: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """Filters of all axes side by side."""
        return {"filters": (where.outputs, where.inputs, ranks[0], sum(where.kernel))}

    def fans(self, where: Geometry, ranks: Sequence[int]) -> dict[str, float]:
        """k_1, .., and S R k_d where the terms are summed."""
        fans = {f"filter{a + 1}": float(k) for a, k in enumerate(where.kernel)}
        fans[f"filter{where.axes}"] *= where.inputs * ranks[0]
        return fans

    def views(self, where: Geometry, factors: Factors) -> dict[str, Tensor]:
        """The filters of each axis [T, S, R, k_a]."""
        return {f"filter{a + 1}": way for a, way in enumerate(split(factors["filters"], where.kernel))}

    def steps(self, where: Geometry, factors: Factors) -> list[Factor]:
        """Of the inputs, repeated for every output: filtered R times, along one axis after the other, then summed."""
        t, s, r, _ = factors["filters"].shape
        if where.axes == 1:
            return [along(factors["filters"].sum(dim=2), 0, 1, 1)]
        *ways, last = split(factors["filters"], where.kernel)
        made = []
        for a, way in enumerate(ways):
            made.append(along(way.reshape(t * s * r, 1, -1), a, where.axes, t * s if a == 0 else t * s * r))
        return [*made, along(last.reshape(t, s * r, -1), where.axes - 1, where.axes, t)]

    def kernel(self, where: Geometry, factors: Factors) -> Tensor:
        """The sum over r of every kernel."""
        return outer(split(factors["filters"], where.kernel)).sum(dim=2)

    def links(self, where: Geometry) -> tuple[Link, ...]:
        """t, s and r, in every filter."""
        if where.axes == 1:
            return ()
        return (Link(tuple((f"filter{a + 1}", (0, 1, 2)) for a in range(where.axes))),)

    def component_norms(self, where: Geometry, factors: Factors) -> Tensor:
        """|f_tsr^1| .. |f_tsr^d|: [T, S, R]."""
        ways = split(factors["filters"], where.kernel)
        made = ways[0].norm(dim=3)
        return made * math.prod(way.norm(dim=3) for way in ways[1:])

    def squared_norm(self, where: Geometry, factors: Factors) -> Tensor:
        """For every kernel over all pairs of its terms."""
        grams = [torch.einsum("tsrk,tsqk->tsrq", way, way) for way in split(factors["filters"], where.kernel)]
        return math.prod(grams[1:], start=grams[0]).sum()


FORM = CP()
