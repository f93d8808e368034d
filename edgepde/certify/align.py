"""Giving a smaller network the structure of a larger one, so that their difference can be followed layer by layer."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from .network import Affine, Input, Network, Node, Pointwise


def aligned(f: Network, g: Network, points: Tensor) -> Network | None:
    """g with the widths of f, equal to g everywhere: its neurons in the places of f's that are most alike at points.

    Places without a neuron of g get f's own (virtual) ones, which nothing of g reads: their columns are zero. None
    where one of them is no chain of affine maps and pointwise functions, or g is wider.
    """
    if not (_chain(f) and _chain(g)) or len(f.nodes) != len(g.nodes) or f.outputs != g.outputs:
        return None
    if f.dimension != g.dimension or any(a < b for a, b in zip(f.widths, g.widths, strict=True)):
        return None
    nodes: list[Node] = [g.nodes[0]]
    h_f = h_g = points
    kept = torch.arange(g.dimension, device=points.device)
    for a, b in zip(f.nodes[1:], g.nodes[1:], strict=True):
        if isinstance(a, Pointwise) and isinstance(b, Pointwise):
            if (a.function, a.exponent) != (b.function, b.exponent):
                return None
            nodes.append(b)
        elif isinstance(a, Affine) and isinstance(b, Affine):
            h_f, h_g = h_f @ a.weight.T + a.bias, h_g @ b.weight.T + b.bias
            last = len(nodes) == len(f.nodes) - 1
            rows = torch.arange(g.outputs, device=points.device) if last else _matched(torch.tanh(h_f), torch.tanh(h_g))
            nodes.append(_padded(a, b, rows, kept))
            kept = rows
            continue
        else:
            return None
        h_f, h_g = _applied(a, h_f), _applied(b, h_g)
    return Network(tuple(nodes))


def _chain(net: Network) -> bool:
    kinds = all(isinstance(n, Affine | Pointwise | Input) for n in net.nodes)
    return kinds and all(n.sources == (i,) for i, n in enumerate(net.nodes[1:])) and isinstance(net.nodes[-1], Affine)


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
