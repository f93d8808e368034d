"""The fewest bytes at which a rival's error is proved: its setting bisected, its numbers then fitted to the network.

Everything a rival leaves free is fitted: factors or kept entries, first and last layer, biases. Rivals are spared the
rounding of the device, which is part of what ours prove.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType

import torch
from torch import Tensor

from edgepde.certify.network import Network, mlp
from edgepde.compress.allowance import allowance
from edgepde.compress.proof import Judge, judge
from edgepde.compress.searching import spread

from .rivals._held import Held
from .trained import BOX, Layers

SAMPLES, FITTED, MOMENTS = 12000, 3000, 4000
ROOM, PROOF, FINER, TRIALS, STEPS = 0.95, 30.0, 4, 4, 40
POWERS = (2.0, 6.0, 12.0)
Weights = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Case:
    """The network to follow, the error allowed, sample points x [N, 2] with f(x), what hidden layers read there."""

    layers: Weights
    judged: Judge
    error: float
    x: Tensor
    y: Tensor
    reads: list[Tensor]

    @property
    def dense(self) -> int:
        """Bytes of the hidden matrices."""
        return sum(4 * w.numel() for w, _ in self.layers[1:-1])


@dataclass(frozen=True)
class Entry:
    """A rival at a setting: what its hidden matrices are held as, the other numbers, the sampled error."""

    setting: float
    held: list[Held]
    layers: Weights
    sampled: float

    @property
    def nbytes(self) -> float:
        """Of the hidden matrices."""
        return sum(h.nbytes for h in self.held)


def case(layers: Layers, error: float, seed: int) -> Case:
    """The network's float32 numbers on sample points of the box."""
    net = [(torch.tensor(w), torch.tensor(b)) for w, b in layers]
    judged = judge(network(net), allowance(error, BOX), torch.float32)
    x = spread(judged.allowed.areas, SAMPLES, seed)
    reads, h = [], x[:MOMENTS]
    for weight, bias in net[:-2]:
        h = torch.tanh(h @ weight.T + bias)
        reads.append(h)
    return Case(net, judged, error, x, judged.f(x), reads)


def network(layers: Weights) -> Network:
    """The tanh network of these layers."""
    weights, biases = ([t.detach().numpy() for t in side] for side in zip(*layers, strict=True))
    return mlp(weights, biases, ["tanh"] * (len(layers) - 1))


def made(asked: Case, rival: ModuleType, setting: float) -> Entry:
    """A rival at a setting, the mean of what a layer loses put into its bias."""
    held, layers = [], [asked.layers[0]]
    for (weight, bias), reads in zip(asked.layers[1:-1], asked.reads, strict=True):
        one = rival.held(weight, reads, setting)
        held.append(one)
        layers.append((one.weight, bias + (weight - one.weight) @ reads.mean(dim=0)))
    layers.append(asked.layers[-1])
    return Entry(setting, held, layers, _sampled(asked, layers))


def plain(asked: Case, rival: ModuleType) -> tuple[Entry | None, str]:
    """The fewest bytes that are proved without fitting again, and what was proved."""
    settings = rival.settings(tuple(asked.layers[1][0].shape))
    low, high = 0, len(settings) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if made(asked, rival, settings[middle]).sampled <= ROOM else (middle + 1, high)
    said = ""
    for setting in settings[low : low + FINER]:
        entry = made(asked, rival, setting)
        if entry.nbytes >= asked.dense:
            break
        holds, said = proved(asked, entry)
        if holds:
            return entry, said
    return None, said


def fitted(asked: Case, rival: ModuleType, seconds: float, most: float) -> tuple[Entry | None, str]:
    """The fewest bytes below `most` that are proved once everything free was fitted, the settings bisected."""
    settings = rival.settings(tuple(asked.layers[1][0].shape))
    best, said, low, high, until = None, "", -1, len(settings), time.monotonic() + seconds
    trial = 0
    while high - low > 1 and trial < TRIALS:
        middle = (low + high) // 2
        start = made(asked, rival, settings[middle])
        if start.nbytes >= min(most, asked.dense):
            high = middle
            continue
        entry, trial = fit(asked, start, max(1.0, until - time.monotonic()) / (TRIALS - trial)), trial + 1
        holds, text = proved(asked, entry) if entry.sampled <= ROOM else (False, "")
        if holds:
            best, said, high = entry, text, middle
        else:
            low = middle
    return best, said


def proved(asked: Case, entry: Entry) -> tuple[bool, str]:
    """Whether the error is proved, with the weights as float32; the device's arithmetic, which ours count, left out."""
    h = asked.judged.rounded(network(entry.layers))
    proof = asked.judged.prove(h, PROOF, 0.0)
    return proof.holds, f"proved {proof.parts[0].total:.3g}"


def fit(asked: Case, entry: Entry, seconds: float) -> Entry:
    """L-BFGS on growing powers of the error, so that the largest falls; the best of what was seen."""
    free = [[_free(t) for t in held.tensors] for held in entry.held]
    rest = [(_free(w), _free(b)) for w, b in entry.layers]
    x, y = asked.x[:FITTED], asked.y[:FITTED]
    until, best = time.monotonic() + seconds, entry

    def layers() -> Weights:
        inner = [h.dense(t) if t else h.dense(()) for h, t in zip(entry.held, free, strict=True)]
        weights = [rest[0][0], *inner, rest[-1][0]]
        return [(w, b) for w, (_, b) in zip(weights, rest, strict=True)]

    moving = [t for ts in free for t in ts] + [rest[0][0], rest[-1][0]] + [b for _, b in rest]
    for number, power in enumerate(POWERS):
        stop = time.monotonic() + (until - time.monotonic()) / (len(POWERS) - number)
        while time.monotonic() < stop and best.sampled > ROOM:
            scale = float((_forward(layers(), x) - y).detach().abs().max())
            _minimise(moving, partial(_loss, layers, x, y, scale, power))
            now = [(w.detach().clone(), b.detach().clone()) for w, b in layers()]
            sampled = _sampled(asked, now)
            if not sampled < best.sampled:
                break
            best = Entry(entry.setting, entry.held, now, sampled)
    return best


def _free(values: Tensor) -> Tensor:
    return values.clone(memory_format=torch.contiguous_format).requires_grad_()


def _minimise(moving: list[Tensor], loss: Callable[[], Tensor]) -> None:
    solver = torch.optim.LBFGS(
        moving, max_iter=STEPS, history_size=20, line_search_fn="strong_wolfe", tolerance_change=0.0
    )

    def closure() -> Tensor:
        solver.zero_grad()
        value = loss()
        value.backward()
        return value

    solver.step(closure)


def _loss(layers: Callable[[], Weights], x: Tensor, y: Tensor, scale: float, power: float) -> Tensor:
    """mean |error / scale|^power."""
    return (((_forward(layers(), x) - y) / scale) ** 2).pow(0.5 * power).mean()


def _forward(layers: Weights, x: Tensor) -> Tensor:
    for weight, bias in layers[:-1]:
        x = torch.tanh(x @ weight.T + bias)
    return x @ layers[-1][0].T + layers[-1][1]


def _sampled(asked: Case, layers: Weights) -> float:
    with torch.no_grad():
        return float((_forward(layers, asked.x) - asked.y).abs().max()) / asked.error
