"""Fields as maps: predicted and exact on one scale, the error on a scale all parameters share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import FuncFormatter

from . import words
from .arrays import Array
from .fields import Shown
from .style import MUTED, axes, figure_of, logarithmic, svg

MOST_CELLS = 300
# An error this much larger somewhere than at the median is shown on a logarithmic scale.
CONCENTRATED = 30.0


@dataclass(frozen=True)
class Plane:
    """The grid of a field: axis0 [A] upwards, axis1 [T] across, and their labels."""

    axis0: Array
    axis1: Array
    label0: str
    label1: str


@dataclass(frozen=True)
class ErrorScale:
    """The colours of every error map; log: of |error|, else of the signed error from -high to high."""

    log: bool
    low: float
    high: float


def error_scale(shown: Sequence[Shown]) -> ErrorScale | None:
    """One scale for the error maps of all parameters; None without exact fields or without any error."""
    magnitudes = [np.abs(s.predicted - s.exact) for s in shown if s.exact is not None]
    if not magnitudes or max(float(m.max()) for m in magnitudes) == 0.0:
        return None
    high = max(float(m.max()) for m in magnitudes)
    middle = min(float(np.median(m)) for m in magnitudes)
    return ErrorScale(high > CONCENTRATED * middle, max(high * 1e-5, min(middle, high / 10)), high)


def field(values: Array, plane: Plane, scale: tuple[float, float], label: str, key: str, dpi: int) -> Markup:
    """A map of a field; scale: its lowest and highest colour."""
    low, high = scale if scale[0] < scale[1] else (scale[0] - 1.0, scale[1] + 1.0)
    return _map(values, plane, Normalize(low, high), "viridis", label, key, dpi)


def error(values: Array, plane: Plane, scale: ErrorScale, label: str, key: str, dpi: int) -> Markup:
    """A map of predicted minus exact."""
    if scale.log:
        magnitude = np.maximum(np.abs(values), scale.low)
        return _map(magnitude, plane, LogNorm(scale.low, scale.high), "inferno", label, key, dpi)
    return _map(values, plane, Normalize(-scale.high, scale.high), "RdBu_r", label, key, dpi)


def _map(values: Array, plane: Plane, norm: Normalize, colours: str, label: str, key: str, dpi: int) -> Markup:
    rows, columns = (slice(None, None, -(-n // MOST_CELLS)) for n in values.shape)
    with axes(3.5, 2.35) as plot:
        mesh = plot.pcolormesh(
            plane.axis1[columns],
            plane.axis0[rows],
            values[rows, columns],
            norm=norm,
            cmap=colours,
            shading="gouraud",
            rasterized=True,
        )
        plot.set_xlabel(plane.label1)
        plot.set_ylabel(plane.label0)
        bar = figure_of(plot).colorbar(mesh, ax=plot, fraction=0.05, pad=0.03)
        bar.outline.set_visible(False)
        bar.ax.tick_params(length=2, color=MUTED)
        if isinstance(norm, LogNorm):
            logarithmic(bar.ax.yaxis)
        else:
            small = 1e-9 * max(abs(norm.vmin or 0), abs(norm.vmax or 0))
            bar.formatter = FuncFormatter(lambda v, _: words.number(0.0 if abs(v) < small else v, 2))
            bar.update_ticks()
        return svg(plot, key, label, dpi)
