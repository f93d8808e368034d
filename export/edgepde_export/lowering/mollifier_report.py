"""The arrays of report.npz for a coefficient: a few test draws, what was estimated, its band."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepde.mollifier.device.examples import Examples
from edgepde.mollifier.store import Loaded

Floats = NDArray[np.floating]
PREFIX = "coefficient_"


def report_arrays(
    loaded: Loaded, kept: Examples, lam: NDArray[np.float64], band: NDArray[np.float64]
) -> dict[str, Floats] | None:
    """Worst, middle and best of the test draws kept; None where lambda has one axis."""
    if lam.ndim != 3:
        return None
    rows = list(dict.fromkeys((len(lam) - 1, len(lam) // 2, 0)))
    grid = loaded.device.grid
    letters = grid.letters[-2:]
    arrays: dict[str, Floats] = {
        f"{PREFIX}y": grid.axis(letters[0]).values.astype(np.float32),
        f"{PREFIX}x": grid.axis(letters[1]).values.astype(np.float32),
        f"{PREFIX}predicted": lam[rows].astype(np.float32),
        f"{PREFIX}band": band[rows].astype(np.float32),
        f"{PREFIX}exact": kept.lam.numpy()[rows].astype(np.float32),
    }
    history: Any = loaded.run.spec["history"]
    seconds = history.get("offline_seconds") if isinstance(history, dict) else None
    if isinstance(seconds, int | float):
        arrays["offline_seconds"] = np.array(seconds, dtype=np.float64)
    return arrays
