"""Does compressing a wide PINN's hidden layers keep its tangent kernel positive definite, and is that guaranteed?"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _harness import Row, say
from edgepde_runtime import render
from torch import Tensor, nn

from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.layer import HLinear
from edgepde.hmatrix.ntk import ntk_check
from edgepde.network import store

from .trained import BOX, NU, layers

RUN = Path(__file__).parents[2] / "samples" / "hmatrix_pinn" / "run"
SAMPLES, EPS, RANKS = 4000, (1e-1, 3e-1), (96, 48)
Shrink = Callable[[nn.Linear, Tensor], nn.Module]


def rows(quick: bool, seed: int = 0) -> list[Row]:
    """d / sigma_min(J) of outputs and residual for the sample's PINN: below 1, and the kernel's sign is guaranteed."""
    whole = sequential()
    points = torch.from_numpy(BOX.sample(20 if quick else 100, np.random.default_rng(seed)))
    ways: dict[str, Shrink] = {"rounded to float16": _halved, **{f"blocks, eps {eps:g}": _blocks(eps) for eps in EPS}}
    ways |= {f"rank {rank}, weighed by activations": _weighed(rank) for rank in RANKS}
    made = []
    for name, shrink in ways.items():
        say(f"ntk: {name}")
        small, share = _shrunk(whole, shrink)
        for what in (None, residual):
            found = ntk_check(whole, small, points, what)
            spectrum = f"lambda_min {render.number(found.before)} -> {render.number(found.after)}"
            bound = f"bound {render.number(found.bound)}"
            note = (
                f"{found.verdict}; {spectrum}, {bound}; numbers {share:.3g} of dense, output {_off(whole, small):.2g}"
            )
            case = f"tangent kernel of the {found.quantity}, {len(points)} points, d / sigma_min"
            made.append(Row(case, name, "", found.distance / found.least[0], note=note))
    return made


def sequential() -> nn.Sequential:
    """The sample's network as torch layers in float64."""
    made: list[nn.Module] = []
    for weight, bias in layers(store.load(RUN).module.network()):
        layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        layer.load_state_dict({"weight": torch.from_numpy(weight.copy()), "bias": torch.from_numpy(bias.copy())})
        made += [layer, nn.Tanh()]
    return nn.Sequential(*made[:-1])


def residual(network: nn.Module, x: Tensor) -> Tensor:
    """u_t + u u_x - nu u_xx [N]."""
    x = x.detach().requires_grad_()
    u = network(x)[:, 0]
    slope = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
    bend = torch.autograd.grad(slope[:, 0].sum(), x, create_graph=True)[0][:, 0]
    return slope[:, 1] + u * slope[:, 0] - NU * bend


def _shrunk(whole: nn.Sequential, shrink: Shrink) -> tuple[nn.Sequential, float]:
    """The network with other hidden layers, and what of their numbers is left."""
    small, h = copy.deepcopy(whole), torch.from_numpy(BOX.sample(SAMPLES, np.random.default_rng(1)))
    held, of = 0, 0
    with torch.no_grad():
        for i, layer in enumerate(whole):
            if isinstance(layer, nn.Linear) and layer.in_features == layer.out_features:
                small[i] = shrink(layer, h)
                of += layer.weight.numel()
                held += min(layer.weight.numel(), getattr(small[i], "numbers", layer.weight.numel()))
            h = layer(h)
    return small, held / of


def _halved(layer: nn.Linear, _: Tensor) -> nn.Module:
    made = copy.deepcopy(layer)
    with torch.no_grad():
        made.weight.copy_(layer.weight.half())
    return made


def _blocks(eps: float) -> Shrink:
    return lambda layer, h: HLinear.from_linear(layer, HConfig(eps=eps, leaf=16))


def _weighed(rank: int) -> Shrink:
    """U U^T W, U the leading left singular vectors of W C^(1/2), C the second moment of the layer's inputs."""

    def shrink(layer: nn.Linear, h: Tensor) -> nn.Module:
        values, vectors = torch.linalg.eigh(h.T @ h / len(h))
        root = vectors * values.clamp(min=0.0).sqrt()
        U = torch.linalg.svd(layer.weight @ root, full_matrices=False)[0][:, :rank]
        return _Product(U, U.T @ layer.weight, layer.bias)

    return shrink


class _Product(nn.Module):
    """y = U (V x) + b, read as one matrix by the check."""

    def __init__(self, left: Tensor, right: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.left, self.right, self.bias = nn.Parameter(left), nn.Parameter(right), nn.Parameter(bias.clone())

    @property
    def numbers(self) -> int:
        """How many numbers the matrix holds."""
        return self.left.numel() + self.right.numel()

    def dense(self) -> Tensor:
        """U V."""
        return self.left @ self.right

    def forward(self, x: Tensor) -> Tensor:
        """y [.., m]."""
        return x @ self.right.T @ self.left.T + self.bias


def _off(one: nn.Module, other: nn.Module) -> float:
    """Largest difference of the outputs over sample points."""
    x = torch.from_numpy(BOX.sample(SAMPLES, np.random.default_rng(2)))
    with torch.no_grad():
        return float((one(x) - other(x)).abs().max())
