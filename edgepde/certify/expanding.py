"""Linear maps of other forms as affine maps that the engine knows: the same function, with the device's order of sums.

Block low-rank maps, exactly:

y = L concat(R x, x): R [T, n] the right factors, L [m, T + n] the left factors and the dense blocks. Every entry of R
and L is a stored number. What the op adds in groups is kept as `groups` of the affine maps, for rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import torch
from edgepde_runtime.blocks import PackedBlocks
from numpy.typing import NDArray
from torch import Tensor

from .network import Affine, Blocks, Concat, Gather, Group, Network, Node, Pointwise, Product, Scale, Structured, Sum

LARGEST, MANY, MOST, COLLAPSED = 1 << 20, 256, 2048, 1 << 24
Write = Callable[[list[Node], PackedBlocks, int], int]


def expanded(net: Network) -> Network:
    """The network with every Blocks written as Affine, Concat, Affine, and Sum and Scale for parts and bias."""
    return _rewritten(unrolled(net), _part)


def wide(net: Network) -> bool:
    """Whether a network is for forward.py: too many outputs for adjoints, or linear maps too large to write out."""
    structured = [node for node in net.nodes if isinstance(node, Structured)]
    if not any(isinstance(node, Pointwise | Product) for node in net.nodes):
        return bool(structured) and net.outputs * net.dimension > COLLAPSED
    if any(math.prod(node.shape_in) * math.prod(node.shape_out) > LARGEST for node in structured):
        return True
    return net.outputs > (MANY if structured else MOST)


def unrolled(net: Network) -> Network:
    """The network with every Structured node written out as Affine."""
    if not any(isinstance(node, Structured) for node in net.nodes):
        return net
    return Network(tuple(_written(node) if isinstance(node, Structured) else node for node in net.nodes))


def _written(node: Structured) -> Affine:
    """Every entry of the matrix is a stored number or 0: a product with 1, sums with 0."""
    unit = torch.eye(math.prod(node.shape_in), dtype=torch.float64, device=node.shift.device)
    weight = node.times(unit).T.contiguous()
    return Affine(node.sources, weight, node.shift, chained=False, terms=node.terms, computed=node.computed)


def expanded_blocks(net: Network) -> Network:
    """The network with every Blocks written as in `expanded`, Structured nodes as they are."""
    return _rewritten(net, _part)


def parted(net: Network) -> Network:
    """The network with every Blocks of one part and without bias; Sum and Scale add what there is more."""
    return _rewritten(unrolled(net), _alone)


def _rewritten(net: Network, write: Write) -> Network:
    if not any(isinstance(node, Blocks) for node in net.nodes):
        return net
    nodes: list[Node] = []
    places: list[int] = []
    for node in net.nodes:
        moved: Node = replace(node, sources=tuple(places[s] for s in node.sources))  # type: ignore[type-var]
        if isinstance(moved, Blocks):
            _write(nodes, moved, write)
        else:
            nodes.append(moved)
        places.append(len(nodes) - 1)
    return Network(tuple(nodes))


def factors(part: PackedBlocks) -> tuple[Affine | None, Affine, NDArray[np.int64] | None]:
    """(R, L, entries): L reads the entries of concat(R x, x), all where None; R None where there are no ranks.

    Sources are places 0 still to be set. Entries only where groups of rows share an entry of the matrix: each group
    then has columns of its own, so that no two numbers are added here.
    """
    thin = None
    if part.ranks:
        sums = [
            Group((first, first + factor.shape[1]), torch.arange(start, start + factor.shape[0]))
            for start, first, factor in part.right_factors()
            if factor.size
        ]
        thin = Affine((0,), torch.from_numpy(part.thin()), _none(part.ranks), groups=tuple(sums))
    apart = _shared(part)
    reads, read = [], 0
    for start, index, factor in part.left_factors():
        columns = np.arange(read, read + len(index)) if apart else index
        reads.append((start, columns, factor))
        read += len(index)
    wide = np.zeros((part.rows, len(part.index) if apart else part.ranks + part.columns))
    for start, columns, factor in reads:
        wide[start : start + factor.shape[1], columns] = factor.T
    groups = tuple(
        Group((start, start + factor.shape[1]), torch.from_numpy(np.array(columns)))
        for start, columns, factor in reads
        if factor.size
    )
    left = Affine((0,), torch.from_numpy(wide), _none(part.rows), groups=groups)
    return thin, left, part.index if apart else None


def _write(nodes: list[Node], node: Blocks, write: Write) -> None:
    """Appends what the node stands for."""
    source, total = node.sources[0], -1
    for part in node.parts:
        place = write(nodes, part, source)
        if total >= 0:
            nodes.append(Sum((total, place)))
        total = len(nodes) - 1
    if bool(node.bias.any()):
        nodes.append(Scale((total,), torch.ones_like(node.bias), node.bias))


def _alone(nodes: list[Node], part: PackedBlocks, source: int) -> int:
    nodes.append(Blocks((source,), (part,), _none(part.rows)))
    return len(nodes) - 1


def _part(nodes: list[Node], part: PackedBlocks, source: int) -> int:
    thin, wide, entries = factors(part)
    if thin is not None:
        nodes.append(replace(thin, sources=(source,)))
        nodes.append(Concat((len(nodes) - 1, source)))
        source = len(nodes) - 1
    if entries is not None:
        nodes.append(Gather((source,), torch.from_numpy(entries.copy())))
        source = len(nodes) - 1
    nodes.append(replace(wide, sources=(source,)))
    return len(nodes) - 1


def _none(count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.float64)


def _shared(part: PackedBlocks) -> bool:
    """Whether an entry of L is in two groups of rows, or twice in one."""
    reads = [(start, start + size.shape[1], index) for start, index, size in part.left_factors() if size.size]
    edges = sorted({edge for start, stop, _ in reads for edge in (start, stop)})
    return any(_repeated(index for start, stop, index in reads if start <= edge < stop) for edge in edges)


def _repeated(indices: Iterable[NDArray[np.int64]]) -> bool:
    found = list(indices)
    whole = np.concatenate(found) if found else np.zeros(0, np.int64)
    return len(np.unique(whole)) < len(whole)


def added(groups: Iterable[Group], rows: int, chunk: int | None) -> Tensor:
    """How many roundings lie between a term and the sum it is in, at most, per row [m].

    In chunks of `chunk` terms, sums of chunks and then of groups added in order; None: any order of all terms.
    """
    most = torch.zeros(rows, dtype=torch.float64)
    longest = torch.zeros(rows, dtype=torch.float64)
    for group in groups:
        terms = len(group.columns)
        rest = slice(*group.rows)
        most[rest] += terms if chunk is None else -(-terms // chunk)
        longest[rest] = longest[rest].clamp(min=0.0 if chunk is None else float(min(terms, chunk)))
    return most + longest
