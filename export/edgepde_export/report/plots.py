"""Where points and snapshots lie, how the greedy loop converged, how the error varies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from edgepde_runtime.manifest import Column
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from . import words
from .arrays import Array
from .style import ACCENT, GRID, INK, MUTED, PAPER, axes, logarithmic, svg

WIDE, HIGH = 4.4, 2.7


def is_log(low: float, high: float) -> bool:
    """Whether a range is shown on a logarithmic axis: positive and a decade or more."""
    return low > 0 and high >= 10 * low


def points(collocation: Array, validation: Array | None, columns: tuple[Column, ...]) -> Markup:
    """Chosen points and those that check the residual, in the plane of the first two columns (the second across)."""
    across, up = (1, 0) if collocation.shape[1] > 1 else (0, None)
    with axes(WIDE, HIGH) as plot:
        layers = [(collocation, ACCENT, 16, 0.9, f"collocation ({len(collocation)})")]
        if validation is not None:
            layers.insert(0, (validation, MUTED, 5, 0.55, f"validation ({len(validation)})"))
        for rows, colour, size, alpha, label in layers:
            heights = np.zeros(len(rows)) if up is None else rows[:, up]
            plot.scatter(rows[:, across], heights, s=size, c=colour, alpha=alpha, linewidths=0, label=label)
        plot.set_xlabel(words.labelled(columns[across].name, columns[across].unit))
        plot.set_xlim(_padded(columns[across]))
        if up is None:
            plot.set_yticks([])
        else:
            plot.set_ylabel(words.labelled(columns[up].name, columns[up].unit))
            plot.set_ylim(_padded(columns[up]))
        plot.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handletextpad=0.2, columnspacing=1.2)
        return svg(plot, "points", f"{len(collocation)} collocation points in the domain")


def _padded(column: Column) -> tuple[float, float]:
    pad = 0.03 * (column.high - column.low)
    return column.low - pad, column.high + pad


def snapshots(chosen: Array, columns: tuple[Column, ...]) -> Markup:
    """Chosen parameters [N, P], numbered in the order of choice; one parameter against its number, else a plane."""
    order = np.arange(1, len(chosen) + 1)
    with axes(WIDE, HIGH) as plot:
        first = columns[0]
        heights = order if chosen.shape[1] == 1 else chosen[:, 1]
        if chosen.shape[1] == 1:
            plot.vlines(chosen[:, 0], 0, order, colors=GRID, linewidths=0.8)
            plot.set_ylabel("order of choice")
            plot.set_ylim(0, len(chosen) + 1)
            plot.yaxis.set_major_locator(MaxNLocator(integer=True))
        else:
            plot.set_ylabel(words.labelled(columns[1].name, columns[1].unit))
            _scaled(plot, "y", columns[1])
        plot.scatter(chosen[:, 0], heights, s=22, c=ACCENT, edgecolors=PAPER, linewidths=0.6, zorder=3)
        for n, x, y in zip(order, chosen[:, 0], heights, strict=True):
            plot.annotate(f"{n}", (x, y), (4, 3), textcoords="offset points", fontsize=7, color=INK)
        plot.set_xlabel(words.labelled(first.name, first.unit))
        _scaled(plot, "x", first)
        return svg(plot, "snapshots", f"{len(chosen)} snapshots over {first.name}")


def _scaled(plot: object, which: str, column: Column) -> None:
    log = is_log(column.low, column.high)
    pad = (column.high / column.low) ** 0.04 if log else 0.04 * (column.high - column.low)
    if log:
        getattr(plot, f"set_{which}scale")("log")
    ends = (column.low / pad, column.high * pad) if log else (column.low - pad, column.high + pad)
    getattr(plot, f"set_{which}lim")(ends)
    if log:
        logarithmic(getattr(plot, f"{which}axis"))


def greedy(error: Array) -> Markup:
    """Worst indicator [G] with 1 to G snapshots in the basis; what is not finite is left out."""
    number = np.arange(1, len(error) + 1)
    drawn = np.isfinite(error) & (error > 0)
    with axes(WIDE, HIGH) as plot:
        plot.set_yscale("log")
        plot.grid(axis="y")
        plot.plot(number[drawn], error[drawn], color=ACCENT, linewidth=1.5, marker="o", markersize=4)
        plot.set_xlabel("snapshots in the basis")
        plot.set_ylabel("worst indicator over the box")
        plot.set_xlim(0.5, len(error) + 0.5)
        plot.xaxis.set_major_locator(MaxNLocator(integer=True))
        logarithmic(plot.yaxis)
        return svg(plot, "greedy", "worst error indicator falling with the number of snapshots")


def errors(parameters: Array, relative: Array, marked: Mapping[int, str], column: Column) -> Markup:
    """Relative L2 error [K] over the first parameter [K], with those that are shown named."""
    with axes(WIDE, HIGH) as plot:
        plot.set_yscale("log")
        plot.grid(axis="y")
        finite = np.where(relative > 0, relative, np.nan)
        rank = np.argsort(parameters)
        plot.plot(parameters[rank], finite[rank], color=ACCENT, linewidth=1, alpha=0.5)
        plot.scatter(parameters, finite, s=18, c=ACCENT, linewidths=0, zorder=3)
        for k, name in marked.items():
            plot.scatter(parameters[k], finite[k], s=60, facecolors="none", edgecolors=INK, linewidths=1, zorder=4)
            ends = np.searchsorted(np.sort(parameters), parameters[k]) / max(1, len(parameters) - 1)
            side = "left" if ends < 0.2 else "right" if ends > 0.8 else "center"
            plot.annotate(name, (parameters[k], finite[k]), (0, 7), textcoords="offset points", ha=side, color=INK)
        plot.margins(y=0.2)
        plot.set_xlabel(words.labelled(column.name, column.unit))
        plot.set_ylabel("relative L² error")
        _scaled(plot, "x", column)
        logarithmic(plot.yaxis)
        return svg(plot, "errors", f"relative L2 error over {column.name}")
