"""Proved bounds over a box: sup |f - g| of two networks, and the range of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from torch import Tensor

from . import network as nw
from . import propagate
from .align import paired
from .attack import SAMPLES, Found, attack
from .bisect import Analyse, Cover, Limits, cover
from .bound import Bound, Range, bound_of
from .domain import Domain, constant, influence
from .expanding import expanded, parted, wide
from .family import Family
from .linear import bound_linear, linear, range_linear
from .network import Network
from .propagate import Enclosure
from .wide import bound_difference as bound_wide

MARGIN = 1.1
SECONDS, BOXES = 60.0, 4_000_000
WORKING_SET, POOL = 1 << 17, 1 << 27
PROBES, FINEST = 48, 7
CONFIRMED = 64
Way = Callable[..., Enclosure]
Array = NDArray[np.float64]


def bound_difference(
    f: Network,
    g: Network,
    box: Box | Family,
    *,
    target: float | Sequence[float] | None = None,
    seconds: float = SECONDS,
    boxes: int = BOXES,
    progress: Callable[[float, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Bound:
    """sup over the box of |f - g| per output, by branch and bound until below `target` (MARGIN x the worst found).

    The bound is valid whichever limit stops it, a `stop` that says True too. progress(worst bound / threshold, boxes
    analysed) is called as it goes. Raises InputError where f, g and the box do not fit each other.
    """
    began = time.monotonic()
    check(f, g, box)
    if wide(f) or wide(g):
        tell = partial(telling, progress, stop)
        return bound_wide(f, g, box, seconds, boxes, same=same(f, g), target=target, tell=tell, seed=seed)
    if linear(f) and linear(g) and not same(parted(f), parted(g)):
        return bound_linear(f, g, box, target=target, device=device)
    f, g = expanded(f).to(device), expanded(g).to(device)
    domain = Domain.of(box, device)
    if same(f, g):
        return _none(f, domain)
    found = attack(lambda c: f(domain.inputs(c)) - g(domain.inputs(c)), *domain.search(), seed=seed, samples=samples(f))
    found = Found(found.value, domain.inputs(found.points))
    domain = domain.for_networks(max(f.widths), influence(lambda x: f(x) - g(x), domain, seed))
    threshold = _threshold(target, found)
    with torch.no_grad():
        ways = _ways(f, g, domain, 1.0 / threshold, seed)
        how = _chosen(ways, domain, threshold, seed)
        found, floor = _confirmed(ways[how], found)
        threshold = torch.maximum(_threshold(target, found), floor)
        left = max(0.0, seconds - (time.monotonic() - began))
        limits = Limits(threshold, left, _affordable(boxes, domain, f), batch(f, domain.variables))
        made = cover(_split(ways[how], domain), domain.low, domain.high, limits, telling(progress, stop, threshold))
    return bound_of(made, found, target, how, began)


def bound_range(
    f: Network, box: Box | Family, *, seconds: float = SECONDS, boxes: int = 4096, device: torch.device | str = "cpu"
) -> Range:
    """Bounds of f over the box per output, from `boxes` boxes or what `seconds` allow."""
    if linear(f):
        return range_linear(f, box, device=device)
    f, domain = expanded(f).to(device), Domain.of(box, device)
    domain = domain.for_networks(max(f.widths), influence(f, domain, 0))
    seen: list[tuple[Tensor, Tensor]] = []
    with torch.no_grad():
        ones = torch.ones(f.outputs, dtype=torch.float64, device=device)
        size = batch(f, domain.variables)
        way = partial(propagate.one, f, scale=ones, begin=domain.begin)
        made = cover(_split(way, domain), domain.low, domain.high, Limits(0.0 * ones + 1e-300, seconds, boxes, size))
        for start in range(0, len(made.low), size):
            some = slice(start, start + size)
            seen.append(way(made.low[some], made.high[some]).low_high())
    lows, highs = torch.cat([s[0] for s in seen]).amin(dim=0), torch.cat([s[1] for s in seen]).amax(dim=0)
    return Range(lows.cpu().numpy(), highs.cpu().numpy())


def batch(net: Network, variables: int | None = None) -> int:
    """How many boxes to analyse together so that a layer's models stay near the caches."""
    k = net.dimension if variables is None else variables
    each = max(net.widths) * (k + 1) * max(k + 2, 2 * net.outputs) // 2
    return int(max(1 if k > 6 else 16, min(4096, WORKING_SET // each)))


def samples(net: Network) -> int:
    """How many points a search may start from so that they and a layer's values fit memory."""
    return int(max(256, min(SAMPLES, (1 << 24) // max(net.widths))))


def check(f: Network, g: Network, box: Box | Family) -> None:
    """Raises InputError where f, g and the box do not fit each other."""
    for name, net in (("f", f), ("g", g)):
        if net.dimension != box.dimension:
            raise InputError(f"{name}: expected {box.dimension} inputs as in the box, got {net.dimension}")
    if f.outputs != g.outputs:
        raise InputError(f"g: expected {f.outputs} outputs as in f, got {g.outputs}")


def same(f: Network, g: Network) -> bool:
    """Whether f and g are one network: alike, and all weights equal."""
    if not propagate.alike(f, g):
        return False
    return all(_equal(a, b) for a, b in zip(f.nodes, g.nodes, strict=True))


def _equal(a: nw.Node, b: nw.Node) -> bool:
    """Whether two nodes of one kind hold the same numbers."""
    if isinstance(a, nw.Affine | nw.Scale) and isinstance(b, nw.Affine | nw.Scale):
        return torch.equal(a.weight, b.weight) and torch.equal(a.bias, b.bias)
    if isinstance(a, nw.Structured) and isinstance(b, nw.Structured):
        return all(torch.equal(v, w) for (_, v), (_, w) in zip(a.numbers, b.numbers, strict=True))
    if not (isinstance(a, nw.Blocks) and isinstance(b, nw.Blocks)):
        return True
    pairs = zip(a.parts, b.parts, strict=False)
    whole = len(a.parts) == len(b.parts) and torch.equal(a.bias, b.bias)
    return whole and all(np.array_equal(v, w) for p, q in pairs for v, w in zip(p.arrays, q.arrays, strict=True))


def telling(
    progress: Callable[[float, int], None] | None, stop: Callable[[], bool] | None, threshold: Tensor
) -> Callable[[Cover], bool]:
    """What a search tells as it goes, and whether it is to stop."""

    def tell(now: Cover) -> bool:
        if progress is not None:
            progress(float((now.bound / threshold).max()), now.analysed)
        return stop is not None and stop()

    return tell


def _threshold(target: float | Sequence[float] | None, found: Found) -> Tensor:
    """The target where the worst found leaves room for it, else MARGIN times the worst found."""
    least = (MARGIN * found.value).clamp(min=1e-300)
    if target is None:
        return least
    wanted = torch.as_tensor(target, dtype=torch.float64, device=least.device).expand(least.shape)
    if not bool((wanted > 0.0).all()):
        raise InputError(f"target: expected positive numbers, got {target}")
    return torch.where(wanted > found.value, wanted, least)


def _ways(f: Network, g: Network, domain: Domain, scale: Tensor, seed: int) -> dict[str, Way]:
    """Both ways to analyse, the pair only where g has or can be given the structure of f."""
    ways: dict[str, Way] = {"apart": partial(propagate.apart, f, g, scale=scale)}
    pair = (f, g) if propagate.alike(f, g) else paired(f, g, _spread(domain, seed))
    if pair is not None:
        ways["pair"] = partial(propagate.difference, *pair, scale=scale)
    return {name: partial(way, begin=domain.begin) for name, way in ways.items()}


def _chosen(ways: Mapping[str, Way], domain: Domain, threshold: Tensor, seed: int) -> str:
    """The way to analyse that has the smaller remainders on small boxes drawn at random."""
    if len(ways) == 1:
        return next(iter(ways))
    draw = torch.Generator().manual_seed(seed)
    wide = domain.high - domain.low
    size = PROBES if domain.variables <= 6 else 1
    share = torch.rand(size, len(wide), generator=draw, dtype=torch.float64).to(wide.device)
    points = domain.low + share * wide
    rests: dict[str, float] = {}
    for finer in range(2, FINEST):
        half = wide / 2.0**finer / 2.0
        for name, way in ways.items():
            rest = (way(points - half, points + half).rest / threshold).amax(dim=1)
            rests[name] = float(torch.nan_to_num(rest, nan=1e300, posinf=1e300).median())
        if min(rests.values()) < 0.1:
            break
    return min(rests, key=lambda name: rests[name])


def _spread(domain: Domain, seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    share = torch.rand(
        min(2048, max(64, POOL // (16 * len(domain.low)))), len(domain.low), generator=draw, dtype=torch.float64
    ).to(domain.low.device)
    return domain.inputs(domain.low + share * (domain.high - domain.low))


def _split(way: Way, domain: Domain) -> Analyse:
    """The way, with strain by coordinate of the domain."""
    return lambda low, high: domain.strained(way(low, high), low, high)


def _confirmed(way: Way, found: Found) -> tuple[Found, Tensor]:
    """What f - g is at least at the points found, roundoff of evaluating it taken off; and what no splitting beats."""
    parts = [way(x, x, begin=constant) for x in found.points.split(CONFIRMED)]
    low, high = (torch.cat(sides) for sides in zip(*(p.low_high() for p in parts), strict=True))
    rest = torch.cat([p.rest for p in parts])
    low, high = low.diagonal(), high.diagonal()
    floor = torch.maximum(-low, high) + rest.amax(dim=0)
    return Found(torch.maximum(low, -high).clamp(min=0.0), found.points), floor


def _affordable(boxes: int, domain: Domain, net: Network) -> int:
    """No more boxes than memory holds."""
    return max(1, min(boxes, POOL // (4 * len(domain.low) + 2 * net.outputs)))


def _none(f: Network, domain: Domain) -> Bound:
    low, high = (side.cpu().numpy()[None] for side in (domain.low, domain.high))
    middle = domain.inputs((0.5 * domain.low + 0.5 * domain.high)[None])
    zero = np.zeros(f.outputs)
    where = middle.cpu().numpy().repeat(f.outputs, axis=0)
    return Bound(zero, zero, where, True, 0, 0.0, "equal", low, high, zero[None], True)
