"""Taylor models through affine maps: exact but for roundoff.

One network: y = W h + c maps P_h to W P_h + c and E_h to E_y = W E_h. Difference, with X = W_f - W_g and x = c_f - c_g:

    y_f - y_g = W_f (h_f - h_g) + X h_g + x,   F_y = W_f F_h + X E_h

Roundoff: a sum of k products computed in any order misses by gamma(k) times the sum of the |products|; X and x are
themselves rounded once. Since |s_i| <= 1 the misses of all coefficients add up to gamma(k + 2) (|W| size(P_h) + |c|).
Twice that also covers the roundings of computing rest.
The slopes here are used in computing adjoints; a computed adjoint row times W misses by gamma(k) |row| |W|, which costs
that much times |W| rest_h and is added where the remainder is made (engine.py says why).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._enclosure import Step, Taylor, gamma

Maps = tuple[Tensor, Tensor]


def single(weight: Tensor, bias: Tensor, h: Taylor) -> Step:
    """W h + c of one network; weight [m, n], or [n] for a diagonal."""
    poly = _times(h.poly, weight)
    poly[:, 0] += bias
    size, carried = _times(torch.stack([h.size, h.rest], dim=1), weight.abs()).unbind(dim=1)
    slack = gamma(2 * fan_in(weight) + 16)
    made = slack * (size + bias.abs() + carried)
    return Step(Taylor(poly, carried + made), made)


def difference(f: Maps, g: Maps, h: tuple[Taylor, Taylor]) -> tuple[Step, Step]:
    """(y_g, y_f - y_g) for h = (h_g, h_f - h_g)."""
    base, D = h
    change, shift = f[0] - g[0], f[1] - g[1]
    poly = _times(D.poly, f[0])
    changed = bool(change.any())
    if changed:
        poly += _times(base.poly, change)
    poly[:, 0] += shift
    size, carried = _times(torch.stack([D.size, D.rest], dim=1), f[0].abs()).unbind(dim=1)
    if changed:
        more = _times(torch.stack([base.size, base.rest], dim=1), change.abs()).unbind(dim=1)
        size, carried = size + more[0], carried + more[1]
    made = gamma(4 * fan_in(f[0]) + 16) * (size + shift.abs() + carried)
    return single(g[0], g[1], base), Step(Taylor(poly, carried + made), made)


def pull(adjoint: Tensor, weight: Tensor) -> Tensor:
    """adjoint [B, o, m] times W."""
    return adjoint * weight if weight.dim() == 1 else adjoint @ weight


def fan_in(weight: Tensor) -> int:
    """How many terms one output sums."""
    return 1 if weight.dim() == 1 else max(weight.shape)


def _times(rows: Tensor, weight: Tensor) -> Tensor:
    return rows * weight if weight.dim() == 1 else rows @ weight.T
