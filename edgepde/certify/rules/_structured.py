"""Taylor models through linear maps that are no written-out matrix: _linear.py with what the node does to vectors.

Its sums have `terms` products; roundoff is gamma(terms) times |W| of the sizes, as there.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..nodes import Structured
from ._enclosure import Step, Taylor, gamma


def single(node: Structured, h: Taylor) -> Step:
    """W h + c of one network."""
    shift = node.shift
    poly = _times(node, h.poly)
    poly[:, 0] += shift
    size, carried = node.absolute(h.size), node.absolute(h.rest)
    made = gamma(2 * node.terms + 16) * (size + shift.abs() + carried)
    return Step(Taylor(poly, carried + made), made)


def difference(f: Structured, g: Structured, h: tuple[Taylor, Taylor]) -> tuple[Step, Step]:
    """(y_g, y_f - y_g) for h = (h_g, h_f - h_g)."""
    base, D = h
    change = f.less(g)
    poly = _times(f, D.poly)
    size, carried = f.absolute(D.size), f.absolute(D.rest)
    if bool(change.numbers[0][1].any()):
        poly += _times(change, base.poly)
        size, carried = size + change.absolute(base.size), carried + change.absolute(base.rest)
    poly[:, 0] += change.shift
    terms = max(f.terms, g.terms, change.terms)
    made = gamma(4 * terms + 16) * (size + change.shift.abs() + carried)
    return single(g, base), Step(Taylor(poly, carried + made), made)


def _times(node: Structured, poly: Tensor) -> Tensor:
    """W times every coefficient of models [B, M, n]."""
    return node.times(poly.flatten(0, 1)).unflatten(0, poly.shape[:2]).clone(memory_format=torch.contiguous_format)
