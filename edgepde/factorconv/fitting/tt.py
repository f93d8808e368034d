"""Tensor trains: one singular value decomposition after the other (Oseledets 2011)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgepde.factorconv.forms._form import Factors
from edgepde.factorconv.forms.tt import FORM
from edgepde.factorconv.geometry import Geometry

Cores = list[Tensor]  # [r_{a-1}, n_a, r_a]


def fit(where: Geometry, kernel: Tensor, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """Within sqrt(d + 1) of the best train of these ranks."""
    del seed
    return _named(_cut(_train(where, kernel), ranks, 0.0)[0])


def shrink(where: Geometry, factors: Factors, ranks: Sequence[int], seed: int) -> dict[str, Tensor]:
    """The same from a train."""
    del seed
    return _named(_cut(_cores(where, factors), ranks, 0.0)[0])


def ranks_within(where: Geometry, kernel: Tensor, tolerance: float) -> tuple[int, ...]:
    """Ranks that leave at most a share `tolerance` of |K|: every cut may lose an equal part of what is left of it."""
    return _within(where, _train(where, kernel), tolerance)


def shrunk_within(where: Geometry, factors: Factors, tolerance: float) -> tuple[int, ...]:
    """The same from factors."""
    return _within(where, _cores(where, factors), tolerance)


def _within(where: Geometry, cores: Cores, tolerance: float) -> tuple[int, ...]:
    return FORM.tight(where, _cut(cores, FORM.limits(where), tolerance)[1])


def _train(where: Geometry, kernel: Tensor) -> Cores:
    """K [T, S, k_1..k_d] as a train of one core over (S, k_1, .., k_d, T), exact."""
    rest = kernel.movedim(0, -1)
    made, rank = [], 1
    for n in (where.inputs, *where.kernel):
        u, s, v = torch.linalg.svd(rest.reshape(rank * n, -1), full_matrices=False)
        made.append(u.unflatten(0, (rank, n)))
        rest, rank = s[:, None] * v, len(s)
    return [*made, rest.unsqueeze(-1)]


def _cores(where: Geometry, factors: Factors) -> Cores:
    ways = [factors[f"way{a + 1}"].permute(1, 2, 0) for a in range(where.axes)]
    return [factors["read"].T.unsqueeze(0), *ways, factors["write"].T.unsqueeze(-1)]


def _named(cores: Cores) -> dict[str, Tensor]:
    first, *ways, last = cores
    made = {"read": first[0].T}
    for a, core in enumerate(ways):
        made[f"way{a + 1}"] = core.permute(2, 0, 1)
    return {name: f.contiguous() for name, f in {**made, "write": last[:, :, 0].T}.items()}


def _cut(cores: Cores, ranks: Sequence[int], share: float) -> tuple[Cores, list[int]]:
    """Orthonormal from the right, cut from the left: at most these ranks, and no more than a `share` of |K| needs."""
    made = list(cores)
    for a in reversed(range(1, len(made))):
        q, r = torch.linalg.qr(made[a].flatten(1).T)
        made[a] = q.T.unflatten(1, made[a].shape[1:])
        made[a - 1] = made[a - 1] @ r.T
    left = (share * float(made[0].norm())) ** 2
    kept: list[int] = []
    for a in range(len(made) - 1):
        u, s, v = torch.linalg.svd(made[a].flatten(0, 1), full_matrices=False)
        tails = torch.cat([s.square().flip(0).cumsum(0).flip(0), s.new_zeros(1)])
        limit = left / (len(made) - 1 - a)
        rank = max(1, min(ranks[a], int((tails > limit).sum()), len(s)))
        left = max(0.0, left - float(tails[rank]))
        shape = made[a].shape[:2]
        made[a] = u[:, :rank].unflatten(0, shape)
        made[a + 1] = torch.einsum("pq,qnr->pnr", s[:rank, None] * v[:rank], made[a + 1])
        kept.append(rank)
    return made, kept
