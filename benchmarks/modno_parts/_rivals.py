"""Rivals of one operator that need no product of two nets: least squares, kernel ridge, POD with an MLP.

All are fitted to fields on the training grid and read elsewhere by interpolation; what they choose, they choose on
validation cases.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ._deeponets import Cases

Floats = NDArray[np.floating]
Kernel = Callable[[Floats, Floats], Floats]
Reader = Callable[[Floats], NDArray[np.float64]]
"""Fields [N, T n] on the training grid to fields [N, P] on that of the validation cases."""
RIDGES = tuple(10.0**-k for k in range(1, 13))
WIDTHS = (0.35, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
"""Of the Gaussian, in units of the median distance of two inputs."""
LINEAR = (0.0, 0.1, 1.0, 10.0)
"""Of s . s' / mean |s|^2 beside the Gaussian."""
MODES, STEPS, RATE, DECAY, CHECK = 40, 3000, 5e-3, 1e-4, 50
PASSES = 2
"""Of a case in a step: forward and backward through the MLP."""


@dataclass(frozen=True)
class Fitted:
    """inputs [N, S] to fields [N, T n] on the training grid; how many numbers it stores; its validation error."""

    predict: Callable[[Floats], NDArray[np.float64]]
    numbers: int
    validation: float
    passes: int
    note: str = ""


def linear(train: Cases, held: Cases, read: Reader) -> Fitted:
    """Ridge with a constant: a matrix from sensors to fields."""
    return _of_kernel(train, held, read, [(_affine, "")], (len(train.inputs[0]) + 1) * train.field[0].size)


def kernel_ridge(train: Cases, held: Cases, read: Reader) -> Fitted:
    """Gaussian + linear kernel: width, share and ridge by validation; all inputs and fields are stored."""
    distance = np.median(np.sqrt(_distances(train.inputs, train.inputs)[np.triu_indices(len(train.inputs), 1)]))
    size = float(np.square(train.inputs).sum(1).mean())
    kernels = [
        (_gaussian(w * float(distance), share, size), f"width {w:g}, linear {share:g}")
        for w in WIDTHS
        for share in LINEAR
    ]
    return _of_kernel(train, held, read, kernels, train.inputs.size + train.field.size)


def _of_kernel(train: Cases, held: Cases, read: Reader, kernels: list[tuple[Kernel, str]], numbers: int) -> Fitted:
    """The kernel and the ridge of the least validation error, from inner products of fields alone."""
    fields, wanted = _flat(train), _flat(held)
    middle = fields.mean(0)
    own = fields - middle
    seen_own, other = read(own), wanted - read(middle[None])
    gram, cross, square = seen_own @ seen_own.T, seen_own @ other.T, np.square(other).sum(1)
    norms = np.linalg.norm(wanted, axis=1)
    best = (np.inf, kernels[0][0], 0.0, "")
    for kernel, name in kernels:
        values, vectors = np.linalg.eigh(kernel(train.inputs, train.inputs))
        seen = kernel(held.inputs, train.inputs) @ vectors
        for ridge in RIDGES:
            dual = (seen / (np.maximum(values, 0.0) + ridge * values[-1])) @ vectors.T
            off = (dual @ gram * dual).sum(1) - 2.0 * (dual * cross.T).sum(1) + square
            error = float((np.sqrt(np.maximum(off, 0.0)) / norms).mean())
            if error < best[0]:
                best = (error, kernel, ridge, f"{name}, ridge {ridge:g}".strip(", "))
    error, kernel, ridge, note = best
    values, vectors = np.linalg.eigh(kernel(train.inputs, train.inputs))
    weights = (vectors / (np.maximum(values, 0.0) + ridge * values[-1])) @ (vectors.T @ own)

    def predict(inputs: Floats) -> NDArray[np.float64]:
        return np.asarray(kernel(inputs, train.inputs) @ weights + middle)

    return Fitted(predict, numbers, error, 0, note)


def _affine(a: Floats, b: Floats) -> Floats:
    return np.asarray(a @ b.T + 1.0)


