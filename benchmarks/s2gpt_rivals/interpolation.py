"""The rival without a PDE online: the snapshots' fields interpolated or fitted by polynomials in log nu."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import BarycentricInterpolator, CubicSpline
from torch import Tensor, nn

from edgepde.s2gpt import start
from edgepde.s2gpt.candidates import candidates
from edgepde.s2gpt.compress import Small
from edgepde.s2gpt.online import Start
from edgepde.s2gpt.online_field import Field
from edgepde.s2gpt.reduced import ReducedModel, fold, lifted

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Snapshots:
    """lift(nu) + sum_n w_n(nu) v_n at points [M, 2]: v [M, N] from the float64 networks, w from log nu.

    degree None: barycentric interpolation through all N snapshots; else the least-squares polynomial of that degree.
    """

    model: ReducedModel
    points: Array
    values: Array
    degree: int | None = None

    @classmethod
    def at(cls, model: ReducedModel, points: NDArray[np.float32]) -> Snapshots:
        """The snapshots' own fields without lift at these points, the odd half mirrored."""
        folded, sign = fold(model.problem, points.astype(np.float64))
        own = np.linalg.inv(model.transform)
        return cls(model, points.astype(np.float64), sign[:, None] * (model.basis(folded) @ own))

    def weights(self, nu: Array) -> Array:
        """w [B, N] for nu [B, 1]."""
        nodes = self.model.problem.scaled(self.model.parameters)
        s = self.model.problem.scaled(nu)
        unit = np.eye(len(nodes))
        if self.degree is None:
            return np.asarray(BarycentricInterpolator(nodes[:, 0], unit)(s[:, 0]))
        return np.asarray(start.features(s, self.degree) @ start.fit(nodes, unit, self.degree))

    def field(self, nu: Array, _points: object = None) -> Array:
        """u [B, M]."""
        folded, sign = fold(self.model.problem, self.points)
        return np.asarray(sign * lifted(self.model.problem, nu, folded) + self.weights(nu) @ self.values.T)

    def fitted(self, degree: int) -> Snapshots:
        """The same snapshots under a least-squares polynomial."""
        return replace(self, degree=degree)


class SolvedOffline:
    """The reduced model's own coefficients, solved offline at every training candidate, as a cubic spline in log nu."""

    def __init__(self, model: ReducedModel) -> None:
        self._model = model
        over = candidates(model.problem)
        solution, _ = model.solve(over)
        self._spline = CubicSpline(model.problem.scaled(over)[:, 0], solution)

    def field(self, nu: Array, points: NDArray[np.float32]) -> Array:
        """u [B, M] without a solve."""
        coefficients = np.asarray(self._spline(self._model.problem.scaled(nu)[:, 0]))
        return self._model.field(nu, points.astype(np.float64), coefficients)


def amplification(snapshots: Snapshots, count: int = 2000) -> float:
    """The Lebesgue constant max sum_n |w_n|: how much the snapshots' own errors may grow."""
    nu = snapshots.model.problem.unscaled(np.linspace(-1.0, 1.0, count)[:, None])
    return float(np.abs(snapshots.weights(nu)).sum(axis=1).max())


class Query(nn.Module):
    """What such a rival would run on a device: a polynomial in log nu, then the same field table as ours."""

    def __init__(self, small: Small) -> None:
        super().__init__()
        model = small.model
        own: Array = np.asarray(np.linalg.inv(model.transform).T, dtype=np.float64)
        nodes, degree = model.problem.scaled(model.parameters), model.size - 1
        self.start = Start(replace(model, start_degree=degree, start_matrix=start.fit(nodes, own, degree)))
        self.field = Field(model.problem, small.table)

    def forward(self, parameters: Tensor, points: Tensor) -> Tensor:
        u: Tensor = self.field(self.start(parameters), parameters, points)
        return u


def example() -> dict[str, Tensor]:
    """Inputs to trace a Query with."""
    return {
        "parameters": torch.tensor([[0.1], [0.2]], dtype=torch.float64),
        "points": torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], dtype=torch.float32),
    }
