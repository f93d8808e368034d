"""Remainders of rounding over many boxes at once, weighed by adjoints; rounding.py says why they are bounds."""

from __future__ import annotations

import torch
from torch import Tensor

from . import propagate
from .arithmetic import Arithmetic
from .network import Network
from .propagate import Begin, Enclosure
from .rounding_steps import carried as carried_by
from .rounding_steps import local
from .rules import _nodes
from .rules._enclosure import UNIT, Step, Taylor, gamma


def analyse(
    g: Network,
    how: Arithmetic,
    low: Tensor,
    high: Tensor,
    begin: Begin = propagate.start,
    shares: dict[int, Tensor] | None = None,
) -> Enclosure:
    """Over boxes [B, d]: rest [B, 2 m], the bounds of all outputs, then what functions have of them.

    shares: filled with what every node adds to the sum of both, [B, m].
    """
    real = [begin(low, high)]
    none = torch.zeros_like(real[0].rest)
    rounded = [Step(Taylor(real[0].poly, none), none)]
    elementary = [Step(Taylor(real[0].poly, none), none)]
    adding = gamma(4 * max(g.widths) + 512)
    for node in g.nodes[1:]:
        real.append(_nodes.single(node, [real[s] for s in node.sources]).out)
        off = [rounded[s].out.rest for s in node.sources]
        made, functions, slopes = local(node, how, [real[s] for s in node.sources], off)
        functions = torch.zeros_like(made) if functions is None else functions
        carried = carried_by(node, slopes, off)
        made = made + adding * carried
        rest = (carried + made + functions) * (1.0 + adding)
        over = ~(real[-1].size + real[-1].rest + rest < how.largest)
        rest = torch.where(over, torch.inf, rest)
        rounded.append(Step(Taylor(real[-1].poly, rest), torch.where(over, torch.inf, made), slopes))
        small = carried_by(node, slopes, [elementary[s].out.rest for s in node.sources])
        functions = functions + adding * small
        elementary.append(Step(Taylor(real[-1].poly, (small + functions) * (1.0 + adding)), functions, slopes))
    scale = low.new_ones(g.outputs)
    first = propagate.weighed((g,), [(s,) for s in rounded], scale, shares)
    second = propagate.weighed((g,), [(s,) for s in elementary], scale, shares)
    whole = (first.rest + second.rest) * (1.0 + 4.0 * UNIT)
    rest = torch.nan_to_num(torch.cat([whole, second.rest], dim=1), nan=torch.inf, posinf=torch.inf)
    flat = torch.zeros_like(first.poly)
    return Enclosure(torch.cat([flat, flat], dim=2), rest, first.strain + second.strain, none)
