"""New blocks for a layer, and what an optimizer remembers of the numbers that stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from edgepde_runtime.blocks import Block
from torch import Tensor, nn

from .layer import HLinear
from .layout import Layout

SQUARES = ("exp_avg_sq", "max_exp_avg_sq", "square_avg", "sum")
NEW = -1


@final
@dataclass(frozen=True, eq=False)
class Piece:
    """A block to come: its factors, and for every number its position in the old flat factor, or -1 where it is new."""

    block: Block
    factors: tuple[Tensor, ...]
    sources: tuple[Tensor, ...]


@final
@dataclass(frozen=True, eq=False)
class Replaced:
    """Parameters of a layer that became others: per pair (old, new) the positions [new's size] in old, or -1."""

    pairs: tuple[tuple[nn.Parameter, nn.Parameter, Tensor], ...]

    def carry(self, optimizer: torch.optim.Optimizer) -> None:
        """Let the optimizer go on with the new parameters: what it remembers moves along with the numbers that stay.

        Of new numbers it remembers nothing, of their squared gradients the mean of the others, so that the first steps
        are not too large.

        >>> import torch
        >>> from edgepde.hmatrix.layer import HLinear
        >>> from edgepde.hmatrix.penalty import truncate
        >>> layer = HLinear(64, 64, rank=8)
        >>> optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
        >>> layer(torch.randn(10, 64)).square().mean().backward()
        >>> optimizer.step()
        >>> truncate(layer, 1.0).replaced.carry(optimizer)
        >>> [p is q for p, q in zip(optimizer.param_groups[0]["params"], layer.parameters())]
        [True, True, True]
        >>> optimizer.state[layer.right]["exp_avg"].shape == layer.right.shape
        True
        """
        for old, new, source in self.pairs:
            for group in optimizer.param_groups:
                group["params"] = [new if p is old else p for p in group["params"]]
            state = optimizer.state.pop(old, None)
            if state:
                optimizer.state[new] = {key: _moved(key, value, old, source) for key, value in state.items()}


def held(layer: HLinear, place: int) -> Piece:
    """A block of the layer as it is."""
    layout, block = layer.layout, layer.layout.blocks[place]
    factors = tuple(factor.detach().clone() for factor in layer.factors(place))
    if block.rank == 0:
        return Piece(block, factors, tuple(torch.zeros_like(f, dtype=torch.int64) for f in factors))
    sources = [layout.left_spots[place].view(torch.arange(layer.left.numel(), device=layer.left.device)).T]
    if block.rank is not None:
        sources.append(layout.right_spots[place].view(torch.arange(layer.right.numel(), device=layer.left.device)))
    return Piece(block, factors, tuple(sources))


def fresh(block: Block, factors: Sequence[Tensor]) -> Piece:
    """A block of new numbers."""
    sources = tuple(torch.full(f.shape, NEW, dtype=torch.int64, device=f.device) for f in factors)
    return Piece(block, tuple(factors), sources)


def rebuild(layer: HLinear, pieces: Sequence[Piece]) -> Replaced:
    """Give the layer these blocks, in the order of their rows and columns; its parameters are new objects."""
    pieces = sorted(pieces, key=lambda piece: (piece.block.rows, piece.block.columns))
    old = layer.right, layer.left
    layer.arrange(Layout(layer.out_features, layer.in_features, tuple(piece.block for piece in pieces)))
    sources = tuple(torch.full_like(new, NEW, dtype=torch.int64) for new in (layer.right, layer.left))
    with torch.no_grad():
        for place, piece in enumerate(pieces):
            for factor, values in zip(layer.factors(place), piece.factors, strict=True):
                factor.copy_(values)
            if piece.block.rank == 0:
                continue
            layer.layout.left_spots[place].view(sources[1]).T.copy_(piece.sources[0])
            if piece.block.rank is not None:
                layer.layout.right_spots[place].view(sources[0]).copy_(piece.sources[1])
    return Replaced(tuple(zip(old, (layer.right, layer.left), sources, strict=True)))


def _moved(key: str, value: object, old: nn.Parameter, source: Tensor) -> object:
    """A remembered tensor of the old parameter's shape, for the new one."""
    if not isinstance(value, Tensor) or value.shape != old.shape:
        return value
    rest = float(value.mean()) if key in SQUARES and value.numel() else 0.0
    made = torch.full(source.shape, rest, dtype=value.dtype, device=value.device)
    kept = source != NEW
    made[kept] = value[source[kept]]
    return made
