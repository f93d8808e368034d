"""A few test draws that a run keeps, from the best to the worst, for reports and golden rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor

from edgepde.errors import RunError
from edgepde.train import tensor_file
from edgepde.train.layout import CHECKPOINT
from edgepde.train.run_folder import SUFFIX, Run

from .draws import Draws
from .figures import Scores

PART = "examples"
MOST = 12


@final
@dataclass(frozen=True, eq=False)
class Examples:
    """lam [K, ..] and readings [K, n], from the smallest relative error to the largest."""

    lam: Tensor
    readings: Tensor


def chosen(measured: Scores, test: Draws) -> list[int]:
    """Draws spread over the errors, both ends included."""
    order = np.argsort(measured.relative, kind="stable")
    return [int(order[i]) for i in np.unique(np.linspace(0, len(test) - 1, min(MOST, len(test))).round().astype(int))]


def keep(run: Run, test: Draws, rows: list[int]) -> None:
    """Keep these draws in the run's folder."""
    run.save(PART, {"lam": test.lam[rows].clone(), "readings": test.readings[rows].clone()}, {})


def read(path: Path, shape: tuple[int, ...], width: int) -> Examples:
    """The draws a run kept; shape: of lam, width: of a row. RunError naming the file that is missing or damaged."""
    where = path / CHECKPOINT / f"{PART}{SUFFIX}"
    if not where.is_file():
        raise RunError(f"{where}: missing; the run cannot be measured without its test draws")
    tensors, _ = tensor_file.decode(where)
    lam, readings = (tensors.get(name) for name in ("lam", "readings"))
    fits = lam is not None and readings is not None and lam.dtype == readings.dtype == torch.float32
    if not fits or lam is None or readings is None or not len(lam):
        raise RunError(f"{where}: expected lam and readings in float32")
    if tuple(lam.shape) != (len(lam), *shape) or tuple(readings.shape) != (len(lam), width):
        raise RunError(
            f"{where}: expected lam {[len(lam), *shape]} and readings {[len(lam), width]}, "
            f"got {list(lam.shape)} and {list(readings.shape)}"
        )
    if not (bool(torch.isfinite(lam).all()) and bool(torch.isfinite(readings).all())):
        raise RunError(f"{where}: expected finite numbers")
    return Examples(lam, readings)
