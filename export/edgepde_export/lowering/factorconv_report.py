"""The arrays of report.npz for fields of a zone: held-out cases with their solution, and the error of every frame."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from edgepde_runtime.npz import written as npz
from numpy.typing import NDArray

from edgepde.factorconv import examples
from edgepde.factorconv.description import UNet
from edgepde.factorconv.store import Loaded

Floats = NDArray[np.floating]
MOST_BYTES = 160_000
# Cases, frames and the step between cells kept; the first that fits into MOST_BYTES is taken.
TRIES = tuple(itertools.chain(((3, 16, 1), (2, 16, 1), (1, 16, 1), (1, 12, 1)), ((1, 12, s) for s in (2, 4, 8))))
# Values are kept to this part of the largest.
FINE = 2.0**-11
SECONDS = ("offline_seconds", "reference_seconds")


def report_arrays(loaded: Loaded) -> dict[str, Floats] | None:
    """Fields predicted and of the solution of a few held-out cases, from the worst; None where the run kept none."""
    kept = examples.read(loaded.run.path)
    if kept is None:
        return None
    made = loaded.simulator
    found = examples.shown(made.description, made.module, kept)
    skipped = made.description.past if isinstance(made.description, UNet) else 0
    truth = kept.fields[:, skipped : skipped + found.shape[1]]
    times = _times(loaded, skipped, kept.fields.shape[1])[: found.shape[1]]
    if truth.shape != found.shape or not np.isfinite(found).all():
        return None
    sides = {"predicted": found[::-1], "exact": truth[::-1]}
    arrays = _history(loaded, times)
    for cases, frames, step in TRIES:
        made_of = _thinned(loaded, sides, times, (cases, frames, step))
        made_of["zone_parameters"] = kept.parameters[::-1][:cases]
        if len(npz({**arrays, **made_of})) <= MOST_BYTES:
            return {**arrays, **made_of}
    return arrays or None


def _thinned(
    loaded: Loaded, sides: dict[str, NDArray[np.float32]], times: Floats, kept: tuple[int, int, int]
) -> dict[str, Floats]:
    cases, frames, step = kept
    shown = np.unique(np.linspace(0, len(times) - 1, min(frames, len(times))).round().astype(np.int64))
    axes = loaded.simulator.axes
    made: dict[str, Floats] = {
        "zone_t": np.asarray(times)[shown].astype(np.float32),
        "zone_y": axes["y"][::step].astype(np.float32),
        "zone_x": axes["x"][::step].astype(np.float32),
    }
    for name, values in sides.items():
        made[f"zone_{name}"] = rounded(values[:cases, shown][:, :, ::step, ::step])
    return made


def rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values to a power of 2 at most FINE times the largest, so that they take few bytes when packed."""
    largest = float(np.abs(values).max())
    if largest == 0.0:
        return values
    unit = 2.0 ** math.floor(math.log2(largest * FINE))
    return (np.round(values.astype(np.float64) / unit) * unit).astype(np.float32)


def _times(loaded: Loaded, skipped: int, count: int) -> Floats:
    """The times of frames `skipped` and later; by their number where a U-Net knows only its own frames."""
    stated = loaded.simulator.axes["t"]
    if len(stated) == count:
        return stated[skipped:]
    step = float(np.diff(stated)[0]) if len(stated) > 1 else float(loaded.simulator.about.get("frame_step", 1.0))
    return np.arange(skipped, count) * step


def _history(loaded: Loaded, times: Floats) -> dict[str, Floats]:
    history: Any = loaded.run.spec["history"]
    if not isinstance(history, dict):
        return {}
    made: dict[str, Floats] = {}
    errors = history.get("frame_errors")
    if isinstance(errors, list) and len(errors) == len(times) and loaded.reference is None:
        made["zone_error"] = np.array(errors, dtype=np.float32)
        made["zone_error_t"] = np.asarray(times, dtype=np.float32)
    for name in SECONDS:
        if isinstance(history.get(name), int | float) and math.isfinite(history[name]):
            made[name] = np.array(history[name], dtype=np.float64)
    return made
