"""Rounding for networks with very many outputs: as in rounding.py, errors going forwards behind the waist (forward.py).

With h' computed, |h' - h| <= off, a linear map makes off_y = |W| off + gamma_k (|W| |h'| + |c|), k the roundings
between a product and its sum; a function off_y = sup |phi'| off + its own error, or the width of its range where less.
Up to the waist, errors are weighed by adjoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from . import clock, forward, propagate, rounding_boxes
from .arithmetic import Arithmetic
from .forward import Halves
from .network import Network, Node
from .propagate import Begin, Enclosure
from .rounding_steps import carried, local
from .rules import _nodes
from .rules._enclosure import UNIT, Taylor, gamma


@final
@dataclass(frozen=True)
class Rounded:
    """A vector: its model; |computed - real| <= off [B, n]; behind: what nodes behind the waist have of off.

    functions: what functions have of off; or of `behind` where the tail is one matrix.
    """

    real: Taylor
    off: Tensor
    behind: Tensor
    functions: Tensor


def analyse(
    g: Network, halves: Halves, how: Arithmetic, low: Tensor, high: Tensor, begin: Begin = propagate.start
) -> Enclosure:
    """Over boxes [B, k]: rest [B, 2], the largest bound of any output and the largest that functions have of one."""
    first = begin(low, high)
    none = torch.zeros_like(first.rest)
    values = {0: Rounded(first, none, none, none)}
    off = functions = none
    if halves.head is not None:
        off, functions = rounding_boxes.analyse(halves.head, how, low, high, begin).rest.chunk(2, dim=1)
        before = functions if halves.tail is None else torch.zeros_like(functions)
        behind = off if halves.tail is None else before
        values[0] = Rounded(forward.at_waist(halves.head, first)[0], off, behind, before)
    moved = values[0].real.linear.abs().sum(dim=2)
    adding = gamma(4 * max(g.widths) + 512)
    for place, node in enumerate(halves.nodes[1:], start=1):
        values[place] = _step(node, how, [values[s] for s in node.sources], adding)
        forward.forget(halves.nodes, values, place)
        clock.check()
    out = values[len(halves.nodes) - 1]
    whole, small = out.behind, out.functions
    if halves.tail is not None:
        size = halves.tail.absolute
        passed = (off @ size.T * (1.0 + adding), functions @ size.T * (1.0 + adding))
        whole, small = whole + passed[0] + halves.tail.missed(off), small + passed[1]
    rest = torch.stack([whole.amax(dim=1), small.amax(dim=1)], dim=1) * (1.0 + 8.0 * UNIT)
    rest = torch.nan_to_num(rest, nan=torch.inf, posinf=torch.inf)
    flat = rest.new_zeros(len(rest), first.poly.shape[1], 2)
    return Enclosure(flat, rest, moved, none)


def _step(node: Node, how: Arithmetic, given: list[Rounded], adding: float) -> Rounded:
    real = _nodes.single(node, [h.real for h in given]).out
    off = [h.off for h in given]
    made, functions, slopes = local(node, how, [h.real for h in given], off)
    functions = torch.zeros_like(made) if functions is None else functions
    passed, behind, small = (
        carried(node, slopes, list(rows)) for rows in zip(*((h.off, h.behind, h.functions) for h in given), strict=True)
    )
    rest, own = ((part + made + functions) * (1.0 + 2.0 * adding) for part in (passed, behind))
    over = ~(real.size + real.rest + rest < how.largest)
    rest, own = (torch.where(over, torch.inf, part) for part in (rest, own))
    return Rounded(real, rest, own, (small + functions) * (1.0 + 2.0 * adding))
