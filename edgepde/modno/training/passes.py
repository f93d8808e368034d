"""Forward and backward passes, counted where they happen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, final

import torch
from torch import Tensor


@final
@dataclass
class Passes:
    """How many samples went through what: branch and trunk, forward and backward; held: forward, to choose by.

    A branch pass backward is counted when its slope is taken, a trunk's when the slope of its own numbers is; a trunk
    in closed form counts one of each per sample. Source of the measure: arXiv 2404.02892.
    """

    branch_forward: int = 0
    branch_backward: int = 0
    trunk_forward: int = 0
    trunk_backward: int = 0
    held: int = 0

    def solved(self, rows: int) -> None:
        """A trunk was found in closed form by so many samples: one pass each way."""
        self.trunk_forward += rows
        self.trunk_backward += rows

    def add(self, other: Passes) -> None:
        """Those of another part of the training."""
        for name, count in other.counts().items():
            setattr(self, name, getattr(self, name) + count)

    @property
    def total(self) -> int:
        """All that training did; held ones are not in it."""
        return self.branch_forward + self.branch_backward + self.trunk_forward + self.trunk_backward

    def counts(self) -> dict[str, int]:
        """By name."""
        return asdict(self)


def counted(x: Tensor, passes: Passes, part: str, rows: int) -> Tensor:
    """x itself; where a slope comes back through it, `rows` backward passes of the part ("branch", "trunk") count."""
    if not x.requires_grad:
        return x
    made: Tensor = _Counted.apply(x, passes, f"{part}_backward", rows)
    return made


class _Counted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, passes: Passes, name: str, rows: int) -> Tensor:
        ctx.counted = (passes, name, rows)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None, None]:
        passes, name, rows = ctx.counted
        setattr(passes, name, getattr(passes, name) + rows)
        return slope, None, None, None
