"""Training towards low ranks, and taking away what it made small.

Of all factors of a block, min 1/2 (|U|_F^2 + |V|_F^2) over U V^T = B is the sum of B's singular values (the variational
form of the nuclear norm; Srebro, Rennie, Jaakkola 2004), so its gradient needs no singular value decomposition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from edgepde_runtime.blocks import Block
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from torch import Tensor, nn

from .layer import HLinear
from .rebuild import Piece, Replaced, fresh, held, rebuild

Array = NDArray[np.float64]
TRIES, HALVINGS = 6, 60


@final
@dataclass(frozen=True, eq=False)
class Truncated:
    """errors: per block of the layer as it is now |old - new|_F, in float64, of the numbers stored; error: of all."""

    numbers: tuple[int, int]
    errors: tuple[float, ...]
    replaced: Replaced

    @property
    def error(self) -> float:
        """|A - A'|_F; blocks do not overlap, so squares add."""
        return math.hypot(*self.errors)


def block_penalty(module: nn.Module) -> Tensor:
    """Sum over low-rank blocks of every HLinear in the module of 1/2 (|U|_F^2 + |V|_F^2) >= |U V^T|_*."""
    layers = [layer for layer in module.modules() if isinstance(layer, HLinear)]
    if not layers:
        raise InputError("block_penalty: expected an HLinear in the module, got none")
    parts = [
        factor.square().sum()
        for layer in layers
        for place, block in enumerate(layer.layout.blocks)
        if block.rank
        for factor in layer.factors(place)
    ]
    return 0.5 * torch.stack(parts).sum() if parts else layers[0].right.sum() * 0.0


def truncate(layer: HLinear, tolerance: float, only: Sequence[int] | None = None) -> Truncated:
    """Lower the ranks, in place, with |A - A'|_F <= tolerance, the error spread so that most numbers are saved.

    Every block takes the option that minimises numbers + lambda error^2 (itself, or rank 0, 1, ... of its singular
    values; a dense block too), with the least lambda that keeps the tolerance. only: places of the blocks that
    may change. Blocks that do not change keep their numbers bit for bit. Raises InputError for a tolerance below 0.
    """
    if not (math.isfinite(tolerance) and tolerance >= 0.0):
        raise InputError(f"truncate: tolerance: expected a finite number of at least 0, got {tolerance}")
    before, places = layer.numbers, range(len(layer.layout.blocks))
    may = set(places if only is None else only)
    options = {p: Options.of(layer, p) for p in places if p in may}
    aim = tolerance
    for _ in range(TRIES):
        ranks = _chosen(options, aim)
        pieces = [options[p].piece(ranks[p]) if p in ranks else held(layer, p) for p in places]
        errors = [_lost(layer, p, piece) if p in ranks else 0.0 for p, piece in enumerate(pieces)]
        if math.hypot(*errors) <= tolerance:
            break
        aim *= 0.9 * tolerance / math.hypot(*errors)
    else:
        pieces, errors = [held(layer, p) for p in places], [0.0 for _ in places]
    order = sorted(places, key=lambda p: (pieces[p].block.rows, pieces[p].block.columns))
    return Truncated(
        (before, sum(p.block.numbers for p in pieces)), tuple(errors[p] for p in order), rebuild(layer, pieces)
    )


@final
@dataclass(frozen=True, eq=False)
class Options:
    """What a block of [p, q] can become: rank r at r (p + q) numbers, losing tails[r] in Frobenius norm."""

    block: Block
    U: Tensor
    S: Tensor
    V: Tensor
    tails: Array
    kind: torch.dtype

    @classmethod
    def of(cls, layer: HLinear, place: int) -> Options:
        """The options of a block of the layer."""
        values = layer.block(place).detach()
        return cls.of_values(layer.layout.blocks[place], values.double(), values.dtype)

    @classmethod
    def of_values(cls, block: Block, values: Tensor, kind: torch.dtype) -> Options:
        """The options of a block that holds values [p, q]."""
        U, S, V = torch.linalg.svd(values, full_matrices=False)
        squares = np.concatenate([S.cpu().numpy()[::-1] ** 2, [0.0]])
        tails = np.sqrt(np.concatenate([[0.0], np.cumsum(squares[:-1])]))[::-1]
        return cls(block, U, S, V.T, tails, kind)

    def piece(self, rank: int) -> Piece:
        """The block at a rank, its factors equally large."""
        root = self.S[:rank].sqrt()
        factors = ((side[:, :rank] * root).to(self.kind) for side in (self.U, self.V))
        return fresh(Block(self.block.rows, self.block.columns, rank), tuple(factors))


def _chosen(options: dict[int, Options], tolerance: float) -> dict[int, int]:
    """Ranks of the blocks that change, errors together within the tolerance; log lambda is bisected."""
    if not options:
        return {}
    most = max(len(o.tails) for o in options.values())
    numbers, errors = np.full((len(options), most), np.inf), np.zeros((len(options), most))
    for i, o in enumerate(options.values()):
        errors[i, : len(o.tails)] = o.tails**2
        numbers[i, : len(o.tails)] = np.arange(len(o.tails)) * (o.U.shape[0] + o.V.shape[0])
    own, every = np.array([o.block.numbers for o in options.values()]), np.arange(len(options))
    numbers[numbers >= own[:, None]] = np.inf
    low, high, found = -300.0, 300.0, np.full(len(options), most)
    for _ in range(HALVINGS):
        cost = numbers + math.exp(0.5 * (low + high)) * errors
        best = cost.argmin(axis=1)
        changes = cost[every, best] < own
        if math.sqrt((errors[every, best] * changes).sum()) <= tolerance:
            high, found = 0.5 * (low + high), np.where(changes, best, most)
        else:
            low = 0.5 * (low + high)
    return {place: int(rank) for place, rank in zip(options, found, strict=True) if rank < most}


def _lost(layer: HLinear, place: int, piece: Piece) -> float:
    left, right = (factor.double() for factor in piece.factors)
    before = [factor.detach().double() for factor in layer.factors(place)]
    whole = before[0] if len(before) == 1 else before[0] @ before[1].T
    return float(torch.linalg.norm(whole - left @ right.T))
