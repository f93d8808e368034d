"""Recompute the numbers of this sample through the shipped bundle: errors, what is proved, sizes.

Run: python samples/hmatrix_pinn/check.py [--seed N]
To reach: the trained network's relative L2 error <= 1e-3; proved |network - device| <= 1e-3 for the C99 code; hidden
layers <= 0.10 of dense bytes; the device's relative L2 error <= 2e-3.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import edgepde_runtime
import numpy as np
import torch
from edgepde_runtime.certificate import Certificate
from numpy.typing import NDArray

from edgepde.network import store
from edgepde.problems.burgers import cole_hopf

FOLDER = Path(__file__).parent
NU, POINTS = 0.02, 40000
TARGETS = {"trained": 1e-3, "proved": 1e-3, "found": 1e-3, "hidden": 0.10, "device": 2e-3}
Array = NDArray[np.float64]


def numbers(seed: int, model: edgepde_runtime.Model | None = None) -> dict[str, float]:
    """What TARGETS bounds, over points of the box drawn with the seed."""
    bundle = FOLDER / "bundle"
    model = model or edgepde_runtime.load(bundle)
    certificate = Certificate.from_json((bundle / "certificate.json").read_text(encoding="utf-8"))
    layers = json.loads((bundle / "ledger.json").read_text(encoding="utf-8"))["parts"][1:-1]
    network = store.load(FOLDER / "run").module.network()
    rng = np.random.default_rng(seed)
    points = np.stack([rng.uniform(-1.0, 1.0, POINTS), rng.uniform(0.0, 1.0, POINTS)], axis=1).astype(np.float32)
    exact = cole_hopf(np.array([[NU]]), points.astype(np.float64))[0]
    trained = network(torch.from_numpy(points).double())[:, 0].numpy()
    device = np.asarray(model(points)[:, 0], dtype=np.float64)
    small, large = (sum(layer[key] for layer in layers) for key in ("bytes_after", "bytes_before"))
    return {
        "trained": _relative(trained, exact),
        "proved": certificate.sound_total,
        "found": float(np.abs(device - trained).max()),
        "hidden": small / large,
        "device": _relative(device, exact),
    }


def main() -> int:
    """Print the table; exit 1 where a number is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    found = numbers(parser.parse_args().seed)
    for name, value in found.items():
        print(f"{name:8} {value:.2e} (to reach {TARGETS[name]:g}): {'met' if value <= TARGETS[name] else 'MISSED'}")
    return int(any(value > TARGETS[name] for name, value in found.items()))


def _relative(got: Array, wanted: Array) -> float:
    return float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))


if __name__ == "__main__":
    sys.exit(main())
