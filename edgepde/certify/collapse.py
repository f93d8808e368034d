"""A network without nonlinear nodes as one matrix, and how far floating point may have moved that matrix.

Every vector is M x + b of the input x, M [w, d] computed in float64. With |x| <= size, `slack` bounds what M and b as
computed miss of the exact ones, |(M' - M) x + b' - b| <= slack, and `most` bounds sum_j |M'_ij| size_j + |b'_i|. For
y = W v + c a sum of k products in any order errs by gamma(k) times the sum of their sizes, entry by entry, so

    slack_y = |W| slack_v + gamma(k + 4) (|W| most_v + |c|),   most_y = (|W| most_v + |c|) (1 + gamma(k + 4))

Entries that are only moved, and products of matrices with a selection, are exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import torch
from edgepde_runtime.blocks import PackedBlocks
from torch import Tensor

from . import network as nw
from .network import Network
from .rules._enclosure import gamma

TINY = 1e-280


@final
@dataclass(frozen=True, eq=False)
class Map:
    """matrix [w, d], or entries [w] of the input where it is None; bias, slack, most [w]."""

    matrix: Tensor | None
    entries: Tensor
    bias: Tensor
    slack: Tensor
    most: Tensor

    def dense(self, width: int) -> Tensor:
        """The matrix [w, d], written out."""
        if self.matrix is not None:
            return self.matrix
        made = self.bias.new_zeros(len(self.bias), width)
        made[torch.arange(len(self.bias), device=made.device), self.entries] = 1.0
        return made


def linear(net: Network) -> bool:
    """Whether no node is nonlinear."""
    return not any(isinstance(node, nw.Pointwise | nw.Product) for node in net.nodes)


def collapsed(net: Network, size: Tensor) -> Map:
    """The whole network for inputs |x| <= size [d]."""
    none = torch.zeros_like(size)
    entries = torch.arange(len(size), device=size.device)
    made = [Map(None, entries, none, none, size)]
    last = {s: place for place, node in enumerate(net.nodes) for s in node.sources}
    for place, node in enumerate(net.nodes[1:], start=1):
        made.append(_step(node, [made[s] for s in node.sources], len(size)))
        for source in set(node.sources):
            if last[source] == place:
                made[source] = replace(made[source], matrix=None)
    return made[-1]


def _step(node: nw.Node, given: list[Map], width: int) -> Map:  # noqa: PLR0911 - one line per kind of node
    v = given[0]
    if isinstance(node, nw.Affine):
        return _mapped(node, v, width)
    if isinstance(node, nw.Blocks):
        return _blocks(node, v, width)
    if isinstance(node, nw.Scale):
        return _scaled(node, v, width)
    if isinstance(node, nw.Structured):
        return _structured(node, v, width)
    if isinstance(node, nw.Gather):
        i = node.index
        return Map(None if v.matrix is None else v.matrix[i], v.entries[i], v.bias[i], v.slack[i], v.most[i])
    bias, slack, most, entries = ([getattr(h, name) for h in given] for name in ("bias", "slack", "most", "entries"))
    if isinstance(node, nw.Concat):
        moved = all(h.matrix is None for h in given)
        matrix = None if moved else torch.cat([h.dense(width) for h in given])
        return Map(matrix, torch.cat(entries), torch.cat(bias), torch.cat(slack), torch.cat(most))
    assert isinstance(node, nw.Sum)
    total, off = torch.stack(most).sum(dim=0), torch.stack(slack).sum(dim=0)
    matrix = given[0].dense(width)
    for h in given[1:]:
        matrix = matrix + h.dense(width)
    return _made(matrix, torch.stack(bias).sum(dim=0), off, total, len(given))


def _made(matrix: Tensor, bias: Tensor, slack: Tensor, most: Tensor, terms: int) -> Map:
    """What sums of `terms` numbers made, with what they may miss added to slack."""
    grown = gamma(terms + 4)
    none = torch.zeros(len(bias), dtype=torch.int64, device=bias.device)
    return Map(matrix, none, bias, (slack + grown * most + TINY) * (1.0 + grown), most * (1.0 + grown) + TINY)


def _mapped(node: nw.Affine, v: Map, width: int) -> Map:
    weight = node.weight
    if v.matrix is None:
        matrix, exact = _placed(weight, v.entries, width)
    else:
        matrix, exact = weight @ v.matrix, False
    terms = weight.shape[1]
    if exact:
        most = (weight.abs() @ v.most + node.bias.abs()) * (1.0 + gamma(terms + 4))
        none = torch.zeros(len(node.bias), dtype=torch.int64, device=weight.device)
        return Map(matrix, none, node.bias, torch.zeros_like(node.bias), most)
    size = weight.abs()
    bias = weight @ v.bias + node.bias
    return _made(matrix, bias, size @ v.slack, size @ v.most + node.bias.abs(), terms)


def _placed(weight: Tensor, entries: Tensor, width: int) -> tuple[Tensor, bool]:
    """weight [m, n] with its columns at those entries, and whether nothing was added up."""
    if len(entries) == width and bool((entries == torch.arange(width, device=entries.device)).all()):
        return weight, True
    made = weight.new_zeros(len(weight), width)
    made.index_add_(1, entries, weight)
    return made, len(torch.unique(entries)) == len(entries)


def _blocks(node: nw.Blocks, v: Map, width: int) -> Map:
    bias, slack, most = node.bias, torch.zeros_like(node.bias), node.bias.abs()
    total: Tensor | None = None
    terms, repeated = len(node.parts), len(v.entries) - len(torch.unique(v.entries))
    for part in node.parts:
        whole = torch.from_numpy(part.dense()).to(bias)
        made = _placed(whole, v.entries, width)[0] if v.matrix is None else whole @ v.matrix
        total = made if total is None else total.add_(made)
        bias = bias + whole @ v.bias
        terms += 2 * part.most_read + (repeated if v.matrix is None else whole.shape[1])
        slack, most = slack + _absolute(part, v.slack), most + _absolute(part, v.most)
    assert total is not None
    return _made(total, bias, slack, most, terms)


def _structured(node: nw.Structured, v: Map, width: int) -> Map:
    matrix = node.times(v.dense(width).T).T
    bias = node.times(v.bias[None])[0] + node.shift
    slack, most = node.absolute(torch.stack([v.slack, v.most]))
    return _made(matrix, bias, slack, most + node.shift.abs(), node.terms)


def _scaled(node: nw.Scale, v: Map, width: int) -> Map:
    size = node.weight.abs()
    matrix = v.dense(width)
    if bool((node.weight != 1.0).any()):
        matrix = matrix * node.weight[:, None]
    bias = v.bias * node.weight + node.bias
    return _made(matrix, bias, size * v.slack, size * v.most + node.bias.abs(), 1)


def _absolute(part: PackedBlocks, v: Tensor) -> Tensor:
    """|L| concat(|R| v, v) for v >= 0."""
    return torch.from_numpy(part.absolute(v.cpu().numpy())).to(v)
