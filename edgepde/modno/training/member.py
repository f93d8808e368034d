"""One operator in a training: its normalised data, its trunk and delta, and the part of the branch that it reads."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from edgepde.train.device import stage_generator

from ..branches._branch import Branch
from .closed import RIDGES, left_out, path, solve
from .delta import Delta
from .passes import Passes, counted
from .settings import Fit
from .task import Part, Task
from .trunks import trunk
from .trunks._trunk import Trunk
from .trunks.spectral import SpectralTrunk

FLOOR = 1e-10
"""Squared relative error below which `balance log` stops pulling."""


@final
class Member:
    """All that is local to an operator. scale: what its targets were divided by."""

    def __init__(self, task: Task, branch: Branch, how: Fit, seed: int, passes: Passes, rank: int = 0) -> None:
        self.name, self.branch, self.how, self.seed, self.passes = task.name, branch, how, seed, passes
        self.task, self.scale = task.normalised()
        features = branch.width + (task.inputs + 1 if how.appended else 0)
        like = self.task.train.targets
        self.trunk: Trunk = trunk(how.trunk).start(
            self.task, features, how, stage_generator(seed, f"trunk {self.name}")
        )
        draw = stage_generator(seed, f"delta {self.name}")
        self.delta = Delta(task.inputs, rank, draw, like) if rank else None
        log_ridge = torch.tensor(math.log(how.ridge), dtype=torch.float64, device=like.device)
        self.log_ridge = nn.Parameter(log_ridge, requires_grad=how.scheme == "varpro" and how.objective == "loo")
        self.optimizer = torch.optim.Adam(list(self.own.values()), how.rate) if self.own else None
        self.base = float(self.task.train.norms.square().mean().sqrt())
        self.short = turned(self.task.train.targets) if how.scheme == "varpro" else self.task.train.targets
        if self.log_ridge.requires_grad:
            self.begin()

    @property
    def own(self) -> dict[str, nn.Parameter]:
        """What its own optimizer moves, by name."""
        found = {} if self.how.scheme == "varpro" else {f"trunk.{k}": p for k, p in self.trunk.named_parameters()}
        found |= {f"delta.{k}": p for k, p in self.delta.named_parameters()} if self.delta is not None else {}
        return found | ({"log_ridge": self.log_ridge} if self.log_ridge.requires_grad else {})

    def stored(self) -> dict[str, Tensor]:
        """All its numbers, by name."""
        found = {f"trunk.{k}": t for k, t in self.trunk.state_dict().items()} | {"log_ridge": self.log_ridge.detach()}
        return found | ({f"delta.{k}": t for k, t in self.delta.state_dict().items()} if self.delta is not None else {})

    def rows(self, step: int) -> Tensor:
        """The cases of a step: consecutive pieces of fresh permutations, the same whatever ran before."""
        cases = len(self.task.train)
        batch = min(self.how.batch or cases, cases)
        first, found = step * batch, []
        for epoch in range(first // cases, (first + batch - 1) // cases + 1):
            order = torch.randperm(cases, generator=stage_generator(self.seed, f"cases {self.name} {epoch}"))
            found.append(order[max(0, first - epoch * cases) : first + batch - epoch * cases])
        return torch.cat(found)

    def take(self, rows: Tensor) -> Part:
        """Some training cases."""
        held = self.task.train
        return Part(held.inputs[rows], held.targets[rows], held.norms[rows])

    def features(self, x: Tensor, count: bool = True) -> Tensor:
        """A [B, K'] of canonical inputs x; passes count."""
        made: Tensor = self.branch(x, *(self.delta.parts if self.delta is not None else ()))
        if count:
            self.passes.branch_forward += len(x)
            made = counted(made, self.passes, "branch", len(x))
        return torch.cat([made, x, torch.ones_like(x[:, :1])], 1) if self.how.appended else made

    def predict(self, features: Tensor, basis: Tensor) -> Tensor:
        """A b [B, P]; passes count."""
        self.passes.trunk_forward += len(features)
        return features @ counted(basis, self.passes, "trunk", len(features))

    def loss(self, found: Tensor, part: Part) -> Tensor:
        """Mean squared relative error of predictions, or its logarithm."""
        return self.balanced(((found - part.targets).square().sum(1) / part.norms.square()).mean())

    def balanced(self, loss: Tensor) -> Tensor:
        """A mean squared relative error as the balance counts it."""
        return torch.log(loss + FLOOR) if self.how.balance == "log" else loss

    def weighted(self, features: Tensor, targets: Tensor, norms: Tensor) -> tuple[Tensor, Tensor]:
        """A and Y with rows times base / norm, so that |A W - Y|^2 / N / base^2 is the mean squared relative error."""
        weights = (self.base / norms)[:, None]
        return features * weights, targets * weights

    def whole(self, targets: Tensor) -> tuple[Tensor, Tensor]:
        """A and Y of all training cases, for targets or what stands for them; the branch's passes count."""
        held = self.task.train
        return self.weighted(self.features(held.inputs), targets, held.norms)

    @torch.no_grad()
    def close(self) -> None:
        """Solve a spectral trunk on all training cases, with the ridge as it stands."""
        pair = self.whole(self.task.train.targets)
        self._solution_counts()
        self.put(solve(*pair, float(self.log_ridge.exp())).trunk)

    @torch.no_grad()
    def begin(self) -> None:
        """Start from the ridge that leaving one training case out likes best."""
        pair = self.whole(self.short)
        ridge = min(RIDGES, key=lambda tried: float(left_out(*pair, tried)[0]))
        self.log_ridge.fill_(math.log(ridge))

    @torch.no_grad()
    def refit(self) -> float:
        """Solve it with the ridge that the held cases like best and keep that if they gain; their error."""
        best = self.held_error()
        held = self.features(self.task.held.inputs, count=False)
        self._solution_counts()
        for tried in path(*self.whole(self.task.train.targets), RIDGES):
            error = self.task.held.error(held @ tried.to(held))
            if error < best:
                best = error
                self.put(tried)
        return best

    @torch.no_grad()
    def held_error(self) -> float:
        """Mean relative L2 error on the held cases."""
        held = self.task.held
        self.passes.held += len(held)
        return held.error(self.features(held.inputs, count=False) @ self.trunk.basis())

    def put(self, basis: Tensor) -> None:
        """Another basis for a spectral trunk."""
        assert isinstance(self.trunk, SpectralTrunk)
        self.trunk.stored.data.copy_(basis)

    def _solution_counts(self) -> None:
        self.passes.trunk_forward += len(self.task.train)
        self.passes.trunk_backward += len(self.task.train)


def turned(targets: Tensor) -> Tensor:
    """Y V [N, at most N] of targets Y [N, P], V orthonormal and spanning their rows: all misfits keep their norms."""
    if targets.shape[0] >= targets.shape[1]:
        return targets
    left, sizes, _ = torch.linalg.svd(targets.double(), full_matrices=False)
    return left * sizes
