"""What every error would save: a network compressed to a range of errors, its bytes, proved error and latency."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edgepde_runtime import render
from edgepde_runtime.errors import BudgetError, NotVerified, UnsupportedModel
from edgepde_runtime.limits import Limits
from edgepde_runtime.verbs.bench import bench

from edgepde.compress.compressing import SECONDS, Compressed, compress
from edgepde.compress.half_decades import errors_of
from edgepde.compress.hunt import Known
from edgepde.network.compress import Source

from .exporting import export
from .lowering.options import Naming

LATENCY_SECONDS, PROVE_SECONDS = 1.0, 0.5


@dataclass(frozen=True)
class Point:
    """One error: what was asked, proved (None where nothing was), the weights' bytes and the median latency."""

    asked: float
    proved: float | None
    size: int | None = None
    p50_us: float | None = None
    p99_us: float | None = None
    backend: str = ""
    note: str = ""

    def meets(self, limits: Limits, output: str) -> bool:
        """Whether error and latency are within the limits."""
        allowed = limits.max_error.of(output)
        pairs = ((self.proved, allowed), (self.p50_us, limits.p50_us), (self.p99_us, limits.p99_us))
        return self.size is not None and all(
            limit is None or (value is not None and value <= limit) for value, limit in pairs
        )


def sweep(source: Source, text: str, *, method: str, seconds: float | None = None, seed: int = 0) -> list[Point]:
    """A point per error of `text`, each starting from the smallest form proved for a tighter one."""
    points: list[Point] = []
    kept: list[Known] = []
    for error in errors_of(text):
        try:
            made = compress(
                source.module,
                source.box,
                error,
                output=source.names["output"],
                method=method,
                seconds=SECONDS if seconds is None else seconds,
                seed=seed,
                keep=kept.append,
                known=kept[-1] if kept else None,
            )
        except NotVerified as refused:
            points.append(Point(error, None, note=str(refused)))
            continue
        points.append(_measured(error, made, source))
    return points


def _measured(error: float, made: Compressed, source: Source) -> Point:
    """The point of a compressed network, timed as C code where it compiles here, else as it runs at all."""
    proved, size = float(made.ledger["error"]["value"]), int(made.ledger["total"]["bytes_after"])
    naming = Naming(input=source.names["input"], output=source.names["output"])
    with tempfile.TemporaryDirectory(prefix="edgepde-sweep-") as folder:
        try:
            bundle = export(
                made,
                Path(folder) / "bundle",
                domain=source.box,
                targets=("onnx", "c99"),
                min_class="measured",
                naming=naming,
                prove_seconds=PROVE_SECONDS,
                log=lambda _: None,
            )
        except UnsupportedModel as refused:
            return Point(error, proved, size, note=f"not timed: {refused}")
        timed = bench(bundle, seconds=LATENCY_SECONDS, trust=True).latency
    chosen = next((name for name in timed if name.endswith(" on c99")), next(iter(timed)))
    backend = chosen.rpartition(" on ")[2]
    return Point(error, proved, size, timed[chosen].p50, timed[chosen].p99, backend)


def cheapest(points: Sequence[Point], limits: Limits | None, output: str) -> Point | None:
    """The point of fewest bytes that meets the limits; None without limits or where none does."""
    if limits is None:
        return None
    meeting = [point for point in points if point.meets(limits, output)]
    return min(meeting, key=lambda p: (p.size or 0, p.p50_us or 0.0)) if meeting else None


def table(points: Sequence[Point], unit: str, marked: Point | None) -> str:
    """The points as people read them, loosest first."""
    header = ("max error", "proved", "bytes", "p50 us", "p99 us", "on", "")
    rows = []
    for point in sorted(points, key=lambda p: -p.asked):
        size = "-" if point.size is None else str(point.size)
        mark = "<- the cheapest within the budget" if point is marked else point.note
        figures = (render.bound(point.proved), size, render.number(point.p50_us), render.number(point.p99_us))
        rows.append((f"{point.asked:.2e}", *figures, point.backend, mark))
    stated = f"errors in {unit}; " if unit else ""
    return f"{stated}bytes of the weights; one row per call\n\n{render.table(rows, header, right=range(5))}"


def draw(points: Sequence[Point], path: str | os.PathLike[str], unit: str, marked: Point | None) -> None:
    """Proved error over bytes, with the latency beside it, as a picture; raises BudgetError for an unknown format."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    found = [(p.size, p.proved, p.p50_us) for p in sorted(points, key=lambda p: p.asked)]
    shown = np.array([[s, e, math.nan if t is None else t] for s, e, t in found if s is not None and e is not None])
    sizes, errors, times = shown.reshape(-1, 3).T
    figure, error = pyplot.subplots(figsize=(7.0, 4.5), layout="constrained")
    error.loglog(sizes, errors, "o-", color="tab:blue", label="proved error")
    if marked is not None:
        error.plot(
            [marked.size or 0],
            [marked.proved or 0.0],
            "*",
            markersize=16,
            color="tab:red",
            label="cheapest in the budget",
        )
    error.set(xlabel="bytes of the weights", ylabel=f"proved error [{unit}]" if unit else "proved error")
    latency = error.twinx()
    latency.plot(sizes, times, "s--", color="tab:gray", label="p50, one row")
    latency.set_ylabel("microseconds")
    latency.set_ylim(bottom=0.0)
    handles = [h for axes in (error, latency) for h in axes.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    try:
        figure.savefig(path, dpi=150)
    except ValueError as refused:
        raise BudgetError(f"--plot {path}: {refused}") from None
    except OSError as refused:
        raise BudgetError(f"--plot {path}: {refused.strerror}") from None
    finally:
        pyplot.close(figure)
