"""The adversary: where a function of a box is largest, by sampling and gradient ascent; no proof of anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

SAMPLES, STARTS, STEPS = 16384, 48, 60
LEAST_STARTS, TOGETHER = 4, 512
FIRST, LAST = 0.05, 1e-6


@dataclass(frozen=True)
class Found:
    """The largest |value| [m] found per output and where, points [m, d]."""

    value: Tensor
    points: Tensor


def attack(
    function: Callable[[Tensor], Tensor],
    low: Tensor,
    high: Tensor,
    *,
    seed: int = 0,
    seconds: float | None = None,
    samples: int = SAMPLES,
    steps: int = STEPS,
    starts: int = STARTS,
) -> Found:
    """max |function| over the box [low, high] [d], function [N, d] -> [N, m]; repeated until `seconds` are over.

    Uniform points, points on faces and corners, then projected sign-gradient ascent from the best of every output.
    """
    began, draw = time.monotonic(), torch.Generator(device="cpu").manual_seed(seed)
    found = _once(function, low, high, draw, (samples, steps, starts))
    while seconds is not None and time.monotonic() - began < seconds:
        found = _better(found, _once(function, low, high, draw, (samples, steps, starts)))
    return found


def _once(
    function: Callable[[Tensor], Tensor],
    low: Tensor,
    high: Tensor,
    draw: torch.Generator,
    effort: tuple[int, int, int],
) -> Found:
    samples, steps, most = effort
    points = _sample(low, high, draw, samples)
    with torch.no_grad():
        values = _magnitude(function(points))
    many = values.shape[1]
    starts = values.topk(min(max(LEAST_STARTS, min(most, TOGETHER // many)), len(points)), dim=0).indices
    which = torch.arange(many, device=low.device).expand_as(starts)
    return _better(
        _best(values, points), _ascend(function, which.reshape(-1), points[starts.reshape(-1)], (low, high), steps)
    )


def _sample(low: Tensor, high: Tensor, draw: torch.Generator, samples: int) -> Tensor:
    """Uniform points; of every second some coordinates are pushed onto the faces."""
    share = torch.rand(samples, len(low), generator=draw, dtype=torch.float64)
    push = torch.rand(samples, len(low), generator=draw, dtype=torch.float64) < 1.0 / max(2, len(low))
    push[::2] = False
    share = torch.where(push, share.round(), share).to(low.device)
    return torch.minimum(low + share * (high - low), high)


def _ascend(
    function: Callable[[Tensor], Tensor], output: Tensor, x: Tensor, box: tuple[Tensor, Tensor], steps: int
) -> Found:
    """Every start climbs, each its own output [N]; its step halves whenever it fails to."""
    low, high = box
    size = torch.full((len(x), 1), FIRST, dtype=x.dtype, device=x.device)
    value, slope, every = _climbing(function, output, x)
    best = _best(every, x)
    for step in range(steps):
        ahead = slope.sign() if step % 2 else slope / slope.abs().amax(dim=1, keepdim=True).clamp(min=1e-300)
        trial = torch.minimum(torch.maximum(x + size * (high - low) * ahead, low), high)
        tried, tried_slope, every = _climbing(function, output, trial)
        best = _better(best, _best(every, trial))
        better = (tried > value)[:, None]
        x, slope = torch.where(better, trial, x), torch.where(better, tried_slope, slope)
        value = torch.maximum(tried, value)
        size = torch.where(better, size * 1.3, size * 0.5).clamp(min=LAST)
    return best


def _climbing(function: Callable[[Tensor], Tensor], output: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    with torch.enable_grad():
        point = x.detach().clone().requires_grad_(True)
        values = _magnitude(function(point))
        own = values.gather(1, output[:, None])[:, 0]
        (slope,) = torch.autograd.grad(own.sum(), point)
    return own.detach(), torch.nan_to_num(slope), values.detach()


def _magnitude(values: Tensor) -> Tensor:
    return torch.where(torch.isfinite(values), values.abs(), torch.full_like(values, torch.inf))


def _best(values: Tensor, points: Tensor) -> Found:
    worst = values.max(dim=0)
    return Found(worst.values.detach(), points[worst.indices].detach())


def _better(a: Found, b: Found) -> Found:
    wins = b.value > a.value
    return Found(torch.where(wins, b.value, a.value), torch.where(wins[:, None], b.points, a.points))
