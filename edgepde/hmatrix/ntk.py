"""Does the neural tangent kernel stay positive definite when layers are compressed?

Theta = J J^T, J the slopes of a network's outputs (or of its PDE residual) at points by all dense weights and biases.
With d = |J - J'|_2, and by Weyl for eigenvalues and for singular values,

    |Theta - Theta'|_2 <= 2 |J|_2 d + d^2,    lambda_min(Theta') >= lambda_min(Theta) - (2 |J|_2 d + d^2),
    sigma_min(J') >= sigma_min(J) - d,        lambda_min = sigma_min^2,

so Theta' is positive definite where 2 |J| d + d^2 < lambda_min(Theta), and already where d < sigma_min(J), which the
first implies. arXiv:2409.07028 states the first without numbers. Eigenvalues are squares of singular values of J, found
from triangular factors: those of J J^T would drown in rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

import torch
from edgepde_runtime import render
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from .point_rows import PointLinear, rows, twin

Verdict = Literal["guaranteed", "observed", "lost", "absent"]
EPS, CHUNK = torch.finfo(torch.float64).eps, 1 << 14
SAYS: dict[Verdict, str] = {
    "guaranteed": "positive definite, guaranteed: d < sigma_min(J)",
    "observed": "positive definite as computed, not guaranteed: d is not below sigma_min(J)",
    "lost": "no longer positive definite: sigma_min(J') is not above rounding",
    "absent": "nothing to keep: sigma_min(J) is not above rounding",
}


@final
@dataclass(frozen=True)
class NtkCheck:
    """norm: |J|_2; distance: d = |J - J'|_2; moved: |Theta - Theta'|_2; least: sigma_min of J and J'.

    size: rows of J. rounding: what a singular value may be off by in float64; norm and distance are rounded upwards.
    """

    quantity: str
    size: int
    norm: float
    distance: float
    moved: float
    least: tuple[float, float]
    rounding: float

    @property
    def before(self) -> float:
        """lambda_min(Theta)."""
        return self.least[0] ** 2

    @property
    def after(self) -> float:
        """lambda_min(Theta')."""
        return self.least[1] ** 2

    @property
    def bound(self) -> float:
        """2 |J|_2 d + d^2 >= |Theta - Theta'|_2."""
        return 2.0 * self.norm * self.distance + self.distance**2

    @property
    def by_kernel(self) -> bool:
        """Whether the bound on |Theta - Theta'| alone keeps Theta' positive definite."""
        return self.bound < max(0.0, self.least[0] - self.rounding) ** 2

    @property
    def verdict(self) -> Verdict:
        """What can be said of the kernel after."""
        if self.least[0] <= self.rounding:
            return "absent"
        if self.distance < self.least[0] - self.rounding:
            return "guaranteed"
        return "observed" if self.least[1] > self.rounding else "lost"

    def __str__(self) -> str:
        lines = [
            ("|J|_2", self.norm),
            ("d = |J - J'|_2", self.distance),
            ("sigma_min(J)", self.least[0]),
            ("sigma_min(J')", self.least[1]),
            ("|Theta - Theta'|_2", self.moved),
            ("its bound 2 |J|_2 d + d^2", self.bound),
            ("lambda_min(Theta)", self.before),
            ("lambda_min(Theta')", self.after),
            ("rounding of singular values", self.rounding),
        ]
        shown = render.table([(name, render.number(value)) for name, value in lines], ("", "value"), right=(1,))
        also = " and 2 |J|_2 d + d^2 < lambda_min(Theta)" if self.verdict == "guaranteed" and self.by_kernel else ""
        head = f"neural tangent kernel of the {self.quantity}, {self.size} x {self.size}"
        return f"{head}\n{shown}\n{SAYS[self.verdict]}{also}"


def ntk_check(
    before: nn.Module,
    after: nn.Module,
    points: Tensor,
    residual: Callable[[nn.Module, Tensor], Tensor] | None = None,
) -> NtkCheck:
    """Compare the tangent kernels of two networks at points [N, d], both read as functions of their dense matrices.

    The networks are linear layers (nn.Linear, HLinear, or whatever has `dense()` and `bias`) of the same shapes and
    functions without parameters. residual(network, points) -> [N]: the kernel of this instead of the outputs; its row i
    may depend on point i alone. Computed in float64, layer by layer: memory is a few N numbers per weight of the
    largest layer. Raises InputError.
    """
    if points.dim() != 2 or not len(points) or not bool(torch.isfinite(points).all()):
        raise InputError(f"ntk_check: points: expected finite numbers [N, d], got {list(points.shape)}")
    said = residual or (lambda network, x: network(x))
    at = points.detach().double()
    pairs = [twin(module, len(at)) for module in (before, after)]
    _matching(pairs[0][1], pairs[1][1])
    factors: list[Tensor] = []
    numbers = 0
    for one, other in zip(*(rows(*pair, at, said) for pair in pairs), strict=True):
        if one.shape != other.shape:
            raise InputError(f"ntk_check: outputs differ: {list(one.shape)} and {list(other.shape)} rows and weights")
        if not bool(torch.isfinite(one).all() and torch.isfinite(other).all()):
            raise InputError("ntk_check: the slopes of the networks are not finite")
        factors = factors or [one.new_zeros(0, len(one)) for _ in range(3)]
        for i in range(0, one.shape[1], CHUNK):
            a, b = one[:, i : i + CHUNK], other[:, i : i + CHUNK]
            factors = [_upper(factor, part) for factor, part in zip(factors, (a, b, a - b), strict=True)]
        numbers += one.shape[1]
    return _compared("outputs" if residual is None else "residual", factors, numbers)


def _upper(factor: Tensor, part: Tensor) -> Tensor:
    """R with R^T R = factor^T factor + part part^T."""
    return torch.linalg.qr(torch.cat([factor, part.T]), mode="r")[1]


def _compared(quantity: str, factors: list[Tensor], numbers: int) -> NtkCheck:
    """Householder's triangular factor of n columns is that of a matrix off by about n eps of its Frobenius norm."""
    size = factors[0].shape[1]
    singular = [torch.linalg.svdvals(factor) for factor in factors]
    unit = (numbers + size) * EPS
    off = [unit * float(torch.linalg.norm(factor)) for factor in factors]
    least = [float(found[-1]) if len(found) == size else 0.0 for found in singular]
    gap = factors[0].T @ factors[0] - factors[1].T @ factors[1]
    return NtkCheck(
        quantity,
        size,
        float(singular[0][0]) + off[0],
        float(singular[2][0]) + off[2],
        float(torch.linalg.eigvalsh(gap).abs().max()),
        (least[0], least[1]),
        max(off[:2]),
    )


def _matching(one: list[PointLinear], other: list[PointLinear]) -> None:
    if len(one) != len(other):
        raise InputError(f"ntk_check: expected equally many linear layers, got {len(one)} and {len(other)}")
    for a, b in zip(one, other, strict=True):
        if a.shape != b.shape:
            raise InputError(f"ntk_check: {b.name}: expected {list(a.shape)} as {a.name}, got {list(b.shape)}")
