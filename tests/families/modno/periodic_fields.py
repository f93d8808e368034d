"""Trigonometric inputs and shift-equivariant linear operators on them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from edgepde.modno import branches
from edgepde.modno.cassette import Cassette
from edgepde.modno.encoding import Encoding
from edgepde.modno.model import SharedModel

Floats = NDArray[np.float64]
PERIOD = 2.0
SENSORS = np.arange(12) * PERIOD / 12


def inputs(count: int, modes: int, seed: int = 0, mean: bool = False) -> Floats:
    """Coefficients [N, 2m+1]."""
    made = np.random.default_rng(seed).uniform(-1.0, 1.0, (count, 2 * modes + 1))
    made[:, 0] *= mean
    return made


def model(
    modes: int = 6, rank: int = 4, terms: int = 3, linear_terms: int | None = None, delta: int = 0
) -> SharedModel:
    """A shared branch of fixed weights in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        branch = branches.build({"kind": "gaussian", "inputs": 11, "features": 5, "units": 7})
    encoding = Encoding(SENSORS, PERIOD, 5)
    return SharedModel(encoding, branch.double(), terms, modes, rank, delta, linear_terms, torch.float64).eval()


def cassette(seed: int = 0, rank: int = 3, terms: int = 2, modes: int = 4, frame: bool = True) -> Cassette:
    """Random numbers."""
    rng = np.random.default_rng(seed)
    multiplier = rng.standard_normal((2, terms, min(modes, 5) + 1))
    multiplier[1, :, 0] = 0.0
    return Cassette(
        name="a",
        frame=frame,
        multiplier=multiplier,
        mixing=rng.standard_normal((5 + 11 + 1, rank)),
        basis=rng.standard_normal((rank, terms, 2 * modes + 1)),
        scale=1.5,
        horizon=1.0,
        low=-np.ones(12),
        high=np.ones(12),
    )
