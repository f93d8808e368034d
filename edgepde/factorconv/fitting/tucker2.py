"""Tucker-2: the leading directions of inputs and outputs in turn (higher-order orthogonal iteration)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgepde.factorconv.forms._form import Factors
from edgepde.factorconv.forms.tucker2 import FORM
from edgepde.factorconv.geometry import Geometry

SWEEPS = 20
SETTLED = 1e-12


def fit(where: Geometry, kernel: Tensor, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """Truncated directions, then improved in turn until |core|, which is what is kept of |K|, no longer grows."""
    del seed
    read, core, write = _iterated(kernel.flatten(2), *ranks)
    return {"read": read, "core": core.unflatten(2, where.kernel), "write": write}


def shrink(where: Geometry, factors: Factors, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """The same of the core that is left when both mixes are made orthonormal."""
    q_write, core, q_read = _orthonormal(factors)
    made = fit(where, core.unflatten(2, where.kernel), ranks, seed)
    return {"read": made["read"] @ q_read.T, "core": made["core"], "write": q_write @ made["write"]}


def ranks_within(where: Geometry, kernel: Tensor, tolerance: float) -> tuple[int, ...]:
    """The ranks of fewest numbers whose truncated directions leave at most a share `tolerance` of |K|."""
    flat = kernel.flatten(2)
    return _fewest(where, flat, tolerance)


def shrunk_within(where: Geometry, factors: Factors, tolerance: float) -> tuple[int, ...]:
    """The same from factors."""
    _, core, _ = _orthonormal(factors)
    return _fewest(where, core, tolerance)


def _fewest(where: Geometry, flat: Tensor, tolerance: float) -> tuple[int, ...]:
    """|K - K'|^2 <= tail_S(P)^2 + tail_T(Q)^2, tails of the singular values of both unfoldings."""
    inputs, outputs = (_tails(flat.transpose(0, axis).flatten(1)) for axis in (1, 0))
    limit = tolerance**2 * float(flat.square().sum())
    found: list[tuple[int, tuple[int, int]]] = []
    for p in range(1, len(inputs)):
        kept = [q for q in range(1, len(outputs)) if float(inputs[p] + outputs[q]) <= limit]
        if kept:
            found.append((FORM.numbers(where, (p, kept[0])), (p, kept[0])))
    full = (len(inputs) - 1, len(outputs) - 1)
    return FORM.tight(where, min(found)[1] if found else full)


def _tails(matrix: Tensor) -> Tensor:
    """Sums of the squares of all singular values from the r-th on, r = 0 .. all."""
    squares = torch.linalg.svdvals(matrix).square()
    return torch.cat([squares.flip(0).cumsum(0).flip(0), squares.new_zeros(1)])


def _orthonormal(factors: Factors) -> tuple[Tensor, Tensor, Tensor]:
    """write [T, Q'], core [Q', P', k flat], read^T [S, P'] of the same kernel, both mixes orthonormal."""
    q_write, left = torch.linalg.qr(factors["write"])
    q_read, right = torch.linalg.qr(factors["read"].T)
    return q_write, torch.einsum("aq,qpk,bp->abk", left, factors["core"].flatten(2), right), q_read


def _iterated(flat: Tensor, p: int, q: int) -> tuple[Tensor, Tensor, Tensor]:
    read = _leading(flat.transpose(0, 1).flatten(1), p)
    kept = -1.0
    for _ in range(SWEEPS):
        write = _leading(torch.einsum("tsk,sp->tpk", flat, read).flatten(1), q)
        half = torch.einsum("tsk,tq->qsk", flat, write)
        read = _leading(half.transpose(0, 1).flatten(1), p)
        core = torch.einsum("qsk,sp->qpk", half, read)
        now = float(core.square().sum())
        if now <= kept * (1 + SETTLED):
            break
        kept = now
    return read.T, core, write


def _leading(matrix: Tensor, rank: int) -> Tensor:
    """Left singular vectors [m, rank]."""
    return torch.linalg.svd(matrix, full_matrices=False)[0][:, :rank]