def _gaussian(width: float, share: float, size: float) -> Kernel:
    def kernel(a: Floats, b: Floats) -> Floats:
        return np.asarray(np.exp(-0.5 * _distances(a, b) / width**2) + share * (a @ b.T) / size)

    return kernel


def _distances(a: Floats, b: Floats) -> NDArray[np.float64]:
    """Squared, [N, M]."""
    return np.maximum(np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2.0 * a @ b.T, 0.0)


def pod_mlp(
    train: Cases, held: Cases, read: Reader, width: int, seed: int, steps: int = STEPS, skip: bool = False
) -> Fitted:
    """POD of the training fields, coefficients by an MLP: AdamW on all cases, best weights on validation cases.

    skip: of what least squares leaves, so that linear operators are not learned by a net.
    """
    base = linear(train, held, read) if skip else None
    fields, wanted = _flat(train), _flat(held)
    sizes = [np.linalg.norm(f, axis=1) for f in (fields, wanted)]
    if base:
        fields, wanted = fields - base.predict(train.inputs), wanted - read(base.predict(held.inputs))
    middle = fields.mean(0)
    rank = min(MODES, len(fields) - 1)
    basis = np.linalg.svd((fields - middle) / sizes[0][:, None], full_matrices=False)[2][:rank]
    net = _Net(train.inputs, rank, width, float(np.std((fields - middle) @ basis.T)) or 1.0, seed)
    seen, rest = read(basis), wanted - read(middle[None])

    def error() -> float:
        return float((np.linalg.norm(net(held.inputs) @ seen - rest, axis=1) / sizes[1]).mean())

    best = net.fit(train.inputs, (fields - middle) @ basis.T, sizes[0], steps, error)

    def predict(inputs: Floats) -> NDArray[np.float64]:
        found = net(inputs) @ basis + middle
        return found + base.predict(inputs) if base else found

    numbers = net.numbers + basis.size + middle.size + (base.numbers if base else 0)
    return Fitted(predict, numbers, best, PASSES * steps * len(fields), f"{rank} modes")


def _flat(cases: Cases) -> NDArray[np.float64]:
    return np.asarray(cases.field, np.float64).reshape(len(cases.field), -1)


class _Net:
    """Inputs [N, S] to coefficients [N, R]."""

    def __init__(self, inputs: Floats, rank: int, width: int, scale: float, seed: int) -> None:
        self.middle, self.spread, self.scale = inputs.mean(), inputs.std(), scale
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            sizes = (inputs.shape[1], width, width, rank)
            layers = [nn.Linear(n, m) for n, m in itertools.pairwise(sizes)]
        self.module = nn.Sequential(layers[0], nn.SiLU(), layers[1], nn.SiLU(), layers[2])
        self.numbers = sum(p.numel() for p in self.module.parameters()) + 3

    def given(self, inputs: Floats) -> torch.Tensor:
        return torch.from_numpy((np.asarray(inputs) - self.middle) / self.spread).float()

    def __call__(self, inputs: Floats) -> NDArray[np.float64]:
        with torch.no_grad():
            return np.asarray(self.module(self.given(inputs)).double().numpy() * self.scale)

    def fit(self, inputs: Floats, wanted: Floats, sizes: Floats, steps: int, error: Callable[[], float]) -> float:
        """Fit coefficients [N, R] of fields of these sizes [N]; the least validation error, whose weights are kept."""
        x, y = self.given(inputs), torch.from_numpy(wanted / self.scale).float()
        norm = torch.from_numpy(sizes / self.scale).float()[:, None]
        adam = torch.optim.AdamW(self.module.parameters(), RATE, weight_decay=DECAY)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
        best, kept = np.inf, self.module.state_dict()
        for step in range(1, steps + 1):
            loss = ((self.module(x) - y) / norm).square().sum(1).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            falling.step()
            if (step % CHECK == 0 or step == steps) and (now := error()) < best:
                best, kept = now, {name: value.clone() for name, value in self.module.state_dict().items()}
        self.module.load_state_dict(kept)
        return best
