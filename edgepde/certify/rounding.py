"""What evaluating a network in float32 or float64 changes, over a box: |computed - real|, adjoint-weighted.

Let h' be the computed and h the real vectors, E = h' - h, u the unit roundoff. Every operation computes with h':

    affine         z' = W h' + c + e,  |e| <= gamma_n (|W| |h'| + |c|), n by the order of summation; where that is known
                   half a unit in the last place of each partial sum p, u 2^floor(log2 |p|); p is within
                   gamma_n (|W| |h'| + |c|) of the exact partial sum of W h'; adding an exact 0 is not rounded
    pointwise      y' = phi(z') + e,   |e| <= ulps 2 u |phi(z')|; where ulps count units in the last place of the exact
                   value, with the power of two below it in place of |phi(z')|, and that below 1 where |phi| < 1
    sum, product   |e| <= gamma_n sum |h'|,  |e| <= u |x'| |y'|

each plus (terms + 1) 2^-126 (2^-1022 in float64), which also allows for flushing subnormal numbers to 0. With J an
interval that holds z and z' over a sub-box,

    E_z = W E_h + e,   E_y = phi'(x) E_z + e,  x in J;   or E_y = e, |e| <= the width of phi(J) + ulps, where less

and propagate.py's argument applies word for word: |E_out| <= sum over all vectors of |adjoint| |e|, plus what the
slopes leave open times a crude bound of |E_z| carried forwards. Ranges of the real vectors come from their Taylor
models. The two parts returned, the `e` of pointwise functions and all the rest, are a bound together: what is cut off
at a narrow range counts as the rest.

Assumed: round to nearest, weights and inputs are numbers of the arithmetic.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from torch import Tensor

from . import network as nw
from .arithmetic import Arithmetic, RoundingBound, goal, own_ulps, parted
from .bisect import Cover, Limits, cover
from .domain import Domain, constant
from .engine import batch, influence
from .expanding import expanded, wide
from .family import Family
from .linear import linear
from .linear_rounding import rounding_linear
from .network import Network
from .rounding_boxes import analyse
from .wide import bound_rounding as bound_wide

SAMPLES = 2048
SECONDS, BOXES = 20.0, 200_000
Array = NDArray[np.float64]


def single_operations(g: Network, dtype: str) -> bool:
    """Whether every function of g is one IEEE operation, the same on every device."""
    return all(own_ulps(n.function, dtype, n.exponent) <= 0.5 for n in g.nodes if isinstance(n, nw.Pointwise))


def bound_rounding(
    g: Network,
    box: Box | Family,
    arithmetic: Arithmetic | None = None,
    *,
    seconds: float = SECONDS,
    boxes: int = BOXES,
    stop: Callable[[], bool] | None = None,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> RoundingBound:
    """sup over the box of |g computed - g| per output, the box split until near the worst of single points.

    Raises InputError where a weight is no number of the arithmetic, or g does not fit the box.
    """
    began = time.monotonic()
    how = arithmetic or Arithmetic()
    _check(g, how, box)
    if wide(g):
        return bound_wide(g, box, how, seconds=seconds, boxes=boxes, seed=seed)
    if linear(g):
        return rounding_linear(g, how, box)
    g = expanded(g)
    g, domain = g.to(device), Domain.of(box, device)
    domain = domain.for_networks(max(g.widths), influence(g, domain, seed))
    size = batch(g, domain.variables)
    with torch.no_grad():
        draw = torch.Generator().manual_seed(seed)
        span = domain.high - domain.low
        count = max(64, SAMPLES // g.outputs)
        points = domain.low + torch.rand(count, len(span), generator=draw, dtype=torch.float64).to(device) * span
        parts = [analyse(g, how, x, x, constant).rest for x in domain.inputs(points).split(batch(g, 1))]
        least = torch.cat(parts).amax(dim=0)
        limits = Limits(goal(least, g.outputs), seconds - (time.monotonic() - began), boxes, size)
        way = partial(analyse, g, how, begin=domain.begin)
        made: Cover = cover(
            lambda low, high: domain.strained(way(low, high), low, high),
            domain.low,
            domain.high,
            limits,
            None if stop is None else lambda _: stop(),
        )
    value, at = parted(made.bound.amax(dim=0)), parted(least)
    return RoundingBound(value[0], value[1], at, made.analysed, time.monotonic() - began)


def _check(g: Network, how: Arithmetic, box: Box | Family) -> None:
    if g.dimension != box.dimension:
        raise InputError(f"g: expected {box.dimension} inputs as in the box, got {g.dimension}")
    for place, node in enumerate(g.nodes):
        if isinstance(node, nw.Affine | nw.Scale | nw.Blocks | nw.Structured) and not getattr(node, "computed", False):
            for name, values in _numbers(node):
                if not bool((values.to(getattr(torch, how.dtype)).double() == values).all()):
                    raise InputError(
                        f"network: node {place} {name} expected {how.dtype} numbers, as the device holds them"
                    )


def _numbers(node: nw.Affine | nw.Scale | nw.Blocks | nw.Structured) -> list[tuple[str, Tensor]]:
    if isinstance(node, nw.Structured):
        return list(node.numbers)
    if not isinstance(node, nw.Blocks):
        return [("weight", node.weight), ("bias", node.bias)]
    named = [(name, getattr(part, name)) for part in node.parts for name in ("right", "left")]
    return [
        *((name, torch.from_numpy(np.array(values, dtype=np.float64))) for name, values in named),
        ("bias", node.bias),
    ]
