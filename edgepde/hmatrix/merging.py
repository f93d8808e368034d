"""Four blocks that together are of low rank become one again."""

from __future__ import annotations

import math

import torch
from edgepde_runtime.blocks import Block

from .clusters import Range, in_order
from .layer import HLinear
from .penalty import Options
from .rebuild import Piece, Replaced, held, rebuild

Corner = tuple[int, int]
Place = tuple[Range, Range]


def merge(layer: HLinear, tolerance: float, keep: frozenset[Place] = frozenset()) -> tuple[float, Replaced | None]:
    """Merge four children where one block of low rank holds fewer numbers; returns |A - A'|_F <= tolerance.

    Every merger may take a share of the tolerance as large as its block's share of the matrix. keep: (rows, columns)
    of blocks that stay. Levels are merged once per call, from small blocks up.
    """
    places = {(b.rows[0], b.columns[0]): i for i, b in enumerate(layer.layout.blocks)}
    rows, columns = _clusters(layer.out_features), _clusters(layer.in_features)
    merged: dict[int, Piece] = {}
    gone: set[int] = set()
    lost = []
    for place in range(len(layer.layout.blocks)):
        four = _four(layer, place, places, rows, columns)
        if not four or gone & set(four) or any(_at(layer, i) in keep for i in four):
            continue
        share = tolerance * math.sqrt(_area(layer, four) / (layer.in_features * layer.out_features))
        found = _joint(layer, four, share)
        if found is not None:
            merged[place] = found[0]
            gone.update(four)
            lost.append(found[1])
    if not merged:
        return 0.0, None
    stay = [held(layer, i) for i in range(len(layer.layout.blocks)) if i not in gone]
    return math.hypot(*lost), rebuild(layer, [*stay, *merged.values()])


def _joint(layer: HLinear, four: tuple[int, ...], tolerance: float) -> tuple[Piece, float] | None:
    """The four as one block and the error of that, where it is within the tolerance and smaller."""
    with torch.no_grad():
        a, b, c, d = (layer.block(i).double() for i in four)
    whole = torch.cat([torch.cat([a, b], dim=1), torch.cat([c, d], dim=1)])
    blocks = [layer.layout.blocks[i] for i in four]
    outer = Block((blocks[0].rows[0], blocks[3].rows[1]), (blocks[0].columns[0], blocks[3].columns[1]), None)
    options = Options.of_values(outer, whole, layer.right.dtype)
    fits = [rank for rank, tail in enumerate(options.tails) if tail <= 0.99 * tolerance]
    if not fits or fits[0] * sum(whole.shape) >= sum(block.numbers for block in blocks):
        return None
    piece = options.piece(fits[0])
    left, right = (factor.double() for factor in piece.factors)
    error = float(torch.linalg.norm(whole - left @ right.T))
    return (piece, error) if error <= tolerance else None


def _four(
    layer: HLinear, place: int, places: dict[Corner, int], rows: set[Range], columns: set[Range]
) -> tuple[int, ...] | None:
    """The children of one block whose first the block at this place is."""
    first = layer.layout.blocks[place]
    corners = ((first.rows[0], first.columns[1]), (first.rows[1], first.columns[0]), (first.rows[1], first.columns[1]))
    if any(corner not in places for corner in corners):
        return None
    four = (place, *(places[corner] for corner in corners))
    _, right, below, last = (layer.layout.blocks[i] for i in four)
    tiled = right.rows == first.rows and below.columns == first.columns
    tiled = tiled and last.rows == below.rows and last.columns == right.columns
    siblings = (first.rows[0], below.rows[1]) in rows and (first.columns[0], right.columns[1]) in columns
    halves = {first.rows, below.rows} <= rows and {first.columns, right.columns} <= columns
    return four if tiled and siblings and halves else None


def _clusters(size: int) -> set[Range]:
    return {cluster.range for cluster in in_order(size, 1).root.walk()}


def _at(layer: HLinear, place: int) -> Place:
    block = layer.layout.blocks[place]
    return block.rows, block.columns


def _area(layer: HLinear, four: tuple[int, ...]) -> int:
    blocks = [layer.layout.blocks[i] for i in four]
    return (blocks[3].rows[1] - blocks[0].rows[0]) * (blocks[3].columns[1] - blocks[0].columns[0])
