"""One training step on the biharmonic of a network, four ways; as a script, a process that says what it took.

Taylor-mode jets carry u^(k) / k! along four directions, from which u_xxyy follows by polarisation:

    12 u_xxyy = D_(1,1)^4 u + D_(1,-1)^4 u - 2 u_xxxx - 2 u_yyyy
"""

from __future__ import annotations

import json
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
import torch
from torch import Tensor, nn

from edgepde.mollifier.exact import NestedAutograd, SeparableJets
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.hosts import host
from edgepde.mollifier.hosts._host import Host, grid_points
from edgepde.mollifier.hosts._jets import Series, tanh_series
from edgepde.mollifier.layer import MollifierLayer

NAMES = ("biharmonic",)
RATE = 1e-3
WARMING = 20
DIRECTIONS = ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, -1.0))


class Way(ABC):
    """A way to the biharmonic [n, n] of a host on the unit square."""

    name: ClassVar[str]
    host: ClassVar[str] = "mlp"

    def __init__(self, grid: Grid, dtype: torch.dtype = torch.float32) -> None:
        self.grid, self.dtype = grid, dtype

    @abstractmethod
    def biharmonic(self, net: Host) -> Tensor:
        """u_xxxx + 2 u_xxyy + u_yyyy at all points of the grid."""


@final
class Nested(Way):
    """Four backward passes inside each other."""

    name = "nested autograd"

    def biharmonic(self, net: Host) -> Tensor:
        return NestedAutograd(self.grid, NAMES, dtype=self.dtype).of(net).biharmonic


@final
class Jets(Way):
    """Four directions at once, to order four."""

    name = "Taylor-mode jets"

    def biharmonic(self, net: Host) -> Tensor:
        axes = [torch.from_numpy(axis.values.copy()).to(self.dtype) for axis in self.grid.axes]
        scale = 2.0 / (net.high - net.low).to(self.dtype)
        x = net.unit(grid_points(axes))
        ways = torch.tensor(DIRECTIONS, dtype=self.dtype) * scale
        weight = ways.new_tensor([2.0 / 3.0, 2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0])[:, None]
        layers = list(net.get_submodule("layers"))
        assert all(isinstance(layer, nn.Linear) for layer in layers)
        return net.scale * (weight * directional(layers, x, ways)).sum(0).reshape(self.grid.shape)


@final
class Layer(Way):
    """Values on the grid and kernels."""

    name = "ours"

    def __init__(self, grid: Grid, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(grid, dtype)
        self.layer = MollifierLayer(grid, NAMES, dtype=dtype)

    def biharmonic(self, net: Host) -> Tensor:
        return self.layer.of(net).biharmonic


@final
class Separable(Way):
    """A host of two networks of one coordinate, rank 32, with their exact jets."""

    name = "separable host, exact 1-D jets"
    host = "separable"

    def biharmonic(self, net: Host) -> Tensor:
        return SeparableJets(self.grid, NAMES, dtype=self.dtype).of(net).biharmonic


WAYS: dict[str, type[Way]] = {way.name: way for way in (Nested, Jets, Layer, Separable)}


def directional(layers: list[nn.Module], x: Tensor, ways: Tensor) -> Tensor:
    """The fourth derivative along every direction [D, M] of tanh layers at points x [M, 2], directions [D, 2].

    Values are shared by the directions; coefficients are [D, M, width].
    """
    first = layers[0]
    assert isinstance(first, nn.Linear)
    slope = (ways @ first.weight.T)[:, None, :]
    value = first(x)
    series: Series = [value, slope, *[torch.zeros_like(slope)] * 3]
    for layer in layers[1:]:
        assert isinstance(layer, nn.Linear)
        series = tanh_series(series)
        series = [layer(series[0]), *(part @ layer.weight.T for part in series[1:])]
    return 24.0 * series[4][..., 0]


def model(way: type[Way], seed: int, dtype: torch.dtype = torch.float32) -> Host:
    """MLP 2-64-64-64-64-1, or two networks 1-64-64-32, on the unit square."""
    torch.manual_seed(seed)
    box = ([0.0, 0.0], [1.0, 1.0])
    made = host("mlp")(*box, 64, 4) if way.host == "mlp" else host("separable")(*box, 64, 2, rank=32)  # type: ignore[call-arg]
    return made.to(dtype)


def grid(points: int) -> Grid:
    """points x points on the unit square."""
    edge = np.linspace(0.0, 1.0, points)
    return Grid.of(y=edge, x=edge)


def held(most: bool) -> int:
    """Bytes this process holds, or has held at most."""
    name = "VmHWM" if most else "VmRSS"
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return 1024 * int(line.split()[1])
    raise SystemExit(f"/proc/self/status: expected {name}, there is none")


def step(way: Way, net: Host, optimizer: torch.optim.Optimizer) -> float:
    """One step of Adam on mean (biharmonic - 1)^2; seconds."""
    began = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    loss = (way.biharmonic(net) - 1.0).square().mean()
    loss.backward()
    optimizer.step()
    return time.perf_counter() - began


def measure(name: str, points: int, steps: int, seed: int) -> dict[str, Any]:
    """Bytes above what the process held with the model made; small steps before load what any step loads."""
    torch.set_num_threads(1)
    kind = WAYS[name]
    net = model(kind, seed)
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    step(kind(grid(WARMING)), net, optimizer)
    way = kind(grid(points))
    before = held(most=False)
    for _ in range(steps):
        step(way, net, optimizer)
    return {"bytes": held(most=True) - before}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], *(int(v) for v in sys.argv[2:5]))))
