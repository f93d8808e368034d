"""Our side of the comparison: a run trained by the command, exported, and loaded as a device would."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import edgepde_runtime
import numpy as np
from edgepde_export import export
from numpy.typing import NDArray

from edgepde.errors import RunError
from edgepde.s2gpt.compress import Loaded, load

RECIPE = "s2gpt_burgers"


@dataclass(frozen=True)
class Ours:
    """A finished run and its bundle. seconds: the training's wall time, by the clock here or as the run recorded it."""

    loaded: Loaded
    bundle: Path
    seconds: float
    recorded: bool

    @property
    def low(self) -> float:
        """The smallest viscosity of the box."""
        return float(self.loaded.problem.parameters.low[0])

    @property
    def words(self) -> str:
        """The box, for a case's name."""
        return f"[{self.low:g}, {self.loaded.problem.parameters.high[0]:g}]"

    def open(self) -> edgepde_runtime.Model:
        """The bundle on ONNX Runtime."""
        return edgepde_runtime.load(self.bundle, backend="ort")


def obtain(
    folder: Path, low: float, quick: bool, seed: int, run: Path | None = None, bundle: Path | None = None
) -> Ours:
    """Train and export whatever is not given; new files go to `folder`.

    Raises RunError for a run that is not of the box [low, 1], and what train and export raise.
    """
    recorded = run is not None
    seconds = 0.0
    if run is None:
        run = folder / "run"
        seconds = train(run, quick, seed)
    loaded = load(run)
    got = float(loaded.problem.parameters.low[0])
    if loaded.problem.name != "burgers" or abs(got - low) > 1e-12:
        raise RunError(
            f"{run}: expected a run of burgers for nu in [{low:g}, 1], got {loaded.problem.name} from {got:g}"
        )
    if recorded:
        history = loaded.run.spec["history"]
        seconds = float(history["offline_seconds"]) if isinstance(history, dict) else float("nan")
    if bundle is None:
        bundle = export(run, folder / "bundle")
    return Ours(loaded, bundle, seconds, recorded)


def train(run: Path, quick: bool, seed: int) -> float:
    """`edgepde train` in a process of its own, its output on stderr; returns the wall seconds of the whole command."""
    command = [sys.executable, "-m", "edgepde_export.cli", "train", RECIPE, "--out", str(run)]
    command += ["--device", "cpu", "--seed", str(seed), *(["--quick"] if quick else [])]
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=sys.stderr)
    return time.monotonic() - began


def folder_bytes(folder: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def field_of(model: edgepde_runtime.Model, nu: NDArray[np.float64], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """u [1, M] of one viscosity [1, 1], through the bundle; NaN where the solve did not converge."""
    return np.asarray(model.call(parameters=nu, points=points).outputs["u"])
