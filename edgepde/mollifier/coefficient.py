"""The unknown of an inverse problem: a constant, a spline over some axes of the grid, or a second network of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from torch import Tensor, nn

from .grid import Grid
from .hosts.mlp import Mlp

CUBIC = 3
RIDGE = 1e-12


class Coefficient(nn.Module, ABC):
    """lambda on a grid, of some of its axes; called it gives [n_1, .., n_d] with size 1 where it does not depend."""

    def __init__(self, grid: Grid, axes: Sequence[str]) -> None:
        super().__init__()
        letters = [axis.name for axis in grid.axes]
        if not set(axes) <= set(letters) or len(set(axes)) != len(axes):
            raise InputError(f"coefficient: axes: expected some of {letters}, got {list(axes)}")
        self.places = [letters.index(name) for name in letters if name in axes]
        self.whole = grid.shape
        self.shape = tuple(len(a.values) if i in self.places else 1 for i, a in enumerate(grid.axes))

    @abstractmethod
    def forward(self) -> Tensor:
        """lambda, ready to broadcast against a field."""

    def penalty(self) -> Tensor:
        """What roughness costs; 0 where the form knows none."""
        return torch.zeros((), dtype=torch.float64)

    @abstractmethod
    def solve(self, wanted: Tensor, factor: Tensor) -> bool:
        """Set lambda to the least squares solution of factor * lambda = wanted, both [n_1, .., n_d]; whether it can."""

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return sum(p.numel() for p in self.parameters())

    def columns(self) -> Tensor:
        """lambda = columns @ numbers, [n_1, .., n_d, count]; InputError for a form that is not linear in them."""
        raise InputError(f"coefficient: expected one that is linear in its numbers, got {type(self).__name__}")

    def stiffness(self) -> Tensor:
        """Matrix [count, count] of the roughness, in units of the normal matrix's diagonal."""
        return torch.zeros(self.count, self.count, dtype=torch.float64)

    def flat(self) -> Tensor:
        """Its numbers [count]."""
        return torch.cat([p.detach().flatten() for p in self.parameters()])

    def move(self, delta: Tensor) -> None:
        """Add to its numbers [count]."""
        with torch.no_grad():
            for p, part in zip(self.parameters(), delta.split([p.numel() for p in self.parameters()]), strict=True):
                p.add_(part.reshape(p.shape))

    def map(self) -> NDArray[np.float64]:
        """lambda on the axes it depends on."""
        with torch.no_grad():
            found: NDArray[np.float64] = self().double().cpu().numpy().reshape([n for n in self.shape if n > 1])
        return found


@final
class Constant(Coefficient):
    """One number."""

    def __init__(self, grid: Grid, start: float = 0.0) -> None:
        super().__init__(grid, ())
        self.value = nn.Parameter(torch.tensor(float(start), dtype=torch.float64))

    def forward(self) -> Tensor:
        """[1, .., 1]."""
        return self.value.reshape(self.shape)

    def columns(self) -> Tensor:
        """All ones."""
        return torch.ones(*self.whole, 1, dtype=torch.float64)

    def solve(self, wanted: Tensor, factor: Tensor) -> bool:
        """sum wanted factor / sum factor^2."""
        with torch.no_grad():
            self.value.copy_((wanted * factor).sum() / (factor * factor).sum().clamp(min=1e-300))
        return True


