"""report.npz: its members checked against each other and against the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from edgepde_runtime.bundle import Bundle
from edgepde_runtime.errors import BundleError
from edgepde_runtime.manifest import Column
from numpy.typing import NDArray

Array = NDArray[np.float64]
FIELDS: Mapping[str, tuple[int | str, ...]] = {
    "parameters": ("K", "P"),
    "axis0": ("A",),
    "axis1": ("T",),
    "predicted": ("K", "A", "T"),
    "exact": ("K", "A", "T"),
    "collocation": ("R", "d"),
    "validation": ("V", "d"),
    "snapshots": ("N", "P"),
    "greedy_error": ("G",),
    "greedy_parameter": ("G", "P"),
    "reference_seconds": (),
    "offline_seconds": (),
}
# Without all of these there is no field to draw.
_TOGETHER = ("parameters", "axis0", "axis1", "predicted")
_INFINITE = ("greedy_error",)


@dataclass(frozen=True)
class Arrays:
    """Members of report.npz in float64, None where absent; letters as in docs/bundle.md, G entries of the greedy
    loop.
    """

    parameters: Array | None = None
    axis0: Array | None = None
    axis1: Array | None = None
    predicted: Array | None = None
    exact: Array | None = None
    collocation: Array | None = None
    validation: Array | None = None
    snapshots: Array | None = None
    greedy_error: Array | None = None
    greedy_parameter: Array | None = None
    reference_seconds: Array | None = None
    offline_seconds: Array | None = None

    @property
    def has_field(self) -> bool:
        """Whether there is a predicted field with its axes and parameters."""
        return self.predicted is not None


def read(bundle: Bundle) -> Arrays:
    """The arrays of a bundle's report.npz; raises BundleError naming the member and what was expected of it."""
    where = f"{bundle.root / 'report.npz'}"
    found = bundle.report
    arrays = {name: _scalar(name, found[name].astype(np.float64)) for name in FIELDS if name in found}
    sizes: dict[str, int] = {}
    for name, array in arrays.items():
        _check(name, array, sizes, where)
    missing = [name for name in _TOGETHER if name not in arrays]
    if ("predicted" in arrays or "exact" in arrays) and missing:
        raise BundleError(f"{where}: expected {', '.join(_TOGETHER)} together, {missing[0]} is missing")
    columns = len(parameter_columns(bundle))
    if sizes.get("P", columns) != columns:
        raise BundleError(f"{where}: expected {columns} parameter columns as in the manifest, got {sizes['P']}")
    if sizes.get("d", 0) > len(bundle.manifest.inputs[-1].columns):
        wide = len(bundle.manifest.inputs[-1].columns)
        raise BundleError(f"{where}: collocation: expected at most {wide} columns, got {sizes['d']}")
    return Arrays(**arrays)


def _scalar(name: str, array: Array) -> Array:
    """Shape [] where that is meant; writers that know no array without dimensions store [1]."""
    return array.reshape(()) if FIELDS[name] == () and array.shape == (1,) else array


def _check(name: str, array: Array, sizes: dict[str, int], where: str) -> None:
    letters = FIELDS[name]
    shape = f"[{', '.join(str(n) for n in letters)}]"
    if array.ndim != len(letters) or 0 in array.shape[: 1 if "P" in letters else 3]:
        raise BundleError(f"{where}: {name}: expected shape {shape} without a 0, got {list(array.shape)}")
    for letter, length in zip(letters, array.shape, strict=True):
        if sizes.setdefault(str(letter), length) != length:
            raise BundleError(f"{where}: {name}: expected {letter} = {sizes[str(letter)]}, got {length}")
    if name not in _INFINITE and not np.isfinite(array).all():
        raise BundleError(f"{where}: {name}: expected finite numbers, got NaN or infinity")
    if name.startswith("axis") and (array.size < 2 or not (np.diff(array) > 0).all()):
        raise BundleError(f"{where}: {name}: expected two values or more, increasing")
    if name.endswith("_seconds") and array < 0:
        raise BundleError(f"{where}: {name}: expected 0 or more, got {float(array):.3g}")


def parameter_columns(bundle: Bundle) -> tuple[Column, ...]:
    """The columns of the first input where there are two inputs or more: the problem's parameters."""
    inputs = bundle.manifest.inputs
    return inputs[0].columns if len(inputs) > 1 else ()


def point_columns(bundle: Bundle) -> tuple[Column, ...]:
    """The columns of the last input: where the field is evaluated."""
    return bundle.manifest.inputs[-1].columns
