"""Proved bounds over a box: sup |f - g| of two networks, and the range of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from torch import Tensor

from . import propagate
from .align import aligned
from .attack import Found, attack
from .bisect import Analyse, Cover, Limits, cover
from .network import Network
from .propagate import Enclosure

MARGIN = 1.1
SECONDS, BOXES = 60.0, 4_000_000
WORKING_SET = 1 << 17
PROBES, FINEST = 48, 7
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Bound:
    """value [m] >= sup |f - g| >= found [m] per output, both proved, found by evaluation at points [m, d].

    proved: whether value is what was asked for, or a limit came first. boxes: how many were analysed. low, high [N, d]
    and per_box [N, m]: boxes that cover the domain and the bound in each. how: "pair" or "apart".
    """

    value: Array
    found: Array
    points: Array
    proved: bool
    boxes: int
    seconds: float
    how: str
    low: Array
    high: Array
    per_box: Array

    @property
    def tightness(self) -> Array:
        """value / found [m]; 1 where both are 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.value == self.found, 1.0, self.value / self.found)


@dataclass(frozen=True)
class Range:
    """low [m] <= f <= high [m] over the box, proved."""

    low: Array
    high: Array


def bound_difference(
    f: Network,
    g: Network,
    box: Box,
    *,
    target: float | Sequence[float] | None = None,
    seconds: float = SECONDS,
    boxes: int = BOXES,
    progress: Callable[[float, int], None] | None = None,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Bound:
    """sup over the box of |f - g| per output, by branch and bound until below `target` (MARGIN x the worst found).

    The bound is valid whichever limit stops it. progress(worst bound / threshold, boxes analysed) is called as it goes.
    Raises InputError where f, g and the box do not fit each other.
    """
    began = time.monotonic()
    _check(f, g, box)
    f, g = f.to(device), g.to(device)
    low, high = (torch.tensor(side, dtype=torch.float64, device=device) for side in (box.low, box.high))
    found = attack(lambda x: f(x) - g(x), low, high, seed=seed)
    threshold = _threshold(target, found)
    with torch.no_grad():
        how, analyse = _chosen(f, g, (low, high), threshold, found, seed)
        found, floor = _confirmed(analyse, found)
        threshold = torch.maximum(_threshold(target, found), floor)
        left = max(0.0, seconds - (time.monotonic() - began))
        limits = Limits(threshold, left, boxes, batch(f))
        made = cover(analyse, low, high, limits, _telling(progress, threshold))
    return _bound(made, found, how, began)


def bound_range(
    f: Network, box: Box, *, seconds: float = SECONDS, boxes: int = 4096, device: torch.device | str = "cpu"
) -> Range:
    """Bounds of f over the box per output, from `boxes` boxes or what `seconds` allow."""
    f = f.to(device)
    low, high = (torch.tensor(side, dtype=torch.float64, device=device) for side in (box.low, box.high))
    seen: list[tuple[Tensor, Tensor]] = []
    with torch.no_grad():
        ones = torch.ones(f.outputs, dtype=torch.float64, device=device)
        made = cover(
            lambda a, b: propagate.one(f, a, b, ones), low, high, Limits(0.0 * ones + 1e-300, seconds, boxes, batch(f))
        )
        for start in range(0, len(made.low), batch(f)):
            some = slice(start, start + batch(f))
            seen.append(propagate.one(f, made.low[some], made.high[some], ones).low_high())
    lows, highs = torch.cat([s[0] for s in seen]).amin(dim=0), torch.cat([s[1] for s in seen]).amax(dim=0)
    return Range(lows.cpu().numpy(), highs.cpu().numpy())


def batch(net: Network) -> int:
    """How many boxes to analyse together so that a layer's models stay near the caches."""
    d = net.dimension
    return int(max(16, min(4096, WORKING_SET // (max(net.widths) * (d + 1) * (d + 2) // 2))))


def _check(f: Network, g: Network, box: Box) -> None:
    for name, net in (("f", f), ("g", g)):
        if net.dimension != box.dimension:
            raise InputError(f"{name}: expected {box.dimension} inputs as in the box, got {net.dimension}")
    if f.outputs != g.outputs:
        raise InputError(f"g: expected {f.outputs} outputs as in f, got {g.outputs}")


def _threshold(target: float | Sequence[float] | None, found: Found) -> Tensor:
    """The target where the worst found leaves room for it, else MARGIN times the worst found."""
    least = (MARGIN * found.value).clamp(min=1e-300)
    if target is None:
        return least
    wanted = torch.as_tensor(target, dtype=torch.float64, device=least.device).expand(least.shape)
    if not bool((wanted > 0.0).all()):
        raise InputError(f"target: expected positive numbers, got {target}")
    return torch.where(wanted > found.value, wanted, least)


def _chosen(
    f: Network, g: Network, box: tuple[Tensor, Tensor], threshold: Tensor, found: Found, seed: int
) -> tuple[str, Analyse]:
    """The way to analyse that has the smaller remainders on small boxes drawn at random."""
    scale = 1.0 / threshold
    ways: dict[str, Analyse] = {"apart": partial(_swapped, propagate.apart, f, g, scale)}
    draw = torch.Generator().manual_seed(seed)
    share = torch.rand(PROBES, f.dimension, generator=draw, dtype=torch.float64).to(box[0].device)
    points = torch.cat([box[0] + share * (box[1] - box[0]), found.points])
    twin = g if propagate.alike(f, g) else aligned(f, g, _spread(box, draw))
    if twin is not None:
        ways["pair"] = partial(_swapped, propagate.difference, f, twin, scale)
    if len(ways) == 1:
        return "apart", ways["apart"]
    rests: dict[str, float] = {}
    for finer in range(2, FINEST):
        half = (box[1] - box[0]) / 2.0**finer / 2.0
        for name, way in ways.items():
            rest = (way(points - half, points + half).rest * scale).amax(dim=1)
            rests[name] = float(torch.nan_to_num(rest, nan=1e300, posinf=1e300).median())
        if min(rests.values()) < 0.1:
            break
    best = min(rests, key=lambda name: rests[name])
    return best, ways[best]


def _spread(box: tuple[Tensor, Tensor], draw: torch.Generator) -> Tensor:
    share = torch.rand(2048, len(box[0]), generator=draw, dtype=torch.float64).to(box[0].device)
    return box[0] + share * (box[1] - box[0])


def _swapped(
    way: Callable[..., Enclosure], f: Network, g: Network, scale: Tensor, low: Tensor, high: Tensor
) -> Enclosure:
    return way(f, g, low, high, scale)


def _confirmed(analyse: Analyse, found: Found) -> tuple[Found, Tensor]:
    """What f - g is at least at the points found, roundoff of evaluating it taken off; and what no splitting beats."""
    at = analyse(found.points, found.points)
    low, high = (side.diagonal() for side in at.low_high())
    floor = torch.maximum(-low, high) + at.rest.amax(dim=0)
    return Found(torch.maximum(low, -high).clamp(min=0.0), found.points), floor


def _telling(progress: Callable[[float, int], None] | None, threshold: Tensor) -> Callable[[Cover], None] | None:
    if progress is None:
        return None
    return lambda now: progress(float((now.bound / threshold).max()), now.analysed)


def _bound(made: Cover, found: Found, how: str, began: float) -> Bound:
    low, high, per_box = (t.cpu().numpy() for t in (made.low, made.high, made.bound))
    value, points = found.value.cpu().numpy(), found.points.cpu().numpy()
    spent = time.monotonic() - began
    return Bound(per_box.max(axis=0), value, points, made.proved, made.analysed, spent, how, low, high, per_box)
