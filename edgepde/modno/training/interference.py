"""What operators do to each other on a shared branch: the cosines between the slopes they ask it to follow."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..branches._branch import Branch
from .packing import flat
from .passes import Passes
from .settings import Fit
from .task import Task
from .trainer import Trainer

Floats = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Cosines:
    """matrix [n, n] of n operators: 1 where two pull the branch the same way, below 0 where they pull it apart.

    passes: what it cost to find out.
    """

    names: tuple[str, ...]
    matrix: Floats
    passes: Passes = field(default_factory=Passes)

    def of(self, first: str, second: str) -> float:
        """That of two operators."""
        return float(self.matrix[self.names.index(first), self.names.index(second)])

    def lines(self) -> list[str]:
        """A table, one line per operator, in hundredths."""
        wide = max(len(name) for name in self.names)
        return [
            f"{name:<{wide}} " + " ".join(f"{100 * value:4.0f}" for value in row)
            for name, row in zip(self.names, self.matrix, strict=True)
        ]


def slopes(trainer: Trainer) -> Tensor:
    """Of every operator, the branch's slope of its loss [n, parameters], trunks held as they are; nothing moves."""
    made = []
    for member in trainer.members:
        part = member.task.train
        found = member.predict(member.features(part.inputs), member.trunk.basis().detach())
        member.loss(found, part).backward(inputs=trainer.shared)
        made.append(flat(trainer.shared))
    return torch.stack(made)


def cosines(found: Tensor) -> Floats:
    """G_i . G_j / |G_i| |G_j| of slopes [n, parameters]; 0 for an operator that asks for nothing, 1 on the diagonal."""
    sizes = found.double().norm(dim=1, keepdim=True)
    unit = torch.where(sizes > 0, found.double() / sizes.clamp(min=1e-300), 0.0)
    matrix = (unit @ unit.T).cpu().numpy()
    np.fill_diagonal(matrix, 1.0)
    return np.clip(matrix, -1.0, 1.0)


def measure(branch: Branch, tasks: Sequence[Task], how: Fit, seed: int = 0, probes: int = 8) -> Cosines:
    """Mean cosines while a copy of the branch trains for `probes` checks, the first right at the start of it.

    At the end of a training the slopes of all add up to nothing, which says nothing about who gets along; hence along
    the way. The branch itself stays as it is.
    """
    trainer = Trainer(copy.deepcopy(branch), tasks, replace(how, schedule="plateau", warm=0.0), seed)
    seen: list[Floats] = []
    for _ in range(probes):
        for _ in range(how.check):
            trainer.step()
        if how.scheme == "varpro":
            for member in trainer.members:
                member.close()
        seen.append(cosines(slopes(trainer)))
    return Cosines(tuple(task.name for task in tasks), np.mean(seen, axis=0), trainer.passes)
