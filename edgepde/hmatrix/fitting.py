"""A block against its reference: the fewest further numbers that bring its error within its tolerance."""

from __future__ import annotations

import numpy as np
import torch
from edgepde_runtime.blocks import Block
from torch import Tensor

from .clusters import Range
from .growing import Growth, quarters, widened
from .penalty import Options
from .rebuild import Piece, fresh


def fitted(piece: Piece, reference: Tensor, tolerance: float, leaf: int) -> Growth:
    """The cheapest of a higher rank, a split and dense values; reference [p, q] in float64.

    A higher rank keeps the block's factors and adds the leading directions of its residual; a split starts from the
    reference, each quarter at its share of the tolerance, and goes on where that is cheaper.
    """
    residual = reference - piece.factors[0].double() @ piece.factors[1].double().T
    kind, lost = piece.factors[0].dtype, float(residual.square().sum())
    rises = Options.of_values(piece.block, residual, kind)
    more = _rank(rises, tolerance)
    raised = widened(piece, *rises.piece(more).factors)
    pieces: tuple[Piece, ...] = (raised,)
    name, least = "rank", raised.block.numbers
    p, q = reference.shape
    if least >= p * q or raised.block.rank == min(p, q):
        name, pieces, least = "dense", (_whole(piece.block, reference, kind),), p * q
    children = _children(piece.block, reference, tolerance, leaf, kind)
    if children and sum(child.block.numbers for child in children) < least:
        name, pieces = "split", tuple(children)
    after = sum(_error(child, piece.block, reference) for child in pieces)
    return Growth(name, pieces, lost - after, sum(child.block.numbers for child in pieces) - piece.block.numbers)


def _children(block: Block, reference: Tensor, tolerance: float, leaf: int, kind: torch.dtype) -> list[Piece]:
    made: list[Piece] = []
    for rows, columns in quarters(block, leaf):
        inside = _inside(block, rows, columns, reference)
        share = (inside.numel() / reference.numel()) ** 0.5
        made += _cheapest(Block(rows, columns, None), inside, tolerance * share, leaf, kind)
    return made


def _cheapest(block: Block, reference: Tensor, tolerance: float, leaf: int, kind: torch.dtype) -> list[Piece]:
    """Low rank, dense or split, whichever holds the fewest numbers."""
    options = Options.of_values(block, reference, kind)
    rank = _rank(options, tolerance)
    best = [_whole(block, reference, kind)]
    if rank * sum(reference.shape) < block.numbers:
        best = [options.piece(rank)]
    if rank > 1:
        children = _children(block, reference, tolerance, leaf, kind)
        if children and sum(c.block.numbers for c in children) < sum(b.block.numbers for b in best):
            return children
    return best


def _rank(options: Options, tolerance: float) -> int:
    """The least rank whose remainder is within the tolerance, with room for rounding."""
    return int(np.argmax(options.tails <= 0.99 * tolerance)) if tolerance > 0 else len(options.tails) - 1


def _whole(block: Block, values: Tensor, kind: torch.dtype) -> Piece:
    return fresh(Block(block.rows, block.columns, None), (values.to(kind),))


def _inside(block: Block, rows: Range, columns: Range, values: Tensor) -> Tensor:
    (a, _), (c, _) = block.rows, block.columns
    return values[rows[0] - a : rows[1] - a, columns[0] - c : columns[1] - c]


def _error(piece: Piece, block: Block, reference: Tensor) -> float:
    held = [factor.double() for factor in piece.factors]
    whole = held[0] if len(held) == 1 else held[0] @ held[1].T
    return float((_inside(block, piece.block.rows, piece.block.columns, reference) - whole).square().sum())
