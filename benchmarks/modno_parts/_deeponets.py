"""DeepONets trained side by side: nets of one shape on data of one grid, as stacked matrix products; each stops alone.

One prediction: u(t, x) = shift + scale * (branch(s) . trunk(t, x) + bias); x is read as cosines and sines of whole
waves, so every net is periodic. Passes: of branch and trunk, forward and backward, four for a case of a batch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Floats = NDArray[np.floating]
FORWARD_AND_BACKWARD = 4


@dataclass(frozen=True)
class Shape:
    """Sizes of one net: hidden widths of branch and trunk, terms of their product, waves x is read in."""

    sensors: int
    branch: tuple[int, ...] = (100, 100)
    trunk: tuple[int, ...] = (84, 84, 84)
    terms: int = 64
    waves: int = 4
    extra: int = 0
    """Inputs of the branch beside the sensors."""

    @property
    def layers(self) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
        """(inputs, outputs) of every layer of branch and trunk."""
        branch = (self.sensors + self.extra, *self.branch, self.terms)
        trunk = (1 + 2 * self.waves, *self.trunk, self.terms)
        return tuple(itertools.pairwise(branch)), tuple(itertools.pairwise(trunk))

    @property
    def numbers(self) -> int:
        """Weights and biases, the bias of the product, two scales of the sensors, two of the field."""
        return sum((n + 1) * m for part in self.layers for n, m in part) + 1 + 4

    @classmethod
    def of(cls, numbers: int, sensors: int, terms: int = 64, waves: int = 4, extra: int = 0) -> Shape:
        """The widest net of at most so many numbers; branch and trunk get half each."""
        best = cls(sensors, (1, 1), (1, 1, 1), terms, waves, extra)
        for width in range(1, 2000):
            made = replace(best, branch=(width, width))
            if _count(made.layers[0]) > numbers / 2:
                break
            best = made
        for width in range(1, 2000):
            made = replace(best, trunk=(width, width, width))
            if made.numbers > numbers:
                break
            best = made
        return best


@dataclass(frozen=True)
class How:
    """Adam on batches of cases x points; the rate is divided where validation stalls, and after the last cut it ends.

    patience: checks without a gain of `gain` before a cut; longest: passes over all cases at most.
    """

    rate: float = 5e-3
    cases: int = 50
    points: int = 256
    check: int = 100
    patience: int = 6
    cuts: int = 5
    factor: float = 0.4
    gain: float = 0.002
    decay: float = 1e-5
    longest: int = 4000
    seed: int = 0


@dataclass(frozen=True)
class Falling(How):
    """The rate falls as a cosine over the longest training, and nothing ends before."""


@dataclass(frozen=True)
class Cases:
    """What a net is fitted to. inputs [N, S]; field [N, T, n] at times [T], in units of the horizon, and x [n].

    sizes [N]: root mean squares that errors are relative to; those of the fields, unless they are given.
    """

    inputs: Floats
    field: Floats
    times: Floats
    x: Floats
    sizes: Floats | None = None


@dataclass
class Net:
    """One trained net: its leaves, its scales, its history of (passes over all cases, validation error)."""

    shape: Shape
    leaves: list[Tensor]
    shift: float
    scale: float
    center: float
    spread: float
    history: list[tuple[float, float]] = field(default_factory=list)
    passes: int = 0
    """Forward and backward, of branch and trunk, all together."""

    @property
    def passes_to_best(self) -> int:
        """Until the weights that are kept were reached."""
        last, best = self.history[-1][0], min(self.history, key=lambda check: check[1])[0]
        return round(self.passes * best / last)

    def __call__(self, inputs: Floats, times: Floats, x: Floats) -> NDArray[np.float64]:
        """u [N, T, n]; times in units of the horizon."""
        stack = [leaf[None] for leaf in self.leaves]
        with torch.no_grad():
            branch = _forward(stack, self.shape, 0, self._scaled(inputs)[None])
            trunk = _forward(stack, self.shape, 1, _grid(times, x, self.shape.waves)[None])
            found = torch.bmm(branch, trunk.mT) + stack[-1][..., None]
        made = found[0].double().numpy().reshape(len(inputs), len(times), len(x))
        return np.asarray(made * self.scale + self.shift)

    def _scaled(self, inputs: Floats) -> Tensor:
        made = np.array(inputs, np.float64)
        sensors = self.shape.sensors
        made[:, :sensors] = (made[:, :sensors] - self.center) / self.spread
        return torch.from_numpy(made).float()


def train(shape: Shape, given: Sequence[tuple[Cases, Cases]], how: How, seed: int) -> list[Net]:
    """A net for each pair of training and validation cases; the best weights on validation cases.

    All nets are of one size, all training cases on one grid, each operator's validation cases on one of its own.
    """
    nets = [_begin(shape, cases, seed) for cases, _ in given]
    return _Trainer(nets, given, how).run()


def _begin(shape: Shape, cases: Cases, seed: int) -> Net:
    generator = torch.Generator().manual_seed(seed)
    leaves = []
    for part in shape.layers:
        for n, m in part:
            leaves.append(torch.randn(n, m, generator=generator) * math.sqrt(2.0 / (n + m)))
            leaves.append(torch.zeros(m))
    leaves[2 * len(shape.layers[0]) - 2] /= math.sqrt(shape.terms)
    leaves.append(torch.zeros(1))
    sensors = cases.inputs[:, : shape.sensors]
    return Net(
        shape,
        leaves,
        float(cases.field.mean()),
        float(cases.field.std()) or 1.0,
        float(sensors.mean()),
        float(sensors.std()) or 1.0,
    )


class _Trainer:
    """The nets that still learn."""

    def __init__(self, nets: list[Net], given: Sequence[tuple[Cases, Cases]], how: How) -> None:
        self.nets, self.how = nets, how
        self.grid = _grid(given[0][0].times, given[0][0].x, nets[0].shape.waves)
        self.other = [_grid(held.times, held.x, nets[0].shape.waves) for _, held in given]
        self.data = [[_prepared(net, cases) for cases in pair] for net, pair in zip(nets, given, strict=True)]
        self.live = list(range(len(nets)))
        self.best = [math.inf] * len(nets)
        self.kept: list[list[Tensor]] = [[leaf.clone() for leaf in net.leaves] for net in nets]
        self.waits, self.cuts = [0] * len(nets), [0] * len(nets)
        for net in nets:
            net.leaves = [leaf.requires_grad_() for leaf in net.leaves]
        groups = [{"params": net.leaves, "lr": how.rate} for net in nets]
        self.adam = torch.optim.AdamW(groups, weight_decay=how.decay, fused=True)
        self.generator = torch.Generator().manual_seed(how.seed)

    def run(self) -> list[Net]:
        """Steps until every net has stalled or the longest training is over."""
        count = len(self.data[0][0][0])
        steps = self.how.longest * count // min(self.how.cases, count)
        self._gather()
        for step in range(1, steps + 1):
            if isinstance(self.how, Falling):
                self._fall(step / steps)
            self._step()
            if step % self.how.check == 0 or step == steps:
                self._check(step * min(self.how.cases, count) / count)
                if not self.live:
                    break
        for net, kept in zip(self.nets, self.kept, strict=True):
            net.leaves = kept
        return self.nets

    def _fall(self, share: float) -> None:
        for group in self.adam.param_groups:
            group["lr"] = 0.5 * self.how.rate * (1.0 + math.cos(math.pi * share))

    def _gather(self) -> None:
        """Inputs, fields and weights of the nets that still learn, one behind the other."""
        parts = [self.data[i] for i in self.live]
        self.train_set, self.held = ([torch.stack([p[k][j] for p in parts]) for j in range(3)] for k in range(2))
        self.held_grid = torch.stack([self.other[i] for i in self.live])

    def _stack(self) -> list[Tensor]:
        nets = [self.nets[i] for i in self.live]
        return [torch.stack([net.leaves[k] for net in nets]) for k in range(len(nets[0].leaves))]

    def _step(self) -> None:
        inputs, wanted, sizes = self.train_set
        rows = torch.randperm(inputs.shape[1], generator=self.generator)[: self.how.cases]
        points = torch.randint(len(self.grid), (self.how.points,), generator=self.generator)
        found = self._predict(inputs[:, rows], self.grid[points].expand(len(inputs), -1, -1))
        off = found - wanted.index_select(1, points).index_select(2, rows).mT
        loss = (off / sizes[:, rows, None]).square().mean((1, 2)).sum()
        self.adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        for i in self.live:
            self.nets[i].passes += FORWARD_AND_BACKWARD * len(rows)

    def _predict(self, inputs: Tensor, grid: Tensor) -> Tensor:
        """Inputs [G, N, S] and points [G, P, d] to [G, N, P]."""
        stack, shape = self._stack(), self.nets[0].shape
        branch, trunk = (_forward(stack, shape, part, given) for part, given in enumerate((inputs, grid)))
        return torch.baddbmm(stack[-1][..., None], branch, trunk.mT)

    def _check(self, epochs: float) -> None:
        """Validation errors; nets that stalled learn slower, then leave."""
        inputs, wanted, sizes = self.held
        with torch.no_grad():
            found = self._predict(inputs, self.held_grid)
        errors = ((found - wanted.mT).square().mean(2).sqrt() / sizes).mean(1).tolist()
        left = []
        for i, error in zip(self.live, errors, strict=True):
            self.nets[i].history.append((epochs, error))
            if self._judge(i, error):
                left.append(i)
        if left != self.live:
            self.live = left
            if left:
                self._gather()

    def _judge(self, i: int, error: float) -> bool:
        """Whether net i goes on."""
        self.waits[i] = 0 if error < self.best[i] * (1.0 - self.how.gain) else self.waits[i] + 1
        if error < self.best[i]:
            self.best[i] = error
            self.kept[i] = [leaf.detach().clone() for leaf in self.nets[i].leaves]
        if self.waits[i] < self.how.patience or isinstance(self.how, Falling):
            return True
        self.waits[i] = 0
        self.cuts[i] += 1
        self.adam.param_groups[i]["lr"] *= self.how.factor
        return self.cuts[i] <= self.how.cuts


def _prepared(net: Net, cases: Cases) -> tuple[Tensor, Tensor, Tensor]:
    """Scaled inputs [N, S], scaled fields [P, N], root mean squares of whole fields, scaled, [N]."""
    flat = cases.field.reshape(len(cases.field), -1)
    sizes = np.sqrt(np.square(flat).mean(1)) if cases.sizes is None else cases.sizes
    wanted = torch.from_numpy((flat - net.shift) / net.scale).float()
    return net._scaled(cases.inputs), wanted.T.contiguous(), torch.from_numpy(sizes / net.scale).float()


def _forward(stack: Sequence[Tensor], shape: Shape, part: int, h: Tensor) -> Tensor:
    """[G, B, n] -> [G, B, terms]."""
    first = 2 * len(shape.layers[0]) * part
    last = len(shape.layers[part]) - 1
    for k in range(last + 1):
        h = torch.baddbmm(stack[first + 2 * k + 1][:, None], h, stack[first + 2 * k])
        h = functional.silu(h) if k < last else h
    return h


def _grid(times: Floats, x: Floats, waves: int) -> Tensor:
    """[T * n, 1 + 2 waves]: 2 t - 1, cosines and sines of k pi x."""
    angle = np.pi * np.asarray(x)[:, None] * np.arange(1, waves + 1)
    space = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    t = np.repeat(2.0 * np.asarray(times) - 1.0, len(x))[:, None]
    return torch.from_numpy(np.hstack([t, np.tile(space, (len(times), 1))])).float()


def _count(layers: Sequence[tuple[int, int]]) -> int:
    return sum((n + 1) * m for n, m in layers)
