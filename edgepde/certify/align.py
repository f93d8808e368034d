"""Giving a smaller network the structure of a larger one, so that their difference can be followed layer by layer."""

from __future__ import annotations

from dataclasses import replace

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from .network import Affine, Input, Network, Node, Pointwise


def aligned(f: Network, g: Network, points: Tensor) -> Network | None:
    """g with the widths of f, equal to g everywhere: its neurons in the places of f's that are most alike at points.

    Places without a neuron of g get f's own (virtual) ones, which nothing of g reads: their columns are zero. None
    where one of them is no chain of affine maps and pointwise functions, or g is wider or has more nodes.
    """
    made = paired(f, g, points)
    return made[1] if made is not None and made[0] is f else None


def paired(f: Network, g: Network, points: Tensor) -> tuple[Network, Network] | None:
    """f and g in one structure, each equal to itself everywhere, as `aligned`; g may have matrices in two factors.

    Where f has y = W h + b and g has y = U (V h + c) + d, both get the vector [V h + c; h], of which f reads the second
    part and g the first.
    """
    if not (_chain(f) and _chain(g)) or f.outputs != g.outputs or f.dimension != g.dimension:
        return None
    pair = _Pair(f, points)
    left, right = list(f.nodes[1:]), list(g.nodes[1:])
    while left and right:
        a, b, factors = left.pop(0), right.pop(0), None
        if isinstance(b, Affine) and right and isinstance(right[0], Affine) and not _twice(a, left):
            factors, b = b, right.pop(0)
        if not pair.take(a, b, factors, last=not left):
            return None
    if left or right:
        return None
    return (Network(tuple(pair.f)) if pair.changed else f), Network(tuple(pair.g))


def _twice(a: Node, left: list[Node]) -> bool:
    return isinstance(a, Affine) and bool(left) and isinstance(left[0], Affine)


class _Pair:
    """The nodes of both so far, their values at points, and the places of g's neurons among f's."""

    def __init__(self, f: Network, points: Tensor) -> None:
        self.f: list[Node] = [f.nodes[0]]
        self.g: list[Node] = [f.nodes[0]]
        self.h_f = self.h_g = points
        self.kept = torch.arange(f.dimension, device=points.device)
        self.changed = False

    def take(self, a: Node, b: Node, factor: Affine | None, *, last: bool) -> bool:
        """One step of both; False where they have no common form."""
        source = (len(self.f) - 1,)
        if isinstance(a, Pointwise) and isinstance(b, Pointwise):
            if (a.function, a.exponent) != (b.function, b.exponent):
                return False
            self.f.append(replace(a, sources=source))
            self.g.append(replace(b, sources=source))
            self.h_f, self.h_g = _applied(a, self.h_f), _applied(b, self.h_g)
            return True
        if not (isinstance(a, Affine) and isinstance(b, Affine)) or len(b.bias) > len(a.bias):
            return False
        if factor is not None:
            a, b = self._factored(a, b, factor)
        self.h_f, self.h_g = _mapped(a, self.h_f), _mapped(b, self.h_g)
        alike = torch.arange(len(b.bias), device=self.h_f.device)
        rows = alike if last else _matched(torch.tanh(self.h_f), torch.tanh(self.h_g))
        source = (len(self.f) - 1,)
        self.f.append(replace(a, sources=source))
        self.g.append(replace(_padded(a, b, rows, self.kept), sources=source))
        self.kept = rows
        return True

    def _factored(self, a: Affine, b: Affine, factor: Affine) -> tuple[Affine, Affine]:
        """Both get [V h + c; h]; what is left to do for f and for g."""
        wide, rank = a.weight.shape[1], len(factor.bias)
        inner = a.weight.new_zeros(rank, wide)
        inner[:, self.kept] = factor.weight
        both = Affine(
            (len(self.f) - 1,),
            torch.cat([inner, torch.eye(wide, dtype=inner.dtype, device=inner.device)]),
            torch.cat([factor.bias, inner.new_zeros(wide)]),
        )
        self.f.append(both)
        self.g.append(both)
        self.changed = True
        self.h_f, self.h_g = _mapped(both, self.h_f), _mapped(factor, self.h_g)
        self.kept = torch.arange(rank, device=inner.device)
        return replace(a, weight=torch.cat([a.weight.new_zeros(len(a.bias), rank), a.weight], dim=1)), b


def _chain(net: Network) -> bool:
    kinds = all(isinstance(n, Affine | Pointwise | Input) for n in net.nodes)
    return kinds and all(n.sources == (i,) for i, n in enumerate(net.nodes[1:])) and isinstance(net.nodes[-1], Affine)


def _mapped(node: Affine, h: Tensor) -> Tensor:
    return h @ node.weight.T + node.bias


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
