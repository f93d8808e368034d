"""How long calls take: a histogram with the floor, the quantiles and the limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from edgepde_runtime.latency import Latency
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from . import words
from .style import ACCENT, INK, LIMIT, MUTED, PAPER, axes, logarithmic, svg

# The axis ends these factors from the median, so that the samples keep their shape; what lies beyond is told in words.
BELOW, FAR = 4.0, 12.0
SLOWEST = 0.995


@dataclass(frozen=True)
class Line:
    """A vertical line at `at` microseconds with its words."""

    at: float
    text: str
    colour: str
    dashed: bool = False


def lines(times: Latency, floor: Latency | None, budget: Mapping[str, float]) -> list[Line]:
    """Floor, median and p99 of the samples, and each limit."""
    found = [Line(limit, f"{name} budget {words.plain(limit)} µs", LIMIT) for name, limit in budget.items()]
    found += [Line(times.p50, f"p50 {words.number(times.p50)} µs", INK, True)]
    found += [Line(times.p99, f"p99 {words.number(times.p99)} µs", INK, True)]
    if floor is not None:
        found.append(Line(floor.p50, f"empty call {words.number(floor.p50)} µs", MUTED, True))
    return found


def latency(times: Latency, floor: Latency | None, budget: Mapping[str, float], key: str) -> Markup:
    """Times per call in µs on a logarithmic axis around the median."""
    drawn = lines(times, floor, budget)
    near = [line.at for line in drawn if times.p50 / BELOW < line.at < times.p50 * FAR]
    low, high = max(times.least, times.p50 / BELOW), min(times.quantile(SLOWEST), times.p50 * FAR)
    ends = (min([low, *near]) / 1.12, max([high, *near]) * 1.12)
    kept = times.samples[times.samples <= ends[1]]
    with axes(4.4, 3.0) as plot:
        plot.set_xscale("log")
        bins = np.geomspace(*ends, 70)
        share = np.full(len(kept), 100 / len(times.samples))
        plot.hist(kept, bins=bins.tolist(), weights=share, color=ACCENT, alpha=0.8)
        plot.set_xlim(ends)
        _room_above(plot, 1 + 0.14 * (len(drawn) + 1))
        for i, line in enumerate(drawn):
            _draw(plot, line, ends, 0.985 - 0.075 * i)
        plot.set_xlabel("time per call [µs]")
        plot.set_ylabel("share of samples [%]")
        logarithmic(plot.xaxis)
        return svg(plot, key, "histogram of measured times per call")


def _room_above(plot: Axes, factor: float) -> None:
    """Leaves room for words above the bars, without ticks beside it."""
    peak = plot.get_ylim()[1]
    ticks = [t for t in MaxNLocator(4).tick_values(0, peak) if t <= peak]
    plot.set_ylim(0, factor * peak)
    plot.set_yticks(ticks)


def beyond(times: Latency) -> str:
    """Which share of the samples is slower than the axis may reach, in words; nothing where none is."""
    slow = float(np.mean(times.samples > times.p50 * FAR))
    if slow == 0.0:
        return ""
    longest = words.duration(float(times.samples.max()) * 1e-6)
    return f" {words.number(100 * slow, 2)} % took more than {FAR:g} times the median, up to {longest}."


def _draw(plot: Axes, line: Line, ends: tuple[float, float], height: float) -> None:
    """The line up to its words; words with an arrow at the edge where it lies outside the axis."""
    inside = ends[0] <= line.at <= ends[1]
    x = min(max(line.at, ends[0]), ends[1])
    right = x > (ends[0] * ends[1]) ** 0.5
    text = line.text if inside else f"{line.text} ▸" if right else f"◂ {line.text}"
    if inside:
        style = (0, (2, 2)) if line.dashed else "solid"
        plot.axvline(x, 0, height, color=line.colour, linewidth=1.0 if line.dashed else 1.6, linestyle=style)
    plot.annotate(
        text,
        (x, height),
        (-4 if right else 4, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top",
        color=line.colour,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8},
        zorder=5,
    )
