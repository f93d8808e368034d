"""ROC curves: share of faulty calls that are seen over the share of good calls that are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SHOWN = ("off by 0.1 ", "off by 1 ", "off by 10 ", "10 bits", "nu 10 ", "nu 50 ", "another")


def area(good: Array, bad: Array) -> float:
    """P(bad > good) + P(bad = good) / 2, the area under the curve; infinite scores are above all finite ones."""
    ordered = np.sort(good)
    below, upto = (np.searchsorted(ordered, bad, side=side) for side in ("left", "right"))
    return float((below + upto).mean() / (2.0 * len(good)))


def curve(good: Array, bad: Array, rates: Array) -> Array:
    """Share of bad calls above the score that so many good ones are above."""
    limits = np.quantile(good, 1.0 - rates, method="higher")
    return np.asarray([(bad > limit).mean() for limit in limits])


def draw(path: Path, cases: Sequence[tuple[str, Any, Sequence[Any]]]) -> Path:
    """One panel per case, (name, good calls, faults); returns the path."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rates = np.geomspace(1e-3, 1.0, 200)
    figure, panels = plt.subplots(1, len(cases), figsize=(5.0 * len(cases), 4.6), squeeze=False)
    for panel, (name, good, faults) in zip(panels[0], cases, strict=True):
        for calls in faults:
            if any(word in calls.fault for word in SHOWN):
                panel.plot(rates, curve(good.residual.ravel(), calls.residual.ravel(), rates), label=calls.fault)
        panel.plot(rates, rates, color="0.7", linestyle=":", label="chance")
        panel.axvline(0.01, color="0.5", linewidth=0.8)
        panel.set(xscale="log", xlabel="share of good calls above the threshold", title=name, ylim=(0, 1.02))
    panels[0][0].set_ylabel("share of faulty calls above it")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="lower center", ncols=4, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path
