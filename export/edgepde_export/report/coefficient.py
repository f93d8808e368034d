"""A coefficient that was recovered, on the page: truth, estimate, error and band of a few test draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from edgepde_runtime.bundle import Bundle
from edgepde_runtime.errors import BundleError
from markupsafe import Markup
from numpy.typing import NDArray

from . import maps, words

Array = NDArray[np.float64]
PREFIX = "coefficient_"
FIELDS: Mapping[str, tuple[str, ...]] = {
    "y": ("Y",),
    "x": ("X",),
    "predicted": ("K", "Y", "X"),
    "exact": ("K", "Y", "X"),
    "band": ("K", "Y", "X"),
}
RANKS = ("Worst", "Middle", "Best")


@dataclass(frozen=True)
class Drawn:
    """One draw: its words above its maps."""

    title: str
    figures: str
    maps: tuple[tuple[str, Markup], ...]


def draws(bundle: Bundle, dpi: int) -> list[Drawn]:
    """The draws a bundle keeps, none where it has no coefficient; BundleError naming a member that does not fit."""
    found = _read(bundle)
    if not found:
        return []
    spec = bundle.manifest.outputs[0]
    plane = maps.Plane(found["y"], found["x"], "y", "x")
    label = words.labelled(spec.name, spec.unit)
    made = []
    for k in range(len(found["predicted"])):
        lam, truth, band = (found[name][k] for name in ("predicted", "exact", "band"))
        wrong = lam - truth
        ends = (float(min(lam.min(), truth.min())), float(max(lam.max(), truth.max())))
        high = float(np.abs(wrong).max()) or 1.0
        key = f"coefficient{k}"
        shown = (
            (f"{label}, truth", maps.field(truth, plane, ends, "the true coefficient", f"{key}t", dpi)),
            (f"{label}, estimate", maps.field(lam, plane, ends, "the estimate", f"{key}e", dpi)),
            ("error", maps.error(wrong, plane, maps.ErrorScale(False, 0.0, high), "its error", f"{key}d", dpi)),
            ("band", maps.field(band, plane, (0.0, float(band.max())), "half the width of its band", f"{key}b", dpi)),
        )
        rank = RANKS[k] if k < len(RANKS) else "Another"
        relative = float(np.sqrt((wrong**2).sum() / max(float((truth**2).sum()), 1e-300)))
        outside = int((np.abs(wrong) > band).sum())
        figures = (
            f"relative L² error {words.number(relative)}, largest {words.number(high)} {words.unit(spec.unit)}".rstrip()
            + f"; {outside} of {wrong.size} places outside the band"
        )
        made.append(Drawn(f"{rank} of the draws kept", figures, shown))
    return made


def _read(bundle: Bundle) -> dict[str, Array]:
    where = f"{bundle.root / 'report.npz'}"
    found = {name: bundle.report[PREFIX + name].astype(np.float64) for name in FIELDS if PREFIX + name in bundle.report}
    if not found:
        return {}
    missing = sorted(set(FIELDS) - set(found))
    if missing:
        raise BundleError(f"{where}: {PREFIX}{missing[0]} is missing beside the other members of the coefficient")
    sizes: dict[str, int] = {}
    for name, array in found.items():
        letters = FIELDS[name]
        if array.ndim != len(letters) or 0 in array.shape:
            raise BundleError(f"{where}: {PREFIX}{name}: expected [{', '.join(letters)}], got {list(array.shape)}")
        for letter, length in zip(letters, array.shape, strict=True):
            if sizes.setdefault(letter, length) != length:
                raise BundleError(f"{where}: {PREFIX}{name}: expected {letter} = {sizes[letter]}, got {length}")
        if not np.isfinite(array).all():
            raise BundleError(f"{where}: {PREFIX}{name}: expected finite numbers, got NaN or infinity")
        if len(letters) == 1 and not (np.diff(array) > 0).all():
            raise BundleError(f"{where}: {PREFIX}{name}: expected increasing values")
    return found
