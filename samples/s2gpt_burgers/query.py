"""Load the shipped bundle, solve two new viscosities on this machine and compare with the exact solution.

Run: python samples/s2gpt_burgers/query.py [--seed N]
The number to reach, relative L2 error: median <= 5e-5 and max <= 3e-4 for nu in [0.02, 1]; <= 2e-4 and <= 2e-3 in
[0.005, 1].
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import edgepde_runtime
import numpy as np
from numpy.typing import NDArray

from edgepde.problems.burgers import cole_hopf

BUNDLE = Path(__file__).parent / "bundle"
TARGETS = {(0.02, 1.0): (5e-5, 3e-4), (0.005, 1.0): (2e-4, 2e-3)}
Array = NDArray[np.float64]


def viscosities(seed: int) -> Array:
    """64 log-spaced and 64 log-uniform viscosities in [0.005, 1], none an end of the box: [128, 1]."""
    low, high = np.log(0.005), 0.0
    spaced = low + (high - low) * (np.arange(64) + 0.5) / 64
    drawn = np.random.default_rng(seed).uniform(low, high, 64)
    return np.exp(np.concatenate([spaced, drawn]))[:, None]


def quadrature(nx: int = 200, nt: int = 60) -> tuple[Array, Array]:
    """Midpoints of [-1, 1] x [0, 1], gathered around x = 0 within 0.02, and their weights: [nx nt, 2], [nx nt]."""
    scale = np.arcsinh(1.0 / 0.02)
    s = -1.0 + 2.0 * (np.arange(nx) + 0.5) / nx
    x, wx = 0.02 * np.sinh(s * scale), 0.02 * scale * np.cosh(s * scale) * 2.0 / nx
    t = (np.arange(nt) + 0.5) / nt
    points = np.stack([m.ravel() for m in np.meshgrid(x, t, indexing="ij")], axis=1)
    return points, np.repeat(wx, nt) / nt


def relative_errors(model: edgepde_runtime.Model, parameters: Array) -> Array:
    """||u - exact|| / ||exact|| in L2 of space-time, for each viscosity: [B]."""
    points, weights = quadrature()
    held = points.astype(np.float32)
    predicted = np.concatenate([model(parameters=row[None], points=held).u for row in parameters])
    exact = cole_hopf(parameters, held.astype(np.float64))
    return np.asarray(np.sqrt(((predicted - exact) ** 2 @ weights) / (exact**2 @ weights)))


def main() -> int:
    """Print the table; exit 1 where a number is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    model = edgepde_runtime.load(BUNDLE)
    nu = viscosities(seed)
    errors = relative_errors(model, nu)
    missed = False
    for (low, high), (median, largest) in TARGETS.items():
        chosen = errors[(nu[:, 0] >= low) & (nu[:, 0] <= high)]
        met = np.median(chosen) <= median and chosen.max() <= largest
        missed |= not met
        print(
            f"nu in [{low:g}, {high:g}]: relative L2 {np.median(chosen):.1e} median, {chosen.max():.1e} max "
            f"over {len(chosen)} viscosities (to reach {median:g} / {largest:g}): {'met' if met else 'MISSED'}"
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