@final
class Spline(Coefficient):
    """Cubic B-splines over one or two axes, `count` coefficients on each.

    curvature: weight of the squared second differences of neighbouring coefficients against the mean of the normal
    matrix's diagonal (P-splines, doi:10.1214/ss/1038425655). start: lambda at the beginning.
    Raises InputError where an axis has fewer points than coefficients.
    """

    def __init__(
        self, grid: Grid, axes: Sequence[str], count: int = 10, curvature: float = 1e-3, start: float = 0.0
    ) -> None:
        super().__init__(grid, axes)
        if not 1 <= len(self.places) <= 2:
            raise InputError(f"coefficient: spline: expected one or two axes, got {list(axes)}")
        if not (math.isfinite(curvature) and curvature >= 0):
            raise InputError(f"coefficient: curvature: expected a number of at least 0, got {curvature}")
        self.curvature = curvature
        for number, place in enumerate(self.places):
            values = grid.axes[place].values
            if not CUBIC < count <= len(values):
                raise InputError(
                    f"coefficient: axis {grid.axes[place].name}: expected 4 to {len(values)} coefficients, got {count}"
                )
            self.register_buffer(f"basis_{number}", torch.from_numpy(design(values, count)), persistent=False)
        bends = torch.from_numpy(np.diff(np.eye(count), 2, axis=0))
        eye = torch.eye(count, dtype=torch.float64)
        rough = bends.T @ bends
        if len(self.places) == 2:
            rough = torch.kron(rough, eye) + torch.kron(eye, rough)
        self.register_buffer("rough", rough, persistent=False)
        self.weights = nn.Parameter(torch.full((count,) * len(self.places), float(start), dtype=torch.float64))

    def forward(self) -> Tensor:
        """The spline on the grid."""
        if len(self.places) == 1:
            return (self.get_buffer("basis_0") @ self.weights).reshape(self.shape)
        return (self.get_buffer("basis_0") @ self.weights @ self.get_buffer("basis_1").T).reshape(self.shape)

    def columns(self) -> Tensor:
        """The products of the splines."""
        made = self.get_buffer("basis_0")
        if len(self.places) == 2:
            second = self.get_buffer("basis_1")
            made = (made[:, None, :, None] * second[None, :, None, :]).flatten(2)
        sizes = [*self.shape, self.count]
        return made.reshape(sizes).expand(*self.whole, self.count)

    def stiffness(self) -> Tensor:
        """The P-spline's."""
        made: Tensor = self.curvature * self.get_buffer("rough")
        return made

    def penalty(self) -> Tensor:
        """Mean squared second difference of the coefficients."""
        w = self.weights.flatten()
        rough: Tensor = self.get_buffer("rough")
        return self.curvature * (w @ rough @ w) / len(w)

    def solve(self, wanted: Tensor, factor: Tensor) -> bool:
        """The penalised normal equations, pooled over the axes lambda does not depend on."""
        with torch.no_grad():
            gone = [a for a in range(wanted.dim()) if a not in self.places]
            weight, right = (factor * factor).double(), (factor * wanted).double()
            if gone:
                weight, right = weight.sum(gone), right.sum(gone)
            normal, load = self._normal(weight, right)
            scale = normal.diagonal().mean()
            normal = normal + scale * self.curvature * self.get_buffer("rough")
            normal.diagonal().add_(RIDGE * scale)
            factored, failed = torch.linalg.cholesky_ex(normal)
            if bool(failed):
                return False
            self.weights.copy_(torch.cholesky_solve(load[:, None], factored).reshape(self.weights.shape))
        return True

    def _normal(self, weight: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        first = self.get_buffer("basis_0")
        if len(self.places) == 1:
            return first.T @ (weight[:, None] * first), first.T @ right
        second = self.get_buffer("basis_1")
        k = first.shape[1]
        pairs = (first[:, :, None] * first[:, None, :]).flatten(1).T @ weight
        blocks = pairs @ (second[:, :, None] * second[:, None, :]).flatten(1)
        normal = blocks.reshape(k, k, k, k).permute(0, 2, 1, 3).reshape(k * k, k * k)
        return normal, (first.T @ right @ second).flatten()


@final
class Network(Coefficient):
    """A tanh network of some axes; start: lambda at the beginning, scale: its spread."""

    def __init__(
        self, grid: Grid, axes: Sequence[str], width: int = 32, depth: int = 2, start: float = 0.0, scale: float = 1.0
    ) -> None:
        super().__init__(grid, axes)
        values = [grid.axes[place].values for place in self.places]
        low, high = [float(v[0]) for v in values], [float(v[-1]) for v in values]
        self.net = Mlp(low, high, width, depth, start, scale).double()
        for number, value in enumerate(values):
            self.register_buffer(f"axis_{number}", torch.from_numpy(value.copy()), persistent=False)

    def forward(self) -> Tensor:
        """The network on the grid."""
        axes = [self.get_buffer(f"axis_{number}") for number in range(len(self.places))]
        return self.net.on_grid(axes).reshape(self.shape)

    def solve(self, wanted: Tensor, factor: Tensor) -> bool:
        """Never: a network is found by its slope."""
        del wanted, factor
        return False


def design(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Cubic B-splines with equal knots, some beyond the ends, at values [n]: [n, count]. Linear ones are lines."""
    inner = np.linspace(values[0], values[-1], count - CUBIC + 1)
    beyond = (inner[1] - inner[0]) * np.arange(1, CUBIC + 1)
    knots = np.concatenate([inner[0] - beyond[::-1], inner, inner[-1] + beyond])
    found: NDArray[np.float64] = BSpline.design_matrix(values, knots, CUBIC).toarray()
    return found
