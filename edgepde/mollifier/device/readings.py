"""Readings of the user's own, from an npz file of which nothing is believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from edgepde_runtime import npz
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.errors import DataError

from ..grid import Axis

LIMIT_BYTES = 1 << 28
READINGS, NOISE, TRUTH = "readings", "noise", "lam"
Array = NDArray[np.float64]


@final
@dataclass(frozen=True, eq=False)
class Given:
    """One inverse problem: axes by letter, slowest first; values on them, NaN where nothing was read.

    noise: its standard deviation, None where unknown. lam: the truth on the axes it depends on, None where unknown.
    """

    source: str
    axes: Mapping[str, Array]
    values: Array
    noise: float | None = None
    lam: Array | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return bool(np.isfinite(self.values).all())

    @property
    def spread(self) -> float:
        """The standard deviation of what was read."""
        return float(np.nanstd(self.values))


def reader(letters: str, over: str) -> Callable[[Path], tuple[Given, str]]:
    """read_data of a recipe whose readings lie on axes of these letters, lambda on those of `over`."""

    def read_data(path: Path) -> tuple[Given, str]:
        return read(path, letters, over)

    return read_data


def read(path: Path, letters: str, over: str) -> tuple[Given, str]:
    """An .npz with `readings`, one array per axis and, where known, `noise` and `lam`; and its sha256.

    Raises DataError naming file and member, what was expected and what came.
    """
    arrays, digest = npz.read_file(path, LIMIT_BYTES, DataError, dtypes=npz.REALS)
    needed, allowed = {READINGS, *letters}, {READINGS, *letters, NOISE, TRUTH}
    missing, unknown = sorted(needed - set(arrays)), sorted(set(arrays) - allowed)
    if missing or unknown:
        more = f"{', '.join(sorted(needed))} and perhaps {NOISE} and {TRUTH}"
        raise DataError(
            f"{path}: expected members {more}; missing {npz.listed(missing)}, unknown {npz.listed(unknown)}"
        )
    axes = {letter: _axis(arrays[letter], letter, path) for letter in letters}
    values = _field(arrays[READINGS], {a: axes[a] for a in letters}, f"{path}: {READINGS}")
    if np.isinf(values).any():
        at = np.argwhere(np.isinf(values))[0].tolist()
        raise DataError(f"{path}: {READINGS}{at}: expected numbers, or NaN where nothing was read, got infinity")
    if np.isnan(values).all():
        raise DataError(f"{path}: {READINGS}: expected numbers, got NaN everywhere")
    if not np.nanstd(values) > 0.0:
        raise DataError(f"{path}: {READINGS}: expected a field that varies, got {np.nanmax(values):g} everywhere")
    lam = None
    if TRUTH in arrays:
        lam = _field(arrays[TRUTH], {a: axes[a] for a in over}, f"{path}: {TRUTH}")
        npz.check_finite(lam, f"{path}: {TRUTH}", DataError)
    return Given(str(path), axes, values, _noise(arrays.get(NOISE), path), lam), digest


def unit_square(given: Given) -> dict[str, Any]:
    """points, frames and horizon of readings on the unit square from time 0; DataError naming the axis that is other.

    A problem whose draws an estimator is measured on is simulated there and nowhere else.
    """
    t = given.axes["t"]
    n = len(given.axes["x"])
    for letter in "yx":
        _same(given, letter, np.linspace(0.0, 1.0, n), "equal steps from 0 to 1, as many along y as along x")
    _same(given, "t", np.linspace(0.0, float(t[-1]), len(t)), "equal steps from 0")
    return {"points": n, "frames": len(t), "horizon": float(t[-1])}


def line(given: Given) -> dict[str, Any]:
    """points and horizon of readings in time from 0; DataError where they are not in equal steps."""
    t = given.axes["t"]
    _same(given, "t", np.linspace(0.0, float(t[-1]), len(t)), "equal steps from 0")
    return {"points": len(t), "horizon": float(t[-1])}


def _same(given: Given, letter: str, expected: Array, words: str) -> None:
    got, where = given.axes[letter], f"{given.source}: {letter}"
    if got.shape != expected.shape:
        raise DataError(f"{where}: expected {words} ({len(expected)}), got {len(got)} from {got[0]:g} to {got[-1]:g}")
    off = np.abs(got - expected)
    if off.max() > 1e-6 * (expected[-1] - expected[0]):
        at = int(np.argmax(off > 1e-6 * (expected[-1] - expected[0])))
        near = f"[{at}]: {got[at]:g} where {expected[at]:g} would be"
        raise DataError(f"{where}: expected {words}, got {len(got)} from {got[0]:g} to {got[-1]:g}, {near}")


def _axis(array: NDArray[Any], letter: str, path: Path) -> Array:
    if array.ndim != 1:
        raise DataError(f"{path}: {letter}: expected one dimension, got {list(array.shape)}")
    try:
        return Axis(letter, array.astype(np.float64)).values
    except InputError as error:
        raise DataError(f"{path}: {error}") from None


def _field(array: NDArray[Any], axes: Mapping[str, Array], where: str) -> Array:
    shape = tuple(len(values) for values in axes.values())
    if array.shape != shape:
        raise DataError(f"{where}: expected {list(shape)} ({', '.join(axes)}), got {list(array.shape)}")
    return array.astype(np.float64)


def _noise(array: NDArray[Any] | None, path: Path) -> float | None:
    if array is None:
        return None
    if array.size != 1 or not np.isfinite(array).all() or float(array.reshape(())) < 0.0:
        raise DataError(f"{path}: {NOISE}: expected one number from 0, its standard deviation, got {array!r}")
    return float(array.reshape(()))
