"""The rival without snapshots: one PINN in (x, t, log nu) with the same lift and mask, trained by the same method."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from edgepde_runtime.box import Box
from numpy.typing import NDArray
from torch import Tensor, nn

from edgepde.problems.derivatives import by_name, term_table
from edgepde.problems.jet import variables
from edgepde.problems.problem import Problem
from edgepde.s2gpt import jet_mlp
from edgepde.s2gpt.snapshot import MaskProduct, polynomial
from edgepde.train.levenberg_marquardt import Damping, step

Layers = Sequence[tuple[int, int]]
DEPTH = 2
POINTS = 2000
RESAMPLE_EVERY = 25


@dataclass(frozen=True)
class Trained:
    """The weights [1, n] whose residual on fresh points was smallest, that residual, and the steps taken."""

    theta: Tensor
    layers: Layers
    residual: float
    steps: int
    seconds: float


class Residual:
    """The PDE residual of a network of (x, t, s) at points [M, 3], s in [-1, 1] being the parameter on its scale."""

    def __init__(self, problem: Problem, layers: Layers, points: Tensor) -> None:
        names, factors = problem.coordinates.names, problem.factors
        where = points[:, : len(names)]
        mu = torch.from_numpy(problem.unscaled(points[:, len(names) :].numpy()))
        named = dict(zip(problem.parameters.names, mu.unbind(dim=1), strict=True))
        lift = problem.lift(variables(by_name(names, where)), named)
        self._lift = torch.stack([lift.part(problem.order(f)) for f in factors])[None]
        coordinates = by_name(names, where)
        terms = [torch.as_tensor(term.coefficient(coordinates, named)).expand(len(points)) for term in problem.terms]
        self._coefficients = torch.stack(terms)[None]
        orders = jet_mlp.closure([problem.order(f) for f in factors])
        self._mask = MaskProduct(problem, factors, where, orders)
        self._orders = [(*order, *[0] * mu.shape[1]) for order in orders]
        self._layers, self._points, self._table = layers, points[None], term_table(problem)

    def of_jet(self, jet: Tensor) -> Tensor:
        """Residual [1, M] of a jet [1, C, M]."""
        return polynomial(self._lift + self._mask(jet), self._coefficients, self._table)[0]

    def __call__(self, theta: Tensor) -> Tensor:
        """Residual [1, M] of weights [1, n]."""
        return self.of_jet(jet_mlp.forward(theta, self._layers, self._points, self._orders))

    def sized(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Residual and the sum of its terms' magnitudes, both [1, M]."""
        jet = jet_mlp.forward(theta, self._layers, self._points, self._orders)
        return polynomial(self._lift + self._mask(jet), self._coefficients, self._table)

    def linearise(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Residual [1, M] and its Jacobian [1, M, n]."""
        return jet_mlp.residual_and_jacobian(theta, self._layers, self._points, self._orders, self.of_jet)


def draw(problem: Problem, count: int, generator: torch.Generator) -> Tensor:
    """Points [count, 3], uniform in the folded domain and in the parameter on its scale."""
    box, columns = problem.domain, problem.parameters.dimension
    low = torch.tensor([*box.low, *[-1.0] * columns], dtype=torch.float64)
    high = torch.tensor([*box.high, *[1.0] * columns], dtype=torch.float64)
    return low + (high - low) * torch.rand(count, len(low), generator=generator, dtype=torch.float64)


def train(
    problem: Problem,
    width: int,
    seconds: float,
    seed: int,
    tick: Callable[[str], None] = lambda text: None,
    clock: Callable[[], float] = time.monotonic,
) -> Trained:
    """Levenberg-Marquardt until `seconds` are over, points redrawn as the snapshots' are: p ~ 1 + |r| / mean |r|."""
    generator = torch.Generator().manual_seed(seed)
    layers = jet_mlp.layer_sizes(problem.coordinates.dimension + problem.parameters.dimension, width, DEPTH)
    theta = jet_mlp.initial_weights(1, layers, generator)
    damping = Damping.initial(1, theta.device)
    active = torch.ones(1, dtype=torch.bool)
    best, least, steps, began = theta, math.inf, 0, clock()
    while True:
        pool = draw(problem, 4 * POINTS, generator)
        with torch.no_grad():
            r, size = Residual(problem, layers, pool).sized(theta)
        relative = float((r.square().mean() / size.square().mean()).sqrt().nan_to_num(math.inf))
        if relative < least:
            best, least = theta, relative
        spent = clock() - began
        tick(f"step {steps}, {spent:.0f} of {seconds:.0f} s, residual {least:.1e}")
        if spent >= seconds:
            return Trained(best, layers, least, steps, spent)
        odds = (r[0].abs() / r.abs().mean()).nan_to_num(0.0) + 1.0
        rows = Residual(problem, layers, pool[torch.multinomial(odds, POINTS, generator=generator)])
        for _ in range(RESAMPLE_EVERY):
            theta, _ = step(theta, rows.linearise, rows, damping, active)
            steps += 1
            if clock() - began >= seconds:
                break


class Network(nn.Module):
    """x [M, 3] = (x, t, log nu) -> u [M, 1], as it would be shipped: float32, odd in x by reflection."""

    def __init__(self, problem: Problem, trained: Trained) -> None:
        super().__init__()
        self.problem = problem
        self.low, self.high = math.log(problem.parameters.low[0]), math.log(problem.parameters.high[0])
        parts: list[nn.Module] = []
        for weight, bias in jet_mlp.unflatten(trained.theta, trained.layers):
            linear = nn.Linear(weight.shape[2], weight.shape[1], dtype=torch.float64)
            linear.load_state_dict({"weight": weight[0], "bias": bias[0]})
            parts += [linear, nn.Tanh()]
        self.net = nn.Sequential(*parts[:-1]).float()

    def forward(self, x: Tensor) -> Tensor:
        side, folded, t, log_nu = torch.sign(x[:, 0:1]), torch.abs(x[:, 0:1]), x[:, 1:2], x[:, 2:3]
        s = 2.0 * (log_nu - self.low) / (self.high - self.low) - 1.0
        place = {"x": folded, "t": t}
        lift = self.problem.lift(place, {"nu": torch.exp(log_nu)})
        return side * (lift + self.problem.mask(place) * self.net(torch.cat([folded, t, s], dim=1)))


def box_of(problem: Problem) -> Box:
    """The box of a Network's inputs."""
    where, mu = problem.coordinates, problem.parameters
    return Box(
        [*where.low, math.log(mu.low[0])], [*where.high, math.log(mu.high[0])], [*where.names, "log_nu"], ["m", "s", ""]
    )


def inputs_of(nu: NDArray[np.float64], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """A Network's input for one viscosity [1, 1]: (x, t, log nu), float32 [M, 3]."""
    return np.concatenate([points, np.full((len(points), 1), np.log(nu[0, 0]), dtype=np.float32)], axis=1)


def evaluate(network: Network, nu: NDArray[np.float64], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """u [1, M] by torch."""
    with torch.no_grad():
        return np.asarray(network(torch.from_numpy(inputs_of(nu, points)))[:, 0].numpy())[None]
