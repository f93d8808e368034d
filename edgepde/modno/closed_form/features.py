"""The shared branch in numpy while it is made: Gaussian units, then an output layer that all operators share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final

import numpy as np
import torch

from ..branches._branch import Branch
from ..branches.gaussian import Gaussian
from . import kernels
from .kernels import Floats

ROUNDED = 1e-6
"""Added to the eigenvalues of the centres' kernel matrix: what lies below drowns in float32."""
SEEN = 1e-9
"""Directions of the output layer that carry less than this share of the largest are left out."""
CALM = 30.0
"""Inputs count as features so many times their size: the ridge hardly weighs on them."""


@final
@dataclass(frozen=True, eq=False)
class Units:
    """Gaussian functions of one width at centres [M, I], whitened: [N, M] functions whose ridge is the kernel's."""

    centres: Floats
    width: float

    @cached_property
    def whitening(self) -> Floats:
        """[M, M]: (kernel matrix of the centres + ROUNDED)^-1/2, by its eigenvectors."""
        values, vectors = np.linalg.eigh(kernels.gaussian(self.centres, self.centres, self.width))
        return np.asarray(vectors / np.sqrt(np.maximum(values, 0.0) + ROUNDED))

    def plain(self, x: Floats) -> Floats:
        """[N, I] to [N, M]."""
        return kernels.gaussian(x, self.centres, self.width)

    def __call__(self, x: Floats) -> Floats:
        """[N, I] to [N, M], whitened."""
        return self.plain(x) @ self.whitening


class Shared(Protocol):
    """What all operators read: features of inputs, in numpy and as a module."""

    @property
    def width(self) -> int:
        """K."""

    def __call__(self, x: Floats) -> Floats:
        """[N, I] to [N, K]."""

    def branch(self) -> Branch:
        """The same as a module, in float32."""


@final
@dataclass(frozen=True, eq=False)
class Output:
    """output [M, K]: features = units @ output."""

    units: Units
    output: Floats

    @property
    def width(self) -> int:
        """K."""
        return self.output.shape[1]

    def __call__(self, x: Floats) -> Floats:
        """[N, I] to [N, K]."""
        return self.units.plain(x) @ self.output

    def branch(self) -> Gaussian:
        """The same as a module, in float32."""
        centres = torch.from_numpy(self.units.centres).float()
        return Gaussian.of(centres, self.units.width, torch.from_numpy(self.output).float())


def appended(features: Floats, x: Floats, size: float) -> Floats:
    """[features, x, 1], the last two CALM times as large as if inputs were of size 1."""
    return np.concatenate([features, CALM / size * x, np.full((len(x), 1), CALM)], axis=1)


def unappended(weights: Floats, inputs: int, size: float) -> Floats:
    """Weights [K', P] of [features, x, 1] from weights of `appended`."""
    made = weights.copy()
    made[-inputs - 1 : -1] *= CALM / size
    made[-1] *= CALM
    return made


def shared_output(units: Units, weights: Sequence[Floats], shares: Sequence[float], pool: Floats, most: int) -> Output:
    """The K functions that lose least of what all operators want, each weighed by its share.

    weights [M, r_i] of whitened units, in which an operator's functions are F_i = units(pool) @ weights_i: the leading
    left singular vectors of [share_i F_i], which are columns of the output layer because
      [share_i F_i] = U S V'  =>  U = units(pool) @ [share_i weights_i] V / S.
    """
    wanted = np.concatenate([share * w for share, w in zip(shares, weights, strict=True)], axis=1)
    functions = units(pool) @ wanted / np.sqrt(len(pool))
    values, vectors = np.linalg.eigh(functions.T @ functions)
    order = np.argsort(values)[::-1][:most]
    order = order[values[order] > SEEN**2 * values.max(initial=0.0)]
    return Output(units, units.whitening @ (wanted @ (vectors[:, order] / np.sqrt(values[order]))))
