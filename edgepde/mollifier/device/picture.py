"""What was recovered as a picture: truth, estimate, difference and band, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def draw(panels: Mapping[str, Array], axes: Mapping[str, Array], label: str, where: Path) -> None:
    """Write a PNG of panels by title, each [Y, X] or [N]; "difference" has a scale of its own around 0."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    flat = next(iter(panels.values())).ndim == 1
    with mpl.rc_context({"font.size": 9}):
        if flat:
            figure = _lines(Figure(figsize=(8.0, 3.0), layout="constrained"), panels, axes, label)
        else:
            figure = _maps(Figure(figsize=(3.1 * len(panels), 3.0), layout="constrained"), panels, axes, label)
        figure.savefig(where, dpi=120)


def _maps(figure: Any, panels: Mapping[str, Array], axes: Mapping[str, Array], label: str) -> Any:
    (_, y), (_, x) = axes.items()
    whole = [v for name, v in panels.items() if name in ("truth", "estimate")]
    ends = min(float(np.nanmin(v)) for v in whole), max(float(np.nanmax(v)) for v in whole)
    plots = figure.subplots(1, len(panels), squeeze=False)[0]
    for plot, (name, values) in zip(plots, panels.items(), strict=True):
        high = float(np.nanmax(np.abs(values))) or 1.0
        if name == "difference":
            how: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -high, "vmax": high}
        elif name in ("truth", "estimate"):
            how = {"cmap": "viridis", "vmin": ends[0], "vmax": ends[1]}
        else:
            how = {"cmap": "magma", "vmin": 0.0, "vmax": high}
        shown = plot.imshow(values, origin="lower", extent=(x[0], x[-1], y[0], y[-1]), **how)
        plot.set(title=name, xlabel="x", ylabel="y" if plot is plots[0] else "")
        figure.colorbar(shown, ax=plot, shrink=0.8, label=label if plot is plots[-1] else "")
    return figure


def _lines(figure: Any, panels: Mapping[str, Array], axes: Mapping[str, Array], label: str) -> Any:
    ((letter, at),) = axes.items()
    plot = figure.subplots()
    band = panels.get("band")
    if band is not None:
        plot.fill_between(at, panels["estimate"] - band, panels["estimate"] + band, alpha=0.25, label="band")
    for name, style in (("truth", "k--"), ("estimate", "C0-")):
        if name in panels:
            plot.plot(at, panels[name], style, linewidth=1.2, label=name)
    plot.set(xlabel=letter, ylabel=label)
    plot.legend(frameon=False)
    return figure
