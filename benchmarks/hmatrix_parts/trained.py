"""Trained PINNs of Burgers by the command, found again where they were trained before; and how good they are."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from edgepde_runtime.box import Box
from numpy.typing import NDArray

from edgepde.certify.network import Affine, Network
from edgepde.errors import RunError
from edgepde.network import store
from edgepde.problems.burgers import cole_hopf

Array = NDArray[np.float64]
Layers = list[tuple[Array, Array]]
BOX = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"], ["m", "s"])
NU, CHECKS = 0.02, 16000
REFERENCE = 1e-3


@dataclass(frozen=True)
class Trained:
    """A finished run: its folder, its network with float32 numbers, its errors against the exact solution."""

    run: Path
    network: Network
    relative: float
    sup: float
    seconds: float

    @property
    def layers(self) -> Layers:
        """(weight, bias) of every layer."""
        return layers(self.network)

    @property
    def words(self) -> str:
        """Its shape and how good it is."""
        return f"relative L2 {self.relative:.2g}, sup {self.sup:.2g} against Cole-Hopf, trained in {self.seconds:.3g} s"


def obtain(
    runs: Path, width: int, depth: int, seed: int = 0, tolerance: float = REFERENCE, rounds: int = 60
) -> Trained:
    """The PINN 2-width x depth-1 of `runs`, trained now if it is not there; an unfinished training goes on."""
    end = "" if tolerance == REFERENCE else f"-to-{tolerance:g}"
    run = runs / f"pinn-{width}x{depth}{f'-seed{seed}' if seed else ''}{end}"
    if not (run / "spec.json").is_file():
        settings = {"width": width, "depth": depth, "nu": NU, "tolerance": tolerance, "rounds": rounds}
        command = [sys.executable, "-m", "edgepde_export.cli", "train", "pinn_burgers", "--out", str(run)]
        command += ["--device", "cpu", "--seed", str(seed)]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        subprocess.run(command, check=True, stdout=sys.stderr)
    loaded = store.load(run)
    network = loaded.module.network()
    shape = [len(b) for _, b in layers(network)]
    if shape != [*[width] * depth, 1] or loaded.run.spec["problem"].get("nu") != NU:
        raise RunError(f"{run}: expected the PINN 2-{width}x{depth}-1 of nu = {NU}, got layers {shape}")
    relative, sup = against_exact(network)
    history = loaded.run.spec["history"]
    return Trained(run, network, relative, sup, float(history["offline_seconds"]))


def reference(runs: Path, width: int, depth: int, seed: int = 0) -> Trained:
    """The PINN that is compressed; raises RunError where it is further than 1e-3 from the exact solution."""
    made = obtain(runs, width, depth, seed)
    if made.relative > REFERENCE:
        raise RunError(f"{made.run}: expected a relative L2 error of at most {REFERENCE}, got {made.relative:.3g}")
    return made


def layers(network: Network) -> Layers:
    """(weight, bias) of every affine map."""
    return [(n.weight.numpy(), n.bias.numpy()) for n in network.nodes if isinstance(n, Affine)]


def against_exact(network: Network) -> tuple[float, float]:
    """(relative L2, largest) error of the network over points of the box."""
    points = BOX.sample(CHECKS, np.random.default_rng(1))
    exact = cole_hopf(np.array([[NU]]), points)[0]
    error = network(torch.from_numpy(points))[:, 0].numpy() - exact
    return float(np.linalg.norm(error) / np.linalg.norm(exact)), float(np.abs(error).max())
