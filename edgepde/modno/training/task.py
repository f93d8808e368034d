"""One operator as a training sees it: canonical inputs, what the trunk has to give, what errors are relative to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from edgepde.errors import DataError


@final
@dataclass(frozen=True, eq=False)
class Part:
    """inputs [N, I] canonical coefficients; targets [N, P], of which the Euclidean norm is the L2 norm; norms [N] > 0.

    norms: what the error of each case is relative to, the norm of the whole solution where targets are a remainder.
    Raises DataError naming the member whose shape or values are wrong.
    """

    inputs: Tensor
    targets: Tensor
    norms: Tensor

    def __post_init__(self) -> None:
        rows = len(self.inputs)
        for name, axes in (("inputs", 2), ("targets", 2), ("norms", 1)):
            held: Tensor = getattr(self, name)
            if held.dim() != axes or len(held) != rows or rows == 0:
                raise DataError(f"{name}: expected {axes} axes and {max(rows, 1)} rows, got {list(held.shape)}")
            if not bool(torch.isfinite(held).all()):
                raise DataError(f"{name}: expected finite numbers")
        if not bool((self.norms > 0).all()):
            raise DataError(f"norms: expected numbers above 0, got {float(self.norms.min())}")

    def __len__(self) -> int:
        return len(self.inputs)

    def error(self, found: Tensor) -> float:
        """Mean relative L2 error of predictions [N, P]."""
        return float(((found - self.targets).square().sum(1).sqrt() / self.norms).mean())


@final
@dataclass(frozen=True, eq=False)
class Task:
    """An operator: cases to train on and held cases to choose by; points [P, d] of the columns for trunks of (t, x).

    Raises DataError naming the operator and what disagrees.
    """

    name: str
    train: Part
    held: Part
    points: Tensor | None = None

    def __post_init__(self) -> None:
        for axis, name in ((1, "inputs"), (1, "targets")):
            a, b = getattr(self.train, name).shape[axis], getattr(self.held, name).shape[axis]
            if a != b:
                raise DataError(f"operator {self.name}: {name}: {a} columns to train on, {b} in the held cases")
        if self.points is not None and len(self.points) != self.columns:
            raise DataError(f"operator {self.name}: points: expected {self.columns} rows, got {len(self.points)}")

    @property
    def inputs(self) -> int:
        """I."""
        return self.train.inputs.shape[1]

    @property
    def columns(self) -> int:
        """P."""
        return self.train.targets.shape[1]

    def normalised(self) -> tuple[Task, float]:
        """Targets and norms divided by the root mean square norm of the targets (1 where it is 0), and that number."""
        scale = float(self.train.targets.square().sum(1).mean().sqrt()) or 1.0
        train, held = (Part(p.inputs, p.targets / scale, p.norms / scale) for p in (self.train, self.held))
        return replace(self, train=train, held=held), scale
