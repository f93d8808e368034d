"""Adam's memory and modules as named tensors, to write down and to put back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def copied(tensors: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Copies under a prefix."""
    return {f"{prefix}{name}": t.detach().clone() for name, t in tensors.items()}


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those under a prefix, without it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def memory(optimizer: torch.optim.Optimizer | None, moved: Sequence[nn.Parameter], prefix: str) -> dict[str, Tensor]:
    """The moments of the parameters that it moves."""
    if optimizer is None:
        return {}
    return {
        f"{prefix}{place}.{moment}": optimizer.state[held][moment].detach().clone()
        for place, held in enumerate(moved)
        for moment in MOMENTS
        if moment in optimizer.state[held]
    }


def remember(
    optimizer: torch.optim.Optimizer | None, moved: Sequence[nn.Parameter], tensors: Mapping[str, Tensor]
) -> None:
    """Put moments back."""
    if optimizer is None:
        return
    for place, held in enumerate(moved):
        found = under(tensors, f"{place}.")
        optimizer.state[held] = {m: t.clone() if m == "step" else t.clone().to(held) for m, t in found.items()}


@torch.no_grad()
def put(targets: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Copy values into tensors of the same names, in place."""
    for name, target in targets.items():
        target.copy_(tensors[name])


def flat(parameters: Sequence[nn.Parameter]) -> Tensor:
    """Their slopes as one tensor [n], zeros where there are none; they are cleared."""
    made = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in parameters])
    for p in parameters:
        p.grad = None
    return made


def spread(slope: Tensor, parameters: Sequence[nn.Parameter]) -> None:
    """One tensor [n] as their slopes."""
    for p, part in zip(parameters, slope.split([p.numel() for p in parameters]), strict=True):
        p.grad = part.reshape(p.shape).clone()
