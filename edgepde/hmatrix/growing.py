"""How a block may grow: a higher rank, four smaller blocks, or dense values, each with what it gains per number.

Without a reference the gain is what of the loss's slope G by the block's entries the new form can follow and the old
one cannot: the tangent space of U V^T holds no (1 - P_U) G (1 - P_V), P the projections onto the columns of U and V.
Growing leaves the block's values as they are. With a reference the gain is the squared residual that goes away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from edgepde_runtime.blocks import Block
from torch import Tensor

from .clusters import Range
from .rebuild import NEW, Piece, fresh

LONG = 2


@final
@dataclass(frozen=True, eq=False)
class Growth:
    """What a block would become; gain: squared error it takes away; cost: numbers more."""

    kind: str
    pieces: tuple[Piece, ...]
    gain: float
    cost: int

    @property
    def worth(self) -> float:
        """Gain per number; something for nothing is worth most."""
        return self.gain / self.cost if self.cost > 0 else float("inf")


def outside(slope: Tensor, factors: Sequence[Tensor]) -> Tensor:
    """(1 - P_U) G (1 - P_V) [p, q]: what no change of the factors follows; nothing where the block is dense."""
    if len(factors) == 1:
        return torch.zeros_like(slope)
    left, right = (_basis(factor.double()) for factor in factors)
    rest = slope - left @ (left.T @ slope)
    return rest - (rest @ right) @ right.T


def followed(piece: Piece, slope: Tensor, step: int, leaf: int) -> list[Growth]:
    """Ways to grow a low-rank block along the loss's slope G [p, q], its values unchanged."""
    rest = outside(slope, piece.factors)
    total = float(rest.square().sum())
    made = [_raised(piece, rest, step), _dense(piece, total), _split(piece, slope, total, leaf)]
    return [growth for growth in made if growth is not None]


def halves(span: Range) -> tuple[Range, Range]:
    """The two halves of a cluster, as cluster trees divide."""
    middle = span[0] + (span[1] - span[0] + 1) // 2
    return (span[0], middle), (middle, span[1])


def quarters(block: Block, leaf: int) -> list[tuple[Range, Range]]:
    """Where the children of a block lie: both sides halved, only the longer where it is more than twice as long."""
    heights, widths = _size(block.rows), _size(block.columns)
    rows = halves(block.rows) if heights > leaf else (block.rows,)
    columns = halves(block.columns) if widths > leaf else (block.columns,)
    if heights > LONG * widths and heights > leaf:
        columns = (block.columns,)
    elif widths > LONG * heights and widths > leaf:
        rows = (block.rows,)
    made = [(r, c) for r in rows for c in columns]
    return made if len(made) > 1 else []


def part(piece: Piece, rows: Range, columns: Range) -> Piece:
    """The piece's values on some of its rows and columns; dense where the rank is then no gain."""
    (a, _), (c, _) = piece.block.rows, piece.block.columns
    down, across = slice(rows[0] - a, rows[1] - a), slice(columns[0] - c, columns[1] - c)
    left, right = piece.factors[0][down], piece.factors[1][across]
    sources = (piece.sources[0][down], piece.sources[1][across])
    rank = left.shape[1]
    if rank * (_size(rows) + _size(columns)) >= _size(rows) * _size(columns):
        return fresh(Block(rows, columns, None), (left @ right.T,))
    return Piece(Block(rows, columns, rank), (left, right), sources)


def widened(piece: Piece, left: Tensor, right: Tensor) -> Piece:
    """The block with further columns left [p, g] and right [q, g]."""
    pairs = list(zip(piece.factors, (left, right), strict=True))
    rank = piece.factors[0].shape[1] + left.shape[1]
    new = [torch.full(more.shape, NEW, dtype=torch.int64, device=more.device) for _, more in pairs]
    return Piece(
        Block(piece.block.rows, piece.block.columns, rank),
        tuple(torch.cat([old, more.to(old.dtype)], dim=1) for old, more in pairs),
        tuple(torch.cat([old, more], dim=1) for old, more in zip(piece.sources, new, strict=True)),
    )


def _raised(piece: Piece, rest: Tensor, step: int) -> Growth | None:
    """New right factors are the leading directions, as large as those there are; new left factors are 0."""
    p, q = rest.shape
    rank = piece.factors[0].shape[1]
    more = min(step, min(p, q) - rank, (p * q - 1) // (p + q) - rank)
    if more <= 0:
        return None
    _, S, V = torch.linalg.svd(rest, full_matrices=False)
    large = float(piece.factors[1].double().square().sum(dim=0).mean().sqrt()) if rank else 1.0
    pieces = (widened(piece, rest.new_zeros(p, more), V[:more].T * (large or 1.0)),)
    return Growth("rank", pieces, float(S[:more].square().sum()), more * (p + q))


def _split(piece: Piece, slope: Tensor, total: float, leaf: int) -> Growth | None:
    (a, _), (c, _) = piece.block.rows, piece.block.columns
    children = [part(piece, rows, columns) for rows, columns in quarters(piece.block, leaf)]
    if not children:
        return None
    left = 0.0
    for child in children:
        rows, columns = child.block.rows, child.block.columns
        inside = slope[rows[0] - a : rows[1] - a, columns[0] - c : columns[1] - c]
        left += float(outside(inside, child.factors).square().sum())
    cost = sum(child.block.numbers for child in children) - piece.block.numbers
    return Growth("split", tuple(children), total - left, cost)


def _dense(piece: Piece, total: float) -> Growth:
    block = Block(piece.block.rows, piece.block.columns, None)
    values = piece.factors[0] @ piece.factors[1].T
    return Growth("dense", (fresh(block, (values,)),), total, block.numbers - piece.block.numbers)


def _basis(factor: Tensor) -> Tensor:
    """Orthonormal columns that span the factor's."""
    if not factor.shape[1]:
        return factor
    U, S, _ = torch.linalg.svd(factor, full_matrices=False)
    return U[:, S[0] * 1e-12 < S] if float(S[0]) > 0 else U[:, :0]


def frobenius(values: Tensor) -> float:
    """|A|_F in float64."""
    return float(torch.linalg.norm(values.detach().double()))


def _size(span: Range) -> int:
    return span[1] - span[0]
