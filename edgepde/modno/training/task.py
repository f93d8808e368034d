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
    Of held cases at other places: lift [P', P] takes predictions to the targets' columns, lost [N] are squares of the
    error that no prediction can avoid. Raises DataError naming the member whose shape or values are wrong.
    """

    inputs: Tensor
    targets: Tensor
    norms: Tensor
    lift: Tensor | None = None
    lost: Tensor | None = None

    def __post_init__(self) -> None:
        rows = len(self.inputs)
        for name, axes in (("inputs", 2), ("targets", 2), ("norms", 1), ("lost", 1)):
            held: Tensor | None = getattr(self, name)
            if held is None:
                continue
            if held.dim() != axes or len(held) != rows or rows == 0:
                raise DataError(f"{name}: expected {axes} axes and {max(rows, 1)} rows, got {list(held.shape)}")
            if not bool(torch.isfinite(held).all()):
                raise DataError(f"{name}: expected finite numbers")
        if not bool((self.norms > 0).all()):
            raise DataError(f"norms: expected numbers above 0, got {float(self.norms.min())}")
        if self.lift is not None and (self.lift.dim() != 2 or self.lift.shape[1] != self.targets.shape[1]):
            raise DataError(f"lift: expected [P, {self.targets.shape[1]}], got {list(self.lift.shape)}")

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def columns(self) -> int:
        """Of predictions: P' or P."""
        return (self.targets if self.lift is None else self.lift.T).shape[1]

    def to(self, device: torch.device) -> Part:
        """The same on a device."""
        lift, lost = (None if t is None else t.to(device) for t in (self.lift, self.lost))
        return Part(self.inputs.to(device), self.targets.to(device), self.norms.to(device), lift, lost)

    def scaled(self, factor: float) -> Part:
        """Targets, norms and what is lost, times a factor above 0."""
        lost = None if self.lost is None else self.lost * factor**2
        return replace(self, targets=self.targets * factor, norms=self.norms * factor, lost=lost)

    def error(self, found: Tensor) -> float:
        """Mean relative L2 error of predictions [N, P'] or [N, P]."""
        away = ((found if self.lift is None else found @ self.lift) - self.targets).square().sum(1)
        return float(((away if self.lost is None else away + self.lost).sqrt() / self.norms).mean())


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
        of = {"inputs": lambda part: part.inputs.shape[1], "targets": lambda part: part.columns}
        for name, width in of.items():
            if width(self.train) != width(self.held):
                said = f"{width(self.train)} columns to train on, {width(self.held)} in the held cases"
                raise DataError(f"operator {self.name}: {name}: {said}")
        if self.train.lift is not None or self.train.lost is not None:
            raise DataError(f"operator {self.name}: lift, lost: only held cases have them")
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
        return replace(self, train=self.train.scaled(1.0 / scale), held=self.held.scaled(1.0 / scale)), scale
