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
from . import propagate
from .arithmetic import CHUNK, Arithmetic, RoundingBound, own_ulps, power_of_two
from .bisect import Cover, Limits, cover
from .domain import Domain, constant
from .engine import batch, influence
from .expanding import added, expanded
from .family import Family
from .linear import linear
from .linear_rounding import rounding_linear
from .network import Network
from .propagate import Begin, Enclosure
from .rules import _nodes, function
from .rules._enclosure import OUT, UNIT, Slope, Step, Taylor, gamma, middle
from .rules._smooth import SLOPE_ROUNDINGS, tilted

MARGIN = 1.1
SAMPLES = 2048
SECONDS, BOXES = 20.0, 200_000
LARGEST = 1e300
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
    if linear(g):
        return rounding_linear(g, how, box)
    g = expanded(g)
    g, domain = g.to(device), Domain.of(box, device)
    domain = domain.for_networks(max(g.widths), influence(g, domain, seed))
    size = batch(g, domain.variables)
    with torch.no_grad():
        draw = torch.Generator().manual_seed(seed)
        wide = domain.high - domain.low
        count = max(64, SAMPLES // g.outputs)
        points = domain.low + torch.rand(count, len(wide), generator=draw, dtype=torch.float64).to(device) * wide
        parts = [analyse(g, how, x, x, constant).rest for x in domain.inputs(points).split(batch(g, 1))]
        least = torch.cat(parts).amax(dim=0)
        limits = Limits(_goal(least, g.outputs), seconds - (time.monotonic() - began), boxes, size)
        way = partial(analyse, g, how, begin=domain.begin)
        made: Cover = cover(
            lambda low, high: domain.strained(way(low, high), low, high),
            domain.low,
            domain.high,
            limits,
            None if stop is None else lambda _: stop(),
        )
    value, at = _parted(made.bound.amax(dim=0)), _parted(least)
    return RoundingBound(value[0], value[1], at, made.analysed, time.monotonic() - began)


def _goal(least: Tensor, outputs: int) -> Tensor:
    """MARGIN times the worst of single points, for the whole; what functions have of it does not ask for more boxes."""
    goal = (MARGIN * least).clamp(min=1e-300)
    goal[outputs:] = LARGEST
    return goal


def _parted(bounds: Tensor) -> Array:
    """(rounding, activation) [2, m] that add up to the whole, rounded up; bounds [2 m]: the whole, then activation."""
    whole, functions = bounds.reshape(2, -1).cpu().numpy()
    functions = np.minimum(functions, whole)
    with np.errstate(invalid="ignore"):
        rest = np.where(np.isfinite(whole), np.nextafter(whole - functions, np.inf) * (1.0 + 4.0 * UNIT), whole)
    return np.stack([rest, functions])


def _check(g: Network, how: Arithmetic, box: Box | Family) -> None:
    if g.dimension != box.dimension:
        raise InputError(f"g: expected {box.dimension} inputs as in the box, got {g.dimension}")
    for place, node in enumerate(g.nodes):
        if isinstance(node, nw.Affine | nw.Scale | nw.Blocks):
            for name, values in _numbers(node):
                if not bool((values.to(getattr(torch, how.dtype)).double() == values).all()):
                    raise InputError(
                        f"network: node {place} {name} expected {how.dtype} numbers, as the device holds them"
                    )


def _numbers(node: nw.Affine | nw.Scale | nw.Blocks) -> list[tuple[str, Tensor]]:
    if not isinstance(node, nw.Blocks):
        return [("weight", node.weight), ("bias", node.bias)]
    named = [(name, getattr(part, name)) for part in node.parts for name in ("right", "left")]
    return [
        *((name, torch.from_numpy(np.array(values, dtype=np.float64))) for name, values in named),
        ("bias", node.bias),
    ]


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
        made, functions, slopes = _local(node, how, [real[s] for s in node.sources], off)
        functions = torch.zeros_like(made) if functions is None else functions
        carried = _carried(node, slopes, off)
        made = made + adding * carried
        rest = (carried + made + functions) * (1.0 + adding)
        over = ~(real[-1].size + real[-1].rest + rest < how.largest)
        rest = torch.where(over, torch.inf, rest)
        rounded.append(Step(Taylor(real[-1].poly, rest), torch.where(over, torch.inf, made), slopes))
        small = _carried(node, slopes, [elementary[s].out.rest for s in node.sources])
        functions = functions + adding * small
        elementary.append(Step(Taylor(real[-1].poly, (small + functions) * (1.0 + adding)), functions, slopes))
    scale = low.new_ones(g.outputs)
    first = propagate.weighed((g,), [(s,) for s in rounded], scale, shares)
    second = propagate.weighed((g,), [(s,) for s in elementary], scale, shares)
    whole = (first.rest + second.rest) * (1.0 + 4.0 * UNIT)
    rest = torch.nan_to_num(torch.cat([whole, second.rest], dim=1), nan=torch.inf, posinf=torch.inf)
    flat = torch.zeros_like(first.poly)
    return Enclosure(torch.cat([flat, flat], dim=2), rest, first.strain + second.strain, none)


def _local(
    node: nw.Node, how: Arithmetic, real: list[Taylor], off: list[Tensor]
) -> tuple[Tensor, Tensor | None, tuple[Slope, ...]]:
    """(e but that of functions, e of functions, slopes) for sources whose computed values are `off` at most."""
    size = [h.size + h.rest + e for h, e in zip(real, off, strict=True)]
    if isinstance(node, nw.Affine):
        return _grouped(node, how, size[0]) if node.groups else _summed(node, how, real[0], off[0], size[0]), None, ()
    if isinstance(node, nw.Scale):
        return _scaling(node, how, size[0]), None, ()
    if isinstance(node, nw.Sum):
        return how.rounded(len(size) - 1) * torch.stack(size).sum(dim=0) + len(size) * how.tiny, None, ()
    if isinstance(node, nw.Product):
        slopes = tuple(Slope(h.poly[:, 0], h.sizes[1] + h.rest, h.linear, h.sizes[0]) for h in reversed(real))
        slack = SLOPE_ROUNDINGS * (slopes[0].most() * off[0] + slopes[1].most() * off[1])
        return how.unit * size[0] * size[1] + off[0] * off[1] + slack + 2.0 * how.tiny, None, slopes
    if isinstance(node, nw.Pointwise):
        return _function(node, how, real[0], off[0])
    width = len(node.index) if isinstance(node, nw.Gather) else sum(s.shape[1] for s in size)
    return size[0].new_zeros(len(size[0]), width), None, ()


def _summed(node: nw.Affine, how: Arithmetic, h: Taylor, off: Tensor, size: Tensor) -> Tensor:
    n = node.weight.shape[1] if node.chained else int(node.weight.count_nonzero(dim=1).max())
    most = how.gamma(n) * (size @ node.weight.abs().T + node.bias.abs())
    if how.order == "c99" and node.chained:
        most = torch.fmin(most, _running(node, how, h, off, most))
    # a row of zeros is its bias, exactly
    return (most + (2 * n + 2) * how.tiny) * node.weight.any(dim=1)


def _grouped(node: nw.Affine, how: Arithmetic, size: Tensor) -> Tensor:
    """The terms of every group in chunks, what the groups make added in order; outputs without a group are 0."""
    count = added(node.groups, len(node.bias), CHUNK if how.order == "c99" else None).to(size.device)
    most = count * how.unit / (1.0 - count * how.unit)
    terms = added(node.groups, len(node.bias), None).to(size.device)
    return most * (size @ node.weight.abs().T) + (2.0 * terms + 2.0) * how.tiny * (terms > 0)


def _scaling(node: nw.Scale, how: Arithmetic, size: Tensor) -> Tensor:
    """A product, exact where the factor is a power of two, and a sum, exact where nothing is added."""
    factor, bias = node.weight.abs(), node.bias.abs()
    exact = (factor == 0.0) | (torch.frexp(factor).mantissa == 0.5)
    product = (how.unit * size * factor).masked_fill(exact, 0.0) + 2.0 * how.tiny * (factor != 1.0)
    added = how.rounded(1) * (size * factor + product + bias) + 2.0 * how.tiny
    return product + added.masked_fill(bias == 0.0, 0.0)


def _running(node: nw.Affine, how: Arithmetic, h: Taylor, off: Tensor, most: Tensor) -> Tensor:
    """u times the sum over chains and totals of the power of two below each partial sum, wherever h' is in the box.

    A bias may be the first or the last thing that is added: the worse of both.
    """
    weight, centre, reach = node.weight.T.contiguous(), h.poly[:, 0], h.reach + h.rest + off
    size, rounds = weight.abs(), (weight != 0.0).to(weight.dtype)
    slack, sizes = 4.0 * most, torch.zeros_like(most)
    first_sizes, last_sizes = torch.zeros_like(most), torch.zeros_like(most)
    total, moved = torch.zeros_like(most), slack
    for first in range(0, len(weight), CHUNK):
        chain, beyond = torch.zeros_like(most), slack.clone()
        for k in range(first, min(first + CHUNK, len(weight))):
            chain.addcmul_(centre[:, k, None], weight[k])
            beyond.addcmul_(reach[:, k, None], size[k])
            sizes.addcmul_(power_of_two(chain.abs().add_(beyond)), rounds[k])
        total, moved = total + chain, moved + beyond
        first_sizes += power_of_two((total + node.bias).abs() + moved)
        last_sizes += power_of_two(total.abs() + moved)
    last_sizes += power_of_two((total + node.bias).abs() + moved)
    return how.unit * (sizes + torch.maximum(first_sizes, last_sizes)) * (1.0 + 1e-12)


def _function(node: nw.Pointwise, how: Arithmetic, z: Taylor, off: Tensor) -> tuple[Tensor, Tensor, tuple[Slope, ...]]:
    phi = function(node.function, node.exponent)
    half = z.reach + z.rest + off
    outward = 1e-15 * (z.poly[:, 0].abs() + half)
    span = phi.span(z.poly[:, 0] - half - outward, z.poly[:, 0] + half + outward, 3)
    low, high = phi.enclosure(0, span)
    m, w = middle(*phi.enclosure(1, span))
    slope = Slope(m, w)
    if phi.smooth:
        slope = tilted(phi, z, off, slope, phi.largest(3, span))
    else:
        settled = (span.low >= 0.0) | (span.high <= 0.0)
        slope = Slope(torch.where(settled, m, 0.5), torch.where(settled, w, 0.5))
    made = SLOPE_ROUNDINGS * slope.most() * off
    own = how.miss(node, torch.maximum(-low, high)) + torch.full_like(high, 4.0 * how.tiny)
    return _cut_loose(slope, off, made, own, (high - low + own) * OUT)


def _cut_loose(
    slope: Slope, off: Tensor, made: Tensor, own: Tensor, spread: Tensor
) -> tuple[Tensor, Tensor, tuple[Slope, ...]]:
    """Where phi's range is narrower than what its slope makes of E_z, E_y is that range and E_z goes no further."""
    loose = torch.isfinite(off) & (spread < slope.most() * off + made)

    def kept(values: Tensor) -> Tensor:
        return torch.where(loose if values.dim() == loose.dim() else loose[:, None], 0.0, values)

    tilt, size = (None if t is None else kept(t) for t in (slope.tilt, slope.size))
    cut = Slope(kept(slope.mean), kept(slope.spread), tilt, size)
    return torch.where(loose, spread, made), kept(own), (cut,)


def _carried(node: nw.Node, slopes: tuple[Slope, ...], off: list[Tensor]) -> Tensor:
    """The absolute slopes times the sources' errors."""
    if isinstance(node, nw.Affine):
        return off[0] @ node.weight.abs().T
    if isinstance(node, nw.Scale):
        return off[0] * node.weight.abs()
    if isinstance(node, nw.Gather):
        return off[0][:, node.index]
    if isinstance(node, nw.Concat):
        return torch.cat(off, dim=1)
    if isinstance(node, nw.Sum):
        return torch.stack(off).sum(dim=0)
    return torch.stack([m.most() * e for m, e in zip(slopes, off, strict=True)]).sum(dim=0)
