"""How the drawings look, and from a matplotlib figure to SVG that takes its colours from the page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from . import words

# Stand-ins that become the page's own colours, light or dark.
INK, MUTED, GRID, ACCENT, SECOND, LIMIT, PAPER = (f"#{i:02x}fe{i:02x}" for i in range(1, 8))
VARIABLES: Mapping[str, str] = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    ACCENT: "--accent",
    SECOND: "--second",
    LIMIT: "--limit",
    PAPER: "--paper",
}
STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": False,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "font.size": 8,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "xtick.labelsize": 8,
    "xtick.major.size": 3,
    "xtick.major.width": 0.6,
    "xtick.minor.size": 1.5,
    "ytick.color": MUTED,
    "ytick.labelsize": 8,
    "ytick.major.size": 3,
    "ytick.major.width": 0.6,
    "ytick.minor.size": 1.5,
}


@contextmanager
def axes(width: float, height: float) -> Iterator[Axes]:
    """One empty plot of that size in inches, in the page's style."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure.add_subplot()


def figure_of(plot: Axes) -> Figure:
    """The figure a plot belongs to."""
    figure = plot.figure
    assert isinstance(figure, Figure)
    return figure


def svg(plot: Axes, key: str, alt: str, dpi: int = 144) -> Markup:
    """The plot as an SVG element; `key` makes its ids its own on the page, `alt` is read aloud instead of it."""
    out = io.BytesIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": key}):
        figure_of(plot).savefig(out, format="svg", dpi=dpi, metadata={"Date": None})
    text = out.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>", rf"<svg \1 {_size(plot)} {_label(alt)}>", text, count=1)
    text = re.sub(r'\bid="([^"]*)"', rf'id="{key}-\1"', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{key}-", text)
    text = text.replace("xlink:href", "href")
    for colour, name in VARIABLES.items():
        text = text.replace(colour, f"var({name})")
    # Safe: matplotlib escapes the texts it draws.
    return Markup(re.sub(r"\n\s*", "\n", text))


def _size(plot: Axes) -> str:
    width, height = figure_of(plot).get_size_inches()
    return f'width="{width * 96:.0f}" height="{height * 96:.0f}"'


def _label(alt: str) -> str:
    return f'role="img" aria-label="{escape(alt)}"'.replace("\\", r"\\")


def logarithmic(axis: Any) -> None:
    """Labels a logarithmic axis in plain figures; a short range gets more than the powers of ten."""
    low, high = sorted(axis.get_view_interval())
    short = high < 30 * low
    if high < 6 * low:
        axis.set_major_locator(MaxNLocator(5))
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0) if short else (1.0,), numticks=8))
        axis.set_minor_locator(LogLocator(base=10, subs="auto", numticks=40))
    axis.set_major_formatter(FuncFormatter(words.tick))
    axis.set_minor_formatter(NullFormatter())
