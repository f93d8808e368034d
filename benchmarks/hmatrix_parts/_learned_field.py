"""The exact solution of viscous Burgers (nu = 0.02) learned by wide tanh nets whose hidden layers hold few numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from _harness import OURS, Row, say
from edgepde_runtime.blocks import Block
from edgepde_runtime.box import Box
from torch import Tensor, nn

from edgepde.hmatrix.adapt import Adaptivity
from edgepde.hmatrix.clusters import ClusterTree, in_order
from edgepde.hmatrix.compressing import Compressor
from edgepde.hmatrix.config import HConfig
from edgepde.hmatrix.layer import HLinear
from edgepde.hmatrix.layout import Layout
from edgepde.hmatrix.seriation import from_activations
from edgepde.problems.burgers import cole_hopf

from ._training import How, low_rank, row, train

BOX = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"], ["m", "s"])
NU, POINTS, BATCH, TESTS = 0.02, 8000, 256, 4000
RATES, PENALTY, HIDDEN, BISECTIONS = (1e-3, 4e-3, 1e-2), 1e-6, 2, 10
Data = tuple[Tensor, Tensor]


def rows(quick: bool, seed: int) -> list[Row]:
    """Relative L2 error against the exact solution, hidden layers at the storage of blocks of rank 2."""
    width, steps = (64, 150) if quick else (256, 600)
    config = HConfig(leaf=width // 16)
    most = HLinear(width, width, config, rank=2).numbers
    plain = How(steps, RATES[0])
    adaptivity = Adaptivity(0.1, coarse=1e-3, step=1, leaf=config.leaf, numbers=most)
    narrow = round((2 * most / HIDDEN) ** 0.5)
    scratch: list[tuple[str, Callable[[], nn.Module], How]] = [
        (
            OURS,
            lambda: _net(width, lambda: HLinear(width, width, config, rank=1)),
            How(steps, 0.0, PENALTY, adaptivity),
        ),
        ("blocks of fixed rank 2", lambda: _net(width, lambda: HLinear(width, width, config, rank=2)), plain),
        ("low rank", lambda: _net(width, lambda: low_rank(width, width, most)), plain),
        ("block diagonal", lambda: _net(width, lambda: _block_diagonal(width, most)), plain),
        (f"dense of width {narrow}", lambda: _net(narrow, lambda: nn.Linear(narrow, narrow)), plain),
        ("dense, all numbers", lambda: _net(width, lambda: nn.Linear(width, width)), plain),
    ]
    case = f"field of Burgers, tanh 2-{width}x3-1"
    seeds = [seed] if quick else [seed, seed + 1, seed + 2]
    made = []
    for name, build, how in scratch:
        say(f"training: {case}: {name}")
        errors, rate, net = _better(build, how, seeds)
        made.append(row(case, name, errors, f"hidden at {_share(net, width):.3g} of dense, rate {rate:g}"))
    dense, how = scratch[-1][1], replace(plain, rate=rate)
    return [*made, *_compressed(case, dense, how, config, most, seeds)]


def _better(build: Callable[[], nn.Module], how: How, seeds: list[int]) -> tuple[list[float], float, nn.Module]:
    """The errors at the better of the rates, chosen on the first seed; that rate and one net."""
    tried = []
    for rate in RATES:
        net = _trained(build, replace(how, rate=rate), seeds[0])
        tried.append((_error(net), rate, net))
    first, rate, net = min(tried, key=lambda t: t[0])
    return [first, *(_error(_trained(build, replace(how, rate=rate), s)) for s in seeds[1:])], rate, net


def _compressed(
    case: str, dense: Callable[[], nn.Module], how: How, config: HConfig, most: int, seeds: list[int]
) -> list[Row]:
    """A dense net for half of the steps, then each form."""
    say(f"training: {case}: dense at first")
    halves = [_trained(dense, how.part(0.0, 0.5), seed) for seed in seeds]

    def ended(name: str, i: int, rate: float) -> float:
        net = _shrunk(halves[i], name, config, most)
        train(net, _loss(_data(seeds[i]), seeds[i] + 1), replace(how, rate=rate).part(0.5, 1.0))
        return _error(net)

    made = []
    for name in ("low rank", "blocks", "blocks, units re-ordered"):
        first, rate = min((ended(name, 0, rate), rate) for rate in RATES)
        errors = [first, *(ended(name, i, rate) for i in range(1, len(seeds)))]
        note = f"dense for half of the steps, then hidden layers of as many numbers as above, rate {rate:g}"
        made.append(row(case, f"dense, then {name}", errors, note))
    return made


def _net(width: int, hidden: Callable[[], nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(2, width), nn.Tanh()]
    for _ in range(HIDDEN):
        layers += [hidden(), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(width, 1))


def _block_diagonal(width: int, most: int) -> HLinear:
    """Dense blocks on the diagonal, of as many numbers as there may be, and nothing else: no hierarchy."""
    size = most // width
    layer, starts = HLinear(width, width), range(0, width, size)
    spans = [(start, min(start + size, width)) for start in starts]
    layer.arrange(Layout(width, width, tuple(Block(r, c, None if r == c else 0) for r in spans for c in spans)))
    layer.reset_parameters()
    with torch.no_grad():
        layer.left *= (width / size) ** 0.5
    return layer


@cache
def _data(seed: int, count: int = POINTS) -> Data:
    points = BOX.sample(count, np.random.default_rng(seed))
    exact = cole_hopf(np.array([[NU]]), points)[0]
    return torch.tensor(points, dtype=torch.float32), torch.tensor(exact, dtype=torch.float32)[:, None]


def _loss(data: Data, seed: int) -> Callable[[nn.Module, int], Tensor]:
    draws = np.random.default_rng(seed).integers(len(data[0]), size=(1 << 12, BATCH))

    def loss(net: nn.Module, step: int) -> Tensor:
        picked = torch.from_numpy(draws[step % len(draws)])
        return (net(data[0][picked]) - data[1][picked]).square().mean()

    return loss


def _trained(build: Callable[[], nn.Module], how: How, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return train(build(), _loss(_data(seed), seed), how)


def _error(net: nn.Module) -> float:
    points, exact = _data(10_000, TESTS)
    with torch.no_grad():
        return float(torch.linalg.norm(net(points) - exact) / torch.linalg.norm(exact))


def _share(net: nn.Module, width: int) -> float:
    assert isinstance(net, nn.Sequential)
    held = [layer for layer in list(net)[2:-1:2]]
    numbers = sum(m.numbers if isinstance(m, HLinear) else m.weight.numel() for m in held if not isinstance(m, nn.Tanh))
    return float(numbers) / (HIDDEN * width**2)


def _shrunk(net: nn.Module, name: str, config: HConfig, most: int) -> nn.Sequential:
    """The net with hidden layers of at most so many numbers, as near to its own as this form allows."""
    assert isinstance(net, nn.Sequential)
    layers, h = [], _data(0, 2000)[0]
    for layer in net:
        with torch.no_grad():
            after = layer(h)
            units = torch.tanh(after)
        if isinstance(layer, nn.Linear) and layer.in_features == layer.out_features:
            order = in_order(layer.in_features, config.leaf), in_order(layer.in_features, config.leaf)
            if name == "blocks, units re-ordered":
                order = from_activations(units.numpy(), config.leaf), from_activations(h.numpy(), config.leaf)
            layers.append(_truncated(layer, most) if name == "low rank" else _blocks(layer, config, order, most))
        else:
            layers.append(_copied(layer))
        h = after
    return nn.Sequential(*layers)


def _copied(layer: nn.Module) -> nn.Module:
    if not isinstance(layer, nn.Linear):
        return layer
    made = nn.Linear(layer.in_features, layer.out_features)
    made.load_state_dict(layer.state_dict())
    return made


def _truncated(layer: nn.Linear, most: int) -> HLinear:
    made = low_rank(layer.in_features, layer.out_features, most)
    with torch.no_grad():
        U, S, Vt = torch.linalg.svd(layer.weight, full_matrices=False)
        for factor, side in zip(made.factors(0), (U, Vt.T), strict=True):
            factor.copy_(side[:, : factor.shape[1]] * S[: factor.shape[1]].sqrt())
        if made.bias is not None:
            made.bias.copy_(layer.bias)
    return made


def _blocks(layer: nn.Linear, config: HConfig, order: tuple[ClusterTree, ClusterTree], most: int) -> HLinear:
    """The least eps, bisected, whose blocks hold no more numbers."""
    low, high = 0.0, 0.999
    search = Compressor(layer.weight.detach().double().numpy(), HConfig(leaf=config.leaf, eps=high), *order)
    made = search.at(high)
    for _ in range(BISECTIONS):
        trial = search.at(0.5 * (low + high))
        low, high, made = (low, trial.config.eps, trial) if trial.numbers <= most else (trial.config.eps, high, made)
    return HLinear.from_hmatrix(made, layer.bias.detach(), torch.float32)
