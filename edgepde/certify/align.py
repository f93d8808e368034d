"""Giving a smaller network the structure of a larger one, so that their difference can be followed layer by layer."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from .layering import Layer, layers
from .network import Affine, Input, Network, Node, Pointwise

NEAR = 0.1


def aligned(f: Network, g: Network, points: Tensor) -> Network | None:
    """g with the widths of f, equal to g everywhere: its neurons in the places of f's that are most alike at points.

    Places without a neuron of g get f's own (virtual) ones, which nothing of g reads: their columns are zero. None
    where one of them is no chain of affine maps and pointwise functions, or g is wider or has more nodes.
    """
    made = paired(f, g, points)
    return made[1] if made is not None and made[0] is f else None


def paired(f: Network, g: Network, points: Tensor) -> tuple[Network, Network] | None:
    """f and g in one structure, each equal to itself everywhere, as `aligned`; both may be layers of two steps.

    Where f has y = W h + b and g has y = U (V h + c) + d, both get the vector [V h + c; h], of which f reads the second
    part and g the first. Matrices in blocks and permutations around them are such layers (layering.py).
    """
    if f.outputs != g.outputs or f.dimension != g.dimension:
        return None
    left, right = layers(f), layers(g)
    if left is None or right is None or len(left) != len(right):
        return None
    pair = _Pair(f, points)
    pair.changed = not _chain(f)
    for place, (a, b) in enumerate(zip(left, right, strict=True)):
        if not pair.take(a, b, last=place == len(left) - 1):
            return None
    return (Network(tuple(pair.f)) if pair.changed else f), Network(tuple(pair.g))


class _Pair:
    """The nodes of both so far, their values at points, and the places of g's neurons among f's."""

    def __init__(self, f: Network, points: Tensor) -> None:
        self.f: list[Node] = [f.nodes[0]]
        self.g: list[Node] = [f.nodes[0]]
        self.h_f = self.h_g = points
        self.kept = torch.arange(f.dimension, device=points.device)
        self.changed = False

    def take(self, a: Layer | Pointwise, b: Layer | Pointwise, *, last: bool) -> bool:
        """One step of both; False where they have no common form."""
        if isinstance(a, Pointwise) and isinstance(b, Pointwise):
            if (a.function, a.exponent) != (b.function, b.exponent):
                return False
            self._append(replace(a, sources=self._source()), replace(b, sources=self._source()))
            self.h_f, self.h_g = _applied(a, self.h_f), _applied(b, self.h_g)
            return True
        if not (isinstance(a, Layer) and isinstance(b, Layer)) or len(b.bias) > len(a.bias):
            return False
        h_f, h_g = a(self.h_f), b(self.h_g)
        first, second, places = self._first_steps(a, b)
        alike = torch.arange(len(b.bias), device=h_f.device)
        rows = alike if last else _matched(torch.tanh(h_f), torch.tanh(h_g))
        source = self._source()
        self._append(replace(first, sources=source), replace(_padded(first, second, rows, places), sources=source))
        self.kept, self.h_f, self.h_g = rows, h_f, h_g
        return True

    def _first_steps(self, a: Layer, b: Layer) -> tuple[Affine, Affine, Tensor]:
        """What is left to do for f and for g once both have made their t; where the columns of g's matrix belong."""
        if not a.rank and not b.rank:
            return Affine((0,), a.weight, a.bias), Affine((0,), b.weight, b.bias), self.kept
        wide = a.inner.shape[1]
        inner = a.inner.new_zeros(b.rank, wide)
        inner[:, self.kept] = b.inner
        if near := _near(a, inner):
            steps, before = [(a.inner, a.shift), (inner, b.shift)], 0
        else:
            both = torch.cat([a.inner, inner]), torch.cat([a.shift, b.shift])
            steps, before = [both, both], a.rank
        made = [_beside(inner_of, shift, self._source()) for inner_of, shift in steps]
        self._append(made[0], made[1])
        self.changed = True
        count = len(made[0].bias) - wide
        weight = a.weight.new_zeros(len(a.bias), count + wide)
        weight[:, : a.rank] = a.weight[:, : a.rank]
        weight[:, count:] = a.weight[:, a.rank :]
        at = torch.arange(b.rank, device=self.kept.device) + (0 if near else before)
        return Affine((0,), weight, a.bias), Affine((0,), b.weight, b.bias), torch.cat([at, count + self.kept])

    def _append(self, f: Node, g: Node) -> None:
        self.f.append(f)
        self.g.append(g)

    def _source(self) -> tuple[int]:
        return (len(self.f) - 1,)


def _beside(inner: Tensor, shift: Tensor, source: tuple[int]) -> Affine:
    """[V h + c; h]."""
    eye = torch.eye(inner.shape[1], dtype=inner.dtype, device=inner.device)
    return Affine(source, torch.cat([inner, eye]), torch.cat([shift, shift.new_zeros(len(eye))]))


def _near(a: Layer, inner: Tensor) -> bool:
    """Whether the first steps differ so little that they can be followed as a pair."""
    return a.rank == len(inner) and bool((a.inner - inner).norm() <= NEAR * a.inner.norm())


def _chain(net: Network) -> bool:
    """Whether layers() leaves the network as it is."""
    kinds = all(isinstance(n, Affine | Pointwise | Input) for n in net.nodes)
    chained = kinds and all(n.sources == (i,) for i, n in enumerate(net.nodes[1:]))
    return chained and not any(isinstance(a, Affine) and isinstance(b, Affine) for a, b in pairwise(net.nodes))


def _applied(node: Pointwise, h: Tensor) -> Tensor:
    from . import rules

    return rules.function(node.function, node.exponent).value(h)


def _matched(h_f: Tensor, h_g: Tensor) -> Tensor:
    """For every column of h_g a column of h_f of its own, the sum of squared distances least."""
    cost = (h_g**2).mean(dim=0)[:, None] + (h_f**2).mean(dim=0)[None] - 2.0 * (h_g.T @ h_f) / len(h_f)
    _, columns = linear_sum_assignment(torch.nan_to_num(cost, nan=1e300, posinf=1e300).cpu().numpy())
    return torch.as_tensor(columns, device=h_f.device)


def _padded(f: Affine, g: Affine, rows: Tensor, columns: Tensor) -> Affine:
    weight, bias = f.weight.clone(), f.bias.clone()
    weight[rows] = 0.0
    weight[rows[:, None], columns[None, :]] = g.weight
    bias[rows] = g.bias
    return Affine(g.sources, weight, bias)
