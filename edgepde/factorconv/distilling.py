"""A smaller simulator taught by the larger one: no data is needed, for the larger one answers everywhere in the box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from edgepde_runtime.box import Box
from torch import Tensor, nn

from .description import Description, UNet
from .examples import Examples

STEPS, BATCH, RATE = 240, 24, 2e-3
AT_ONCE = 32
CORNERS, SHARE = 8, 4


def samples(description: Description, box: Box, kept: Examples | None, count: int, seed: int) -> Tensor:
    """Inputs [n, d] to compare two simulators on, float64: random ones, some corners, and of frames those of a run."""
    draw = np.random.default_rng(seed)
    low, high = np.asarray(box.low), np.asarray(box.high)
    corners = np.where(draw.integers(0, 2, (max(CORNERS, count // SHARE), len(low))).astype(bool), high, low)
    parts = [box.sample(count, draw), corners]
    if isinstance(description, UNet) and kept is not None:
        parts.append(_windows(description, kept).clip(low, high))
    return torch.from_numpy(np.concatenate(parts))


def answers(module: nn.Module, points: Tensor) -> Tensor:
    """What a module answers at points [n, d], a few at once."""
    with torch.no_grad():
        return torch.cat([module(x) for x in points.split(AT_ONCE)])


def teach(reference: nn.Module, small: nn.Module, names: Sequence[str], points: Tensor, seed: int) -> None:
    """Fit the parameters called `names` of `small` to what `reference` answers at points; in place, on the CPU."""
    draw = torch.Generator().manual_seed(seed)
    held = dict(small.named_parameters())
    moved = [held[name] for name in names]
    kind = moved[0].dtype
    x = points.to(kind)
    wanted = answers(reference, points).to(kind)
    scale = wanted.square().mean().sqrt().clamp(min=1e-30)
    best, least = _copied(moved), _worst(small, x, wanted)
    optimizer = torch.optim.Adam(moved, RATE)
    small.train()
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1.0 + np.cos(np.pi * step / STEPS))
        rows = torch.randint(0, len(x), (min(BATCH, len(x)),), generator=draw)
        optimizer.zero_grad(set_to_none=True)
        (((small(x[rows]) - wanted[rows]) / scale).square().mean()).backward()
        optimizer.step()
    small.eval()
    if _worst(small, x, wanted) >= least:
        with torch.no_grad():
            for tensor, value in zip(moved, best, strict=True):
                tensor.copy_(value)


def _windows(description: UNet, kept: Examples) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    u, k = kept.fields.astype(np.float64), description.past
    return np.concatenate([u[:, i : i + k].reshape(len(u), -1) for i in range(u.shape[1] - k + 1)])


def _worst(module: nn.Module, x: Tensor, wanted: Tensor) -> float:
    module.eval()
    with torch.no_grad():
        pairs = zip(x.split(AT_ONCE), wanted.split(AT_ONCE), strict=True)
        return max(float((module(some) - right).abs().max()) for some, right in pairs)


def _copied(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [t.detach().clone() for t in tensors]
