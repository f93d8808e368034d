"""Operators of one model on the page: worst and middle held-out case of each, as pictures of space and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from edgepde_runtime.bundle import Bundle
from edgepde_runtime.errors import BundleError
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from . import words
from .style import MUTED, STYLE, svg

Array = NDArray[np.float64]
PREFIX = "operator"
FIELDS: Mapping[str, tuple[str, ...]] = {
    "t": ("F",),
    "x": ("X",),
    "exact": ("K", "F", "X"),
    "error": ("K", "F", "X"),
    "errors": ("N",),
}
RANKS = ("worst", "middle")
SIDES = ("reference", "model", "model − reference")
DOTS_PER_ROW = 6
SMALLEST = 1e-300


@dataclass(frozen=True, eq=False)
class Operator:
    """Members operator/<name>/<member> of report.npz in float64.

    t [F], x [X]; exact and error = model - exact [K, F, X], worst case first; errors [N]: relative L2 of every case.
    """

    name: str
    t: Array
    x: Array
    exact: Array
    error: Array
    errors: Array

    def relative(self, k: int) -> float:
        """Relative L2 error of case k on the grid kept."""
        return float(np.linalg.norm(self.error[k]) / max(float(np.linalg.norm(self.exact[k])), SMALLEST))


@dataclass(frozen=True)
class Panel:
    """One operator: its words above its drawing."""

    title: str
    figures: str
    drawing: Markup


def panels(bundle: Bundle, dpi: int) -> list[Panel]:
    """A panel per operator in the order of their names; none where the bundle keeps none.

    Raises BundleError naming a member that does not fit.
    """
    unit = bundle.manifest.outputs[0].unit
    return [
        Panel(one.name, f"{_figures(one, unit)}. {_stated(bundle, one.name, unit)}".strip(), _drawn(one, unit, dpi))
        for one in read(bundle)
    ]


def read(bundle: Bundle) -> list[Operator]:
    """The operators of report.npz by name; raises BundleError naming the member and what was expected of it."""
    where = f"{bundle.root / 'report.npz'}"
    found: dict[str, dict[str, Array]] = {}
    for member, values in bundle.report.items():
        parts = member.split("/")
        if parts[0] == PREFIX:
            if len(parts) != 3 or parts[2] not in FIELDS:
                raise BundleError(f"{where}: {member}: expected {PREFIX}/NAME/ and one of {', '.join(FIELDS)}")
            found.setdefault(parts[1], {})[parts[2]] = values.astype(np.float64)
    return [_operator(name, found[name], where) for name in sorted(found)]


def _operator(name: str, held: dict[str, Array], where: str) -> Operator:
    sizes: dict[str, int] = {}
    for member, letters in FIELDS.items():
        at = f"{where}: {PREFIX}/{name}/{member}"
        if member not in held:
            raise BundleError(f"{at}: missing beside the other members of the operator")
        array = held[member]
        if array.ndim != len(letters) or 0 in array.shape:
            raise BundleError(f"{at}: expected shape [{', '.join(letters)}], got {list(array.shape)}")
        for letter, length in zip(letters, array.shape, strict=True):
            if sizes.setdefault(letter, length) != length:
                raise BundleError(f"{at}: expected {letter} = {sizes[letter]}, got {length}")
        if not np.isfinite(array).all():
            raise BundleError(f"{at}: expected finite numbers, got NaN or infinity")
        if member in ("t", "x") and not (np.diff(array) > 0).all():
            raise BundleError(f"{at}: expected increasing values")
    return Operator(name, **held)


def _figures(one: Operator, unit: str) -> str:
    shown = []
    for k in range(len(one.exact)):
        rank = RANKS[k] if k < len(RANKS) else "another"
        largest = f"{words.number(float(np.abs(one.error[k]).max()))} {words.unit(unit)}".rstrip()
        shown.append(f"the {rank} case errs by {percent(one.relative(k))} in L², at most {largest}")
    drawn = f"{len(one.errors)} held-out cases: {percent(float(one.errors.mean()))} in the mean, relative L²"
    return "; ".join([drawn, *shown])


def _stated(bundle: Bundle, name: str, unit: str) -> str:
    """What the operator's own certificate says of its field."""
    if name not in bundle.cassettes:
        return "It has no cassette in this bundle."
    entry = next(iter(bundle.holding(name).certificate.outputs.values()))
    model = entry.terms["model"]
    ends = words.unit(unit)
    what = "for a fresh draw" if model.class_ == "statistical" else "in its cassette"
    return (
        f"Stated {what}: model {words.bound(model.value)} {ends}".rstrip()
        + f" ({model.class_}), after it {words.bound(entry.device_total)} {ends}".rstrip()
        + f" ({entry.device_class})."
    )


def percent(value: float) -> str:
    """A relative error in per cent."""
    return f"{words.number(100.0 * value)} %"


def _drawn(one: Operator, unit: str, dpi: int) -> Markup:
    """Rows: the cases kept; columns: reference, model, difference; x across, t upwards."""
    count = len(one.exact)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.2, 0.45 + 1.35 * count), layout="constrained")
        grid: Any = figure.subplots(count, len(SIDES), squeeze=False, sharex=True, sharey=True)
        for k in range(count):
            sides = one.exact[k], one.exact[k] + one.error[k], one.error[k]
            ends = min(float(s.min()) for s in sides[:2]), max(float(s.max()) for s in sides[:2])
            high = float(np.abs(one.error[k]).max()) or 1.0
            for column, values in enumerate(sides):
                plot: Axes = grid[k, column]
                low, top = ends if column < 2 else (-high, high)
                ends_ = low, top if top > low else low + 1.0
                image = _image(plot, one, values, ends_, (dpi // DOTS_PER_ROW, column == 2))
                if k == 0:
                    plot.set_title(SIDES[column], fontsize=8)
                if k == count - 1:
                    plot.set_xlabel("x")
                if column:
                    _bar(figure, image, grid[k, :2] if column == 1 else [plot], unit)
            grid[k, 0].set_ylabel(f"{RANKS[k] if k < len(RANKS) else 'another'}: t")
        alt = f"{one.name}: reference, model and their difference over space and time"
        return svg(grid[0, 0], f"operator-{one.name}", alt, dpi)


def _image(plot: Axes, one: Operator, values: Array, ends: tuple[float, float], how: tuple[int, bool]) -> Any:
    """The field on that many even times, linear in between; how: rows, and whether values have a sign."""
    count, signed = how
    even = np.linspace(one.t[0], one.t[-1], count if len(one.t) > 1 else 1)
    rows = np.stack([np.interp(even, one.t, column) for column in values.T], axis=1)
    extent = (one.x[0], one.x[-1] if len(one.x) > 1 else one.x[0] + 1.0, one.t[0], one.t[-1] or one.t[0] + 1.0)
    plot.spines[:].set_visible(False)
    plot.locator_params(nbins=4)
    plot.tick_params(length=2)
    return plot.imshow(
        rows,
        "RdBu_r" if signed else "viridis",
        vmin=ends[0],
        vmax=ends[1],
        origin="lower",
        aspect="auto",
        interpolation="none",
        extent=extent,
    )


def _bar(figure: Figure, image: Any, beside: Any, unit: str) -> None:
    bar = figure.colorbar(image, ax=list(beside), fraction=0.05, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2, color=MUTED)
    small = 1e-9 * float(np.abs(image.get_clim()).max())
    bar.formatter = FuncFormatter(lambda v, _: words.number(0.0 if abs(v) < small else v, 2))
    bar.locator = MaxNLocator(4)
    bar.update_ticks()
    if unit:
        bar.set_label(words.unit(unit))
