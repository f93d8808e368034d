"""Surrogates whose exact solutions are known, and what may go wrong with them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from edgepde_runtime.box import Box
from numpy.typing import NDArray
from torch import Tensor, nn

from edgepde.mollifier.grid import Grid
from edgepde.problems.equation import Equation
from edgepde.problems.problem import Term

Array = NDArray[np.float64]
Exact = Callable[[Array, Array, Array], Array]
STEEP, OTHER = 0.5, 0.7


@final
@dataclass(frozen=True)
class Case:
    """A problem: exact(parameters [M, P, 1, 1], t [T, 1], x [X]) -> [M, T, X], and the same for another boundary."""

    name: str
    box: Box
    grid: Grid
    equation: Equation
    exact: Exact
    other: Exact

    def fields(self, parameters: Array, exact: Exact | None = None) -> Array:
        """Solutions [M, T, X] for parameters [M, P]."""
        t, x = (axis.values for axis in self.grid.axes)
        return (exact or self.exact)(parameters[:, :, None, None], t[:, None], x)

    def outside(self, parameters: Array, share: float) -> Array:
        """The same parameters but for nu: share above its upper or below its lower end, by turns."""
        moved = parameters.copy()
        moved[0::2, 0] = self.box.high[0] * (1.0 + share)
        moved[1::2, 0] = self.box.low[0] / (1.0 + share)
        return moved


def _wave(steep: float) -> Exact:
    """u = c - s tanh(s (x - c t) / (2 nu)): u_t + u u_x = nu u_xx, from c + s on the left to c - s on the right."""

    def exact(mu: Array, t: Array, x: Array) -> Array:
        nu, c = mu[:, 0], mu[:, 1]
        return np.asarray(c - steep * np.tanh(steep * (x - c * t) / (2.0 * nu)))

    return exact


def _modes(shape: Callable[[Array], Array]) -> Exact:
    """u = sum_k a_k exp(-nu (k pi)^2 t) shape(k pi x), k = 1, 2, 3: u_t = nu u_xx."""

    def exact(mu: Array, t: Array, x: Array) -> Array:
        nu, a2, a3 = mu[:, 0], mu[:, 1], mu[:, 2]
        parts = zip((1.0, a2, a3), (math.pi, 2 * math.pi, 3 * math.pi), strict=True)
        return np.asarray(sum(a * np.exp(-nu * k * k * t) * shape(k * x) for a, k in parts))

    return exact


def _minus(name: str) -> Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], Tensor]:
    return lambda _, mu: -mu[name]


def _one(at: Mapping[str, Tensor], mu: Mapping[str, Tensor]) -> Tensor:  # noqa: ARG001 - a Term's coefficient
    return torch.ones_like(next(iter(mu.values())))


def cases(quick: bool) -> tuple[Case, ...]:
    """Burgers' travelling wave and heat in a rod."""
    n = (16, 40) if quick else (20, 48)
    low, high = [0.0, -1.0], [0.5, 1.0]
    burgers = Equation(
        "burgers",
        Box(low, high, ["t", "x"]),
        Box([0.05, 0.0], [0.5, 1.0], ["nu", "c"]),
        (Term(_one, ("u_t",)), Term(_one, ("u", "u_x")), Term(_minus("nu"), ("u_xx",))),
    )
    heat = Equation(
        "heat",
        Box([0.0, 0.0], [1.0, 1.0], ["t", "x"]),
        Box([0.01, -1.0, -1.0], [0.1, 1.0, 1.0], ["nu", "a2", "a3"]),
        (Term(_one, ("u_t",)), Term(_minus("nu"), ("u_xx",))),
    )
    return (
        _case("Burgers wave", burgers, n, _wave(STEEP), _wave(OTHER)),
        _case("heat in a rod", heat, n, _modes(np.sin), _modes(np.cos)),
    )


def _case(name: str, equation: Equation, n: tuple[int, int], exact: Exact, other: Exact) -> Case:
    (a, b), (c, d) = zip(equation.coordinates.low, equation.coordinates.high, strict=True)
    grid = Grid.of(t=np.linspace(a, b, n[0]), x=np.linspace(c, d, n[1]))
    assert equation.parameters is not None
    return Case(name, equation.parameters, grid, equation, exact, other)


@final
class Decoder(nn.Module):
    """Parameters [M, P] to a field [M, T, X]: coefficients by a small network, times modes of training fields."""

    def __init__(self, box: Box, modes: Tensor, mean: Tensor, scale: Tensor, width: int) -> None:
        super().__init__()
        low, high = torch.tensor(box.low), torch.tensor(box.high)
        self.register_buffer("middle", (0.5 * (low + high)).float())
        self.register_buffer("reach", (0.5 * (high - low)).float())
        self.body = nn.Sequential(
            nn.Linear(box.dimension, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, len(scale)),
        )
        self.readout = nn.Linear(len(scale), modes.shape[1])
        self.shape = tuple(mean.shape)
        with torch.no_grad():
            self.readout.weight.copy_((modes * scale[:, None]).T)
            self.readout.bias.copy_(mean.ravel())

    def forward(self, x: Tensor) -> Tensor:
        """The fields."""
        return self.readout(self.coefficients(x)).reshape(-1, *self.shape)

    def coefficients(self, x: Tensor) -> Tensor:
        """In units of their standard deviation."""
        made: Tensor = self.body((x - self.middle) / self.reach)
        return made


def trained(case: Case, seed: int, quick: bool, other: bool = False) -> Decoder:
    """A surrogate of a case, or of its equation with the other boundary data, by a fixed number of steps."""
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, int(other)])
    count, rank, width, steps = (256, 8, 32, 400) if quick else (512, 16, 64, 3000)
    x = case.box.sample(count, rng)
    fields = case.fields(x, case.other if other else None)
    mean = fields.mean(axis=0)
    u, s, v = np.linalg.svd((fields - mean).reshape(count, -1), full_matrices=False)
    rank = min(rank, int((s > 1e-6 * s[0]).sum()))
    scale = s[:rank] / math.sqrt(count)
    goal = torch.from_numpy(u[:, :rank] * math.sqrt(count)).float()
    made = Decoder(case.box, *(torch.from_numpy(a).float() for a in (v[:rank], mean, scale)), width)
    points, weight = torch.from_numpy(x).float(), torch.from_numpy(scale / scale[0]).float().clamp_min(1e-3)
    optimiser = torch.optim.Adam(made.body.parameters(), 3e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        (((made.coefficients(points) - goal) * weight) ** 2).mean().backward()
        optimiser.step()
        decay.step()
    return made.eval()


def noisy(module: nn.Module, share: float, rng: np.random.Generator) -> nn.Module:
    """A copy with every weight times 1 + share * (a standard normal number)."""
    made = copy.deepcopy(module)
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(1.0 + share * torch.from_numpy(rng.standard_normal(tuple(weight.shape))).float())
    return made


def flipped(module: nn.Module, bits: int, rng: np.random.Generator) -> nn.Module:
    """A copy with so many random bits of its float32 weights turned."""
    made = copy.deepcopy(module)
    with torch.no_grad():
        weights = list(made.parameters())
        ends = np.cumsum([w.numel() for w in weights])
        for place, bit in zip(rng.integers(ends[-1], size=bits), rng.integers(32, size=bits), strict=True):
            own = int(np.searchsorted(ends, place, side="right"))
            flat = weights[own].view(-1).numpy().view(np.uint32)
            flat[place - (ends[own - 1] if own else 0)] ^= np.uint32(1) << np.uint32(bit)
    return made
