"""Branch and bound: boxes whose bound is too large are split, the worst first; the bound is valid whenever it stops."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .propagate import Enclosure

Analyse = Callable[[Tensor, Tensor], Enclosure]
MOST_HALVINGS = 3
PAUSE = 0.1
SMALLEST = 2.0**-40


@dataclass(frozen=True)
class Limits:
    """When to stop: a bound [m] that is good enough, seconds, boxes analysed, boxes analysed together."""

    threshold: Tensor
    seconds: float
    boxes: int
    batch: int


@dataclass
class Pool:
    """Boxes that cover the domain: low, high [N, d], bound [N, m], how often to halve [N], strain [N, d]."""

    low: Tensor
    high: Tensor
    bound: Tensor
    strain: Tensor
    halvings: Tensor

    def at(self, which: Tensor) -> Pool:
        """Some of them."""
        return Pool(*(getattr(self, name)[which] for name in ("low", "high", "bound", "strain", "halvings")))

    def joined(self, other: Pool) -> Pool:
        """Both."""
        names = ("low", "high", "bound", "strain", "halvings")
        return Pool(*(torch.cat([getattr(self, name), getattr(other, name)]) for name in names))


@dataclass(frozen=True)
class Cover:
    """The boxes at the end, their bounds [N, m], how many were analysed; whether none is above the threshold."""

    low: Tensor
    high: Tensor
    bound: Tensor
    analysed: int
    seconds: float
    proved: bool


def cover(
    analyse: Analyse, low: Tensor, high: Tensor, limits: Limits, tell: Callable[[Cover], bool] | None = None
) -> Cover:
    """Split the box [low, high] [d] until every bound is below the threshold, a limit is reached or `tell` is True."""
    began = told = time.monotonic()
    domain = (high - low).clamp(min=1e-300)
    open_ = _evaluated(analyse, _whole(low, high, len(limits.threshold)), limits, domain)
    analysed, done = 1, []
    while len(open_.low):
        settled = _settled(open_, limits, domain)
        done.append(open_.at(settled))
        open_ = open_.at(~settled)
        if not len(open_.low) or analysed >= limits.boxes or time.monotonic() - began >= limits.seconds:
            break
        excess = (open_.bound / limits.threshold).amax(dim=1)
        room = max(1, min(limits.batch, limits.boxes - analysed) // 2 ** int(open_.halvings.max()))
        order = excess.topk(min(room, len(excess))).indices
        rest = torch.ones(len(excess), dtype=torch.bool, device=excess.device)
        rest[order] = False
        children = _evaluated(analyse, _split(open_.at(order)), limits, domain)
        analysed += len(children.low)
        open_ = open_.at(rest).joined(children)
        if tell is not None and time.monotonic() - told > PAUSE:
            told = time.monotonic()
            if tell(_cover(done, open_, analysed, began)):
                break
    made = _cover(done, open_, analysed, began)
    if tell is not None:
        tell(made)
    return made


def _cover(done: list[Pool], open_: Pool, analysed: int, began: float) -> Cover:
    low, high, bound = (torch.cat([getattr(p, n) for p in (*done, open_)]) for n in ("low", "high", "bound"))
    return Cover(low, high, bound, analysed, time.monotonic() - began, not len(open_.low))


def _whole(low: Tensor, high: Tensor, outputs: int) -> Pool:
    bound = torch.full((1, outputs), torch.inf, dtype=low.dtype, device=low.device)
    halvings = torch.zeros(1, dtype=torch.int64, device=low.device)
    return Pool(low[None], high[None], bound, torch.zeros_like(low[None]), halvings)


def _evaluated(analyse: Analyse, boxes: Pool, limits: Limits, domain: Tensor) -> Pool:
    """The boxes with their own bounds, no larger than those of the boxes they come from."""
    parts = []
    for start in range(0, len(boxes.low), limits.batch):
        some = slice(start, start + limits.batch)
        made = analyse(boxes.low[some], boxes.high[some])
        bound = torch.minimum(made.magnitude(), boxes.bound[some])
        strain = torch.where(torch.isfinite(made.strain), made.strain, (boxes.high - boxes.low)[some] / domain)
        parts.append((bound, strain, _halvings(made, bound, limits.threshold)))
    bound, strain, halvings = (torch.cat(part) for part in zip(*parts, strict=True))
    return Pool(boxes.low, boxes.high, bound, strain, halvings)


def _halvings(made: Enclosure, bound: Tensor, threshold: Tensor) -> Tensor:
    """How often to halve before looking again: remainders are cubic, so a factor 8 takes one halving of each axis."""
    d = made.strain.shape[1]
    room = (threshold - made.poly[:, 0].abs()).clamp(min=0.02 * threshold)
    ratio = ((bound - made.poly[:, 0].abs()) / room).amax(dim=1)
    steps = (d * torch.log2(ratio.clamp(min=1.0, max=1e30)) / 3.0 - 0.5).floor()
    return torch.nan_to_num(steps, nan=1.0).clamp(1, MOST_HALVINGS).to(torch.int64)


def _settled(boxes: Pool, limits: Limits, domain: Tensor) -> Tensor:
    """Below the threshold, or too small to be split."""
    small = ((boxes.high - boxes.low) <= SMALLEST * domain).all(dim=1)
    return (boxes.bound <= limits.threshold).all(dim=1) | small


def _split(boxes: Pool) -> Pool:
    """The children; a box with h halvings makes 2^h, each along the axis with the largest strain left."""
    for step in range(MOST_HALVINGS):
        now = boxes.halvings > step
        if not bool(now.any()):
            break
        boxes = boxes.at(~now).joined(_halved(boxes.at(now)))
    return boxes


def _halved(boxes: Pool) -> Pool:
    axis = boxes.strain.argmax(dim=1, keepdim=True)
    middle = (0.5 * boxes.low + 0.5 * boxes.high).gather(1, axis)
    strain = boxes.strain.scatter(1, axis, boxes.strain.gather(1, axis) / 8.0)
    left = Pool(boxes.low, boxes.high.scatter(1, axis, middle), boxes.bound, strain, boxes.halvings)
    right = Pool(boxes.low.scatter(1, axis, middle), boxes.high, boxes.bound, strain, boxes.halvings)
    return left.joined(right)
