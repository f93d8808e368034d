"""sup |f - g| and sup |g computed - g| over a box for networks with very many outputs, one bound for all of them.

forward.py says what holds in a box; boxes are split as everywhere (bisect.py), the outputs together being one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from torch import Tensor

from . import clock, forward, forward_rounding
from .arithmetic import Arithmetic, RoundingBound, goal, parted
from .attack import SAMPLES, STEPS, Found, attack
from .bisect import Analyse, Limits, cover
from .bound import Bound, bound_of
from .domain import Domain, constant, influence
from .expanding import expanded_blocks
from .family import Family
from .network import Network
from .propagate import Begin, Enclosure
from .rules._enclosure import Taylor

MARGIN = 1.1
BOXES, WORK, FEW = 100_000, 1 << 25, 8
PROBES = 16
# What a pass over the network that has begun may take beyond the time given: seconds, and in shares of that time.
GRACE, OVER = 5.0, 1.0
Way = Callable[..., tuple[Taylor, Tensor]]


def bound_difference(
    f: Network,
    g: Network,
    box: Box | Family,
    seconds: float,
    boxes: int,
    *,
    same: bool,
    target: float | Sequence[float] | None,
    tell: Callable[[Tensor], Callable[..., bool]],
    seed: int,
) -> Bound:
    """As in engine.py, value [1] and found [1] being those of the worst output; same: f and g are one network."""
    began = time.monotonic()
    f, g = expanded_blocks(f), expanded_blocks(g)
    domain = Domain.of(box)
    if same:
        return _none(domain)
    domain = domain.for_networks(max(f.widths), _influence(f, g, domain, seed))
    found = _attacked(f, g, domain, seed)
    with torch.no_grad():
        way = forward.Difference.of(f, g, domain)
        found = _confirmed(way, found)
        threshold = _threshold(target, found)
        limits = Limits(
            threshold,
            max(0.0, seconds - (time.monotonic() - began)),
            min(boxes, BOXES),
            min(forward.batch(n, domain.variables) for n in (f, g)),
        )
        with clock.until(_latest(began, seconds)):
            made = cover(analysing(way, domain), domain.low, domain.high, limits, tell(threshold))
    return bound_of(made, found, target, way.how, began)


def bound_rounding(
    g: Network, box: Box | Family, how: Arithmetic, *, seconds: float, boxes: int, seed: int
) -> RoundingBound:
    """As in rounding.py, every array [1] being that of the worst output."""
    began = time.monotonic()
    g = expanded_blocks(g)
    domain = Domain.of(box)
    domain = domain.for_networks(max(g.widths), _influence(g, None, domain, seed))
    size = forward.batch(g, domain.variables)
    with torch.no_grad():
        draw = torch.Generator().manual_seed(seed)
        points = domain.low + torch.rand(PROBES, len(domain.low), generator=draw, dtype=torch.float64) * (
            domain.high - domain.low
        )
        halves = forward.Halves.of(g, domain)
        way = partial(forward_rounding.analyse, g, halves, how)
        at_points = partial(_punctual(way, 2), begin=constant)
        split = _punctual(lambda low, high: _by_coordinate(domain, way(low, high, begin=domain.begin)), 2)
        with clock.until(_latest(began, seconds)):
            parts = [at_points(x, x).rest for x in domain.inputs(points).split(size)]
            least = torch.cat(parts).amax(dim=0)
            limits = Limits(goal(least, 1), max(0.0, seconds - (time.monotonic() - began)), min(boxes, BOXES), size)
            made = cover(split, domain.low, domain.high, limits)
    value, at = parted(made.bound.amax(dim=0)), parted(least)
    return RoundingBound(value[0], value[1], at, made.analysed, time.monotonic() - began)


def bound_sensitivity(
    f: Network, box: Box | Family, most: Callable[[Taylor], Tensor], *, seconds: float, boxes: int, seed: int
) -> Bound:
    """sup |f(x + delta) - f(x)| of the worst output, |delta| <= most(model of x); found: 0, nothing is searched."""
    began = time.monotonic()
    f, domain = expanded_blocks(f), Domain.of(box)
    domain = domain.for_networks(max(f.widths), _influence(f, None, domain, seed))
    with torch.no_grad():
        pair = forward.Difference.of(f, f, domain)

        def moved(low: Tensor, high: Tensor, begin: Begin) -> tuple[Taylor, Tensor]:
            first = begin(low, high)
            return pair.moved(first, Taylor(torch.zeros_like(first.poly), most(first)))

        middle = domain.inputs((0.5 * domain.low + 0.5 * domain.high)[None])
        least = forward.worst(*moved(middle, middle, constant), middle[:, :1] * 0.0).rest[0]
        limits = Limits(
            (MARGIN * least).clamp(min=1e-300),
            max(0.0, seconds - (time.monotonic() - began)),
            min(boxes, BOXES),
            forward.batch(f, domain.variables),
        )
        with clock.until(_latest(began, seconds)):
            made = cover(analysing(moved, domain), domain.low, domain.high, limits)
    none = Found(torch.zeros(1, dtype=torch.float64), middle)
    return bound_of(made, none, None, "slopes", began)


def analysing(way: Way, domain: Domain) -> Analyse:
    """What bisect.py asks of a way to follow boxes."""

    def analyse(low: Tensor, high: Tensor) -> Enclosure:
        out, share = way(low, high, begin=domain.begin)
        made = forward.worst(out, share, domain.begin(low, high).linear.abs().sum(dim=2))
        return _by_coordinate(domain, made)

    return _punctual(analyse, 1)


def _latest(began: float, seconds: float) -> float:
    """When a pass that has begun is left: its boxes keep the bound they have, the first one has none."""
    return began + (1.0 + OVER) * seconds + GRACE


def _punctual(analyse: Callable[..., Enclosure], outputs: int) -> Callable[..., Enclosure]:
    """The same, without a bound [B, outputs] for boxes whose pass runs out of time."""

    def tried(low: Tensor, high: Tensor, **given: Begin) -> Enclosure:
        try:
            clock.check()
            return analyse(low, high, **given)
        except clock.OutOfTime:
            none = low.new_full((len(low), outputs), torch.inf)
            return Enclosure(torch.zeros_like(none)[:, None], none, low.new_zeros(low.shape))

    return tried


def _by_coordinate(domain: Domain, made: Enclosure) -> Enclosure:
    """The strain [B, n] by coordinate; what is no variable is not split."""
    if domain.kept is None:
        return made
    strain = made.strain.new_zeros(len(made.strain), len(domain.low))
    strain[:, domain.kept] = made.strain
    return replace(made, strain=strain)


def _threshold(target: float | Sequence[float] | None, found: Found) -> Tensor:
    at_least = (MARGIN * found.value).clamp(min=1e-300)
    if target is None:
        return at_least
    wanted = torch.as_tensor(target, dtype=torch.float64).min().reshape(1)
    if not bool((wanted > 0.0).all()):
        raise InputError(f"target: expected positive numbers, got {target}")
    return torch.where(wanted > found.value, wanted, at_least)


def _attacked(f: Network, g: Network, domain: Domain, seed: int) -> Found:
    """The worst |f - g| of any output found by a search whose work is bounded; points [1, d]."""
    each = sum(f.widths) + sum(g.widths)
    rows = max(1, forward.NUMBERS // max(*f.widths, *g.widths))

    def apart(c: Tensor) -> Tensor:
        parts = [domain.inputs(some) for some in c.split(rows)]
        return torch.cat([(f(x) - g(x)).abs().amax(dim=1, keepdim=True) for x in parts])

    samples = max(64, min(SAMPLES, WORK // each))
    steps = max(6, min(STEPS, WORK // (4 * FEW * each)))
    found = attack(apart, *domain.search(), seed=seed, samples=samples, steps=steps, starts=FEW)
    return Found(found.value, domain.inputs(found.points))


def _confirmed(way: Way, found: Found) -> Found:
    """What is reached at the point at least, roundoff taken off."""
    return Found(forward.least(way(found.points, found.points, begin=constant)[0]), found.points)


def _influence(f: Network, g: Network | None, domain: Domain, seed: int) -> Tensor:
    if len(domain.low) <= 6:
        return torch.ones_like(domain.low)
    return influence(f if g is None else lambda x: f(x) - g(x), domain, seed)


def _none(domain: Domain) -> Bound:
    low, high = domain.low.numpy()[None], domain.high.numpy()[None]
    zero = np.zeros(1)
    middle = domain.inputs((0.5 * domain.low + 0.5 * domain.high)[None]).numpy()
    return Bound(zero, zero, middle, True, 0, 0.0, "equal", low, high, zero[None], True)
