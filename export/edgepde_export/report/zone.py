"""Fields of a zone (t, y, x) in report.npz: held-out cases with their solution, checked against the manifest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from edgepde_runtime.bundle import Bundle
from edgepde_runtime.errors import BundleError
from edgepde_runtime.manifest import Column
from numpy.typing import NDArray

Array = NDArray[np.float64]
PREFIX = "zone_"
SIMULATED = "finite elements"
FIELDS: Mapping[str, tuple[str, ...]] = {
    "parameters": ("K", "P"),
    "t": ("F",),
    "y": ("Y",),
    "x": ("X",),
    "predicted": ("K", "F", "Y", "X"),
    "exact": ("K", "F", "Y", "X"),
    "error": ("T",),
    "error_t": ("T",),
}
_FIELD = ("parameters", "t", "y", "x", "predicted", "exact")
_ERROR = ("error", "error_t")


@dataclass(frozen=True, eq=False)
class Zone:
    """Members zone_<name> of report.npz in float64, None where absent; columns: what names the parameters.

    cells: values of one output row. truth: what the exact field is, in words.
    """

    parameters: Array | None = None
    t: Array | None = None
    y: Array | None = None
    x: Array | None = None
    predicted: Array | None = None
    exact: Array | None = None
    error: Array | None = None
    error_t: Array | None = None
    columns: tuple[Column, ...] = ()
    cells: int = 0
    truth: str = "data"

    def relative(self, k: int) -> tuple[float, float]:
        """Relative L2 error of case k over the frames kept, and its largest error."""
        assert self.predicted is not None
        assert self.exact is not None
        wrong, size = self.predicted[k] - self.exact[k], float(np.sqrt((self.exact[k] ** 2).sum()))
        return float(np.sqrt((wrong**2).sum())) / max(size, 1e-300), float(np.abs(wrong).max())


def read(bundle: Bundle) -> Zone | None:
    """The zone of a bundle, None without one; raises BundleError naming the member and what was expected of it."""
    where = f"{bundle.root / 'report.npz'}"
    found = {name: bundle.report[PREFIX + name].astype(np.float64) for name in FIELDS if PREFIX + name in bundle.report}
    if not found:
        return None
    for together in (_FIELD, _ERROR):
        missing = [name for name in together if name not in found]
        if 0 < len(missing) < len(together):
            raise BundleError(f"{where}: {PREFIX}{missing[0]} is missing beside the other members of the zone")
    sizes: dict[str, int] = {}
    for name, array in found.items():
        _check(f"{PREFIX}{name}", array, FIELDS[name], sizes, where)
    columns = bundle.manifest.inputs[0].columns
    named = columns if len(columns) == sizes.get("P") else ()
    cells = math.prod(n for n in bundle.manifest.outputs[0].shape if isinstance(n, int))
    return Zone(**found, columns=named, cells=cells, truth=_truth(bundle))


def _truth(bundle: Bundle) -> str:
    """As the model term says what it was measured against."""
    told = [entry.terms["model"].how for entry in bundle.certificate.outputs.values() if "model" in entry.terms]
    return SIMULATED if any(SIMULATED in how for how in told) else "data"


def _check(name: str, array: Array, letters: tuple[str, ...], sizes: dict[str, int], where: str) -> None:
    if array.ndim != len(letters) or 0 in array.shape:
        raise BundleError(f"{where}: {name}: expected shape [{', '.join(letters)}], got {list(array.shape)}")
    for letter, length in zip(letters, array.shape, strict=True):
        if sizes.setdefault(letter, length) != length:
            raise BundleError(f"{where}: {name}: expected {letter} = {sizes[letter]}, got {length}")
    if not np.isfinite(array).all():
        raise BundleError(f"{where}: {name}: expected finite numbers, got NaN or infinity")
    if len(letters) == 1 and letters != ("T",) and not (np.diff(array) > 0).all():
        raise BundleError(f"{where}: {name}: expected increasing values")
