"""The errors over depth as a figure, one panel per kind of network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from _harness import OURS

if TYPE_CHECKING:
    from .depth import Point

COLOURS = ("#1b6ca8", "#d1495b", "#7a7a7a")


def draw(points: Sequence[Point], path: Path) -> None:
    """Write the figure; solid: against the dense network, dashed: against the truth, grey: the dense network itself."""
    from matplotlib.figure import Figure

    kinds = list(dict.fromkeys(p.kind for p in points))
    figure = Figure(figsize=(5.0 * len(kinds), 3.6), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(kinds), squeeze=False)[0], kinds, strict=True):
        here = [p for p in points if p.kind == kind]
        for form, colour in zip(dict.fromkeys(p.form for p in here), COLOURS, strict=False):
            few, name = [p for p in here if p.form == form], "blocks" if form == OURS else form
            depths = [p.depth for p in few]
            axes.semilogy(depths, [p.change for p in few], "o-", color=colour, label=f"{name}, against dense")
            axes.semilogy(depths, [p.error for p in few], "s--", color=colour, label=f"{name}, against the truth")
        own = {p.depth: p.dense_error for p in here}
        axes.semilogy(list(own), list(own.values()), ":", color=COLOURS[-1], label="dense, against the truth")
        share = max(p.share for p in here)
        axes.set(
            xlabel="compressed layers" if kind != "PINN" else "hidden layers",
            title=f"{kind}, storage <= {share:.2g} of dense",
        )
        axes.set_ylabel("relative L2 error")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
