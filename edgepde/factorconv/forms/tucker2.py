"""Tucker-2 over the channels (1511.06530): a small dense convolution between two mixes of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from edgepde.factorconv.geometry import Geometry
from edgepde.factorconv.steps import Factor, pointwise

from ._form import Factors, Form, Link


@final
class Tucker2(Form):
    """K_ts = sum_pq write_tq core_qp read_ps: read [P, S], core [Q, P, k_1..k_d], write [T, Q]; ranks (P, Q)."""

    name = "tucker2"

    def limits(self, where: Geometry) -> tuple[int, ...]:
        """min(S, T k_1..k_d), min(T, S k_1..k_d)."""
        s, t, k = where.inputs, where.outputs, where.points
        return (min(s, t * k), min(t, s * k))

    def tight(self, where: Geometry, ranks: Sequence[int]) -> tuple[int, ...]:
        """P <= Q k_1..k_d and Q <= P k_1..k_d."""
        p, q = ranks
        p = min(p, q * where.points)
        return (p, min(q, p * where.points))

    def shapes(self, where: Geometry, ranks: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """S P + P Q k_1..k_d + Q T numbers."""
        p, q = ranks
        return {"read": (p, where.inputs), "core": (q, p, *where.kernel), "write": (where.outputs, q)}

    def fans(self, where: Geometry, ranks: Sequence[int]) -> dict[str, float]:
        """S, P k_1..k_d, Q."""
        p, q = ranks
        return {"read": where.inputs, "core": p * where.points, "write": q}

    def steps(self, where: Geometry, factors: Factors) -> list[Factor]:
        """Mix, the small convolution, mix."""
        core = Factor(factors["core"], 1, tuple(range(where.axes)))
        return [pointwise(factors["read"], where.axes), core, pointwise(factors["write"], where.axes)]

    def kernel(self, where: Geometry, factors: Factors) -> Tensor:
        """The sum over p and q."""
        core = factors["core"].flatten(2)
        return torch.einsum("tq,qpk,ps->tsk", factors["write"], core, factors["read"]).reshape(where.dense_shape)

    def links(self, where: Geometry) -> tuple[Link, ...]:
        """p and q."""
        del where
        return (Link((("read", (0,)), ("core", (1,)))), Link((("core", (0,)), ("write", (1,)))))

    def component_norms(self, where: Geometry, factors: Factors) -> Tensor:
        """|write_q| |core_qp| |read_p|: [Q, P]."""
        del where
        core = factors["core"].flatten(2).norm(dim=2)
        return factors["write"].norm(dim=0)[:, None] * core * factors["read"].norm(dim=1)

    def squared_norm(self, where: Geometry, factors: Factors) -> Tensor:
        """The core between the inner products of the mixes."""
        del where
        core = factors["core"].flatten(2)
        reads, writes = factors["read"] @ factors["read"].T, factors["write"].T @ factors["write"]
        return (torch.einsum("ab,bck,cd->adk", writes, core, reads) * core).sum()


FORM = Tucker2()
