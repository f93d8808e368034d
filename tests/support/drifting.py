"""A life of a bundle: rows that keep to what was stated, or leave it from some row on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from edgepde_runtime.bundle import Bundle, read
from edgepde_runtime.drift import Drift
from edgepde_runtime.monitor import Monitor
from numpy.typing import NDArray
from support.bundles import residual_bundle

THRESHOLD = 0.006
MONITOR = Monitor("residual", 0.01, 999, 0, 0, "uniform in the box", (0.5, 0.9), (0.001, 0.003))
Life = dict[str, NDArray[Any]]


def monitored(root: Path) -> Bundle:
    """A bundle with a calibrated residual."""
    return read(residual_bundle(root, fails_above=2.0, extra={"monitor.json": MONITOR.to_json().encode()}))


def life(rng: np.random.Generator, rows: int, outside: float = 0.01, failed: float = 0.01) -> Life:
    """Rows at the tolerated rates; the threshold is calibrated anew on 999 rows of the same law."""
    limit = np.sort(rng.lognormal(size=999))[989]
    return {
        "parameters": rng.uniform(0.005, 1.0, (rows, 1)),
        "residual": rng.lognormal(size=rows) * THRESHOLD / limit,
        "outside": rng.random(rows) < outside,
        "failed": rng.random(rows) < failed,
    }


def lived(drift: Drift, rows: Life) -> Drift:
    """The drift after these rows, each an observation."""
    n = len(rows["residual"])
    points = np.stack([np.linspace(-1, 1, 50), np.linspace(0, 1, 50)], axis=1)
    flags = {
        "parameters": (rows["outside"] * 1 + rows["failed"] * 2).astype(np.int32),
        "points": np.zeros(50, np.int32),
    }
    drift.update({"parameters": rows["parameters"], "points": points}, {"residual": rows["residual"]}, flags)
    assert drift.state.observations >= n
    return drift


def changed(rows: Life, at: int, change: Callable[[Life, slice], None]) -> Life:
    """The same life with a change from row `at` on."""
    change(rows, slice(at, None))
    return rows
